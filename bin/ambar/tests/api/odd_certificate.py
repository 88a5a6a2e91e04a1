"""Appends a block to a certificate that no certificate of Ambar has: it says something that is
not in the vocabulary.

Reads a certificate on standard input and prints the odd one. Needs `biscuit-python` from PyPI.
"""

import re
import sys

from biscuit_auth import Algorithm, BlockBuilder, PublicKey, UnverifiedBiscuit

certificate = UnverifiedBiscuit.from_base64(sys.stdin.read().strip())
session = re.search(r"^session\(hex:([0-9a-f]{64})\);$", certificate.block_source(0), re.M)
key = PublicKey.from_bytes(bytes.fromhex(session.group(1)), Algorithm.Ed25519)
block = BlockBuilder("check if weather($w), $w == 1")
print(certificate.verify(key).append(block).to_base64())
