"""Serve one gguf model with llama.cpp on loopback: ``python llama_server.py MODEL PORT ALIAS``.

Runs in the real model's own virtual environment, so it may import nothing of pointsman. It ends when its
standard input closes, so that it cannot outlive the demo that started it.
"""

from __future__ import annotations

import os
import sys

import xllamacpp  # type: ignore[import-not-found,unused-ignore]

CONTEXT_TOKENS = 4096
"""Tokens of prompt and answer together, a slot; SmolLM2 was trained on 8,192, more only costs memory."""
N_SLOTS = 2
"""Requests answered at once; llama.cpp splits its context among them."""
N_THREADS = 1
"""One: with two busy threads on two shared cores decoding fell to a tenth (measured with SmolLM2-135M)."""


def main() -> None:
    """Serve until standard input closes."""
    path, port, alias = sys.argv[1:4]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.model_alias = {alias}
    parameters.hostnames = ["127.0.0.1"] if isinstance(parameters.hostnames, list) else "127.0.0.1"
    parameters.port = int(port)
    parameters.n_ctx = CONTEXT_TOKENS * N_SLOTS
    parameters.n_parallel = N_SLOTS
    parameters.cpuparams.n_threads = N_THREADS
    parameters.cpuparams_batch.n_threads = N_THREADS
    parameters.use_jinja = True
    parameters.warmup = True
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    print(f"listening {server.listening_address}", flush=True)
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)  # the server's threads have no way to be joined; nothing is left to save


if __name__ == "__main__":
    main()
