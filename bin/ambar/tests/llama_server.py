"""llama.cpp's own HTTP server, from the package xllamacpp, until standard input ends.

Its argument is a GGUF file. Prints its URL when it listens.
"""

import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
