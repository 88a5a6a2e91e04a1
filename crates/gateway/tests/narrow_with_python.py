"""Narrows a certificate with the Biscuit library for Python, without Ambar.

Reads a certificate on standard input, appends one block of checks from Ambar's fixed
vocabulary and prints the new certificate. No key is needed: the certificate names its
channel's session key, against which the library checks it first.

Needs `biscuit-python` from PyPI. Amounts are in nano-credit (10^-9 credit).
"""

import argparse
import re
import sys
from datetime import datetime, timezone

from biscuit_auth import Algorithm, BlockBuilder, PublicKey, UnverifiedBiscuit


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=int, help="nano-credit")
    parser.add_argument("--calls", type=int)
    parser.add_argument("--expires", type=datetime.fromisoformat, help="ISO 8601 with zone")
    parser.add_argument("--purpose", action="append", default=[])
    parser.add_argument("--capsule", action="append", default=[])
    return parser.parse_args()


def block(asked):
    checks = BlockBuilder()
    if asked.expires is not None:
        expires = asked.expires.astimezone(timezone.utc)
        checks.add_code("check if time($t), $t <= {expires}", {"expires": expires})
    if asked.budget is not None:
        checks.add_code("check if budget($b), $b <= {budget}", {"budget": asked.budget})
    if asked.calls is not None:
        checks.add_code("check if calls($n), $n <= {calls}", {"calls": asked.calls})
    if asked.purpose:
        checks.add_code("check if purpose($p), {list}.contains($p)", {"list": set(asked.purpose)})
    if asked.capsule:
        checks.add_code("check if capsule($c), {list}.contains($c)", {"list": set(asked.capsule)})
    return checks


def main():
    certificate = UnverifiedBiscuit.from_base64(sys.stdin.read().strip())
    session = re.search(r"^session\(hex:([0-9a-f]{64})\);$", certificate.block_source(0), re.M)
    if session is None:
        sys.exit("the certificate does not name its session key")
    key = PublicKey.from_bytes(bytes.fromhex(session.group(1)), Algorithm.Ed25519)
    print(certificate.verify(key).append(block(arguments())).to_base64())


if __name__ == "__main__":
    main()
