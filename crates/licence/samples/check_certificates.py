"""Asks the Biscuit library for Python what the sample certificates allow, without Ambar.

    python check_certificates.py certificates.json

Exits 0 if every answer is the expected one. Needs `biscuit-python` from PyPI.
"""

import json
import sys
from datetime import datetime, timezone

from biscuit_auth import Algorithm, AuthorizerBuilder, Biscuit, PublicKey


def allowed(certificate, session, request):
    """Whether the certificate is rooted in the session key and every check of it holds."""
    try:
        token = Biscuit.from_base64(certificate, session)
    except Exception:  # The library has several errors for a token that is not genuine.
        return False
    facts = AuthorizerBuilder("allow if true")
    time = datetime.fromtimestamp(request["time_ms"] / 1000, timezone.utc)
    facts.add_code("time({time})", {"time": time})
    facts.add_code("budget({price})", {"price": request["price_nano"]})
    facts.add_code("calls({calls})", {"calls": request["calls_before"] + 1})
    for name in ("purpose", "capsule", "agent"):
        if request[name] is not None:
            facts.add_code(f"{name}({{value}})", {"value": request[name]})
    try:
        facts.build(token).authorize()
    except Exception:  # A check that fails is an error of the library's own.
        return False
    return True


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        samples = json.load(file)
    session = PublicKey.from_bytes(bytes.fromhex(samples["session_key"]), Algorithm.Ed25519)
    wrong = 0
    for row in samples["rows"]:
        answer = allowed(row["certificate"], session, row["request"])
        if answer != (row["expect"] == "allow"):
            wrong += 1
            print(f"{row['name']}: allowed is {answer}, expected {row['expect']}")
    print(f"{len(samples['rows'])} certificates, {wrong} answers differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
