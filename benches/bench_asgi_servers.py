"""Why the gateway runs Starlette on uvicorn with uvloop and httptools: CPU of an echo, one core, same load.

    python benches/bench_asgi_servers.py [--peers-venv DIR] [--quick] [--json]

Server on core 0, load generator on core 1. `--peers-venv` installs the alternatives (granian, hypercorn,
FastAPI) into a throwaway environment at DIR; without it only what pointsman depends on is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import LOAD_CORE, ROOT, SERVER_CORE, facts, free_port, serve, spread
from load import Target, percentile, run_load

OURS = ("uvicorn", "uvloop", "httptools", "starlette", "orjson")
PEERS = ("granian==2.8.7", "hypercorn==0.18.0", "fastapi==0.165.0")
BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "words " * 75}]}).encode()


@dataclass(frozen=True)
class Contender:
    """A server with an app on it; `command` may hold `{port}`."""

    name: str
    command: str
    is_peer: bool = False


UVICORN = "-m uvicorn --port {port} --no-access-log --log-level warning"
HYPERCORN = "-m hypercorn --bind 127.0.0.1:{port} --log-level warning"
GRANIAN = "-m granian --host 127.0.0.1 --port {port} --no-log --workers 1"
CONTENDERS = (
    Contender("uvicorn (uvloop, httptools), bare ASGI", f"{UVICORN} asgi_apps:bare"),
    Contender("the same, behind Starlette's router", f"{UVICORN} asgi_apps:routed_by_starlette"),
    Contender("the same, Starlette's Request/Response", f"{UVICORN} asgi_apps:with_starlette"),
    Contender(
        "uvicorn (asyncio, httptools), bare ASGI", f"{UVICORN} --loop asyncio --http httptools asgi_apps:bare"
    ),
    Contender("uvicorn (asyncio, h11), bare ASGI", f"{UVICORN} --loop asyncio --http h11 asgi_apps:bare"),
    Contender("uvicorn (uvloop, httptools), FastAPI", f"{UVICORN} asgi_apps:with_fastapi", is_peer=True),
    Contender("granian RSGI", f"{GRANIAN} --interface rsgi asgi_apps:rsgi", is_peer=True),
    Contender("granian ASGI, bare", f"{GRANIAN} --interface asgi asgi_apps:bare", is_peer=True),
    Contender("hypercorn (uvloop), bare ASGI", f"{HYPERCORN} -k uvloop asgi_apps:bare", is_peer=True),
)


def peers_python(directory: Path) -> Path:
    """The Python of the peers' environment, installed when it is not there yet."""
    python = directory / "bin" / "python"
    if not python.exists():
        ours = [f"{name}=={importlib.metadata.version(name)}" for name in OURS]  # the same uvicorn for both
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *ours, *PEERS], check=True)
    return python


def measure(options: argparse.Namespace) -> list[dict]:
    """One row a contender: the rounds' CPU, rate and latency."""
    pythons = {False: Path(sys.executable)}
    if options.peers_venv:
        pythons[True] = peers_python(options.peers_venv)
    os.sched_setaffinity(0, {LOAD_CORE % (os.cpu_count() or 1)})
    rows = []
    with contextlib.ExitStack() as stack:
        running = []
        for contender in CONTENDERS:
            if contender.is_peer in pythons:
                port = free_port()
                command = [str(pythons[contender.is_peer]), *contender.command.format(port=port).split()]
                env = {"PYTHONPATH": str(ROOT / "benches")}
                running.append(
                    stack.enter_context(
                        serve(
                            contender.name, command, port=port, core=SERVER_CORE, ready_path="/echo", env=env
                        )
                    )
                )
        rows = [{"server": server.name, "rounds": []} for server in running]
        for _ in range(options.rounds):
            for server, row in zip(running, rows, strict=True):
                done = run_load(
                    Target(server.port, "/echo", BODY),
                    concurrency=options.concurrency,
                    warm_up_s=options.window_s / 4,
                    window_s=options.window_s,
                    probe=server.cpu_s,
                )
                row["rounds"].append(
                    {
                        "cpu_us": done.cpu_us,
                        "per_s": done.per_s,
                        "p50_us": percentile(done.latency_us, 0.5),
                        "p99_us": percentile(done.latency_us, 0.99),
                        "n_errors": done.n_errors,
                    }
                )
    return rows


def show(rows: list[dict], about: dict[str, str]) -> None:
    """Print the table: median [min-max] of the rounds."""
    for name, value in about.items():
        print(f"{name:9} {value}")
    print(f"\n{'server':42} {'CPU us/request':>18} {'requests/s':>24} {'p99 us':>24} errors")
    for row in rows:
        rounds = row["rounds"]
        columns = [spread([entry[key] for entry in rounds]) for key in ("cpu_us", "per_s", "p99_us")]
        n_errors = sum(entry["n_errors"] for entry in rounds)
        print(f"{row['server']:42} {columns[0]:>18} {columns[1]:>24} {columns[2]:>24} {n_errors:>6}")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-venv", type=Path, help="install and measure the alternatives too, from here")
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--window-s", type=float, default=2.0)
    parser.add_argument("--quick", action="store_true", help="2 rounds of 0.5 s")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.window_s = 2, 0.5
    about = facts(OURS) | {
        "peers": ", ".join(PEERS) if options.peers_venv else "not installed",
        "load": f"concurrency {options.concurrency}, {len(BODY)} byte body, "
        f"{options.rounds} rounds of {options.window_s} s, median [min-max]",
        "command": " ".join(["python", *sys.argv]),
    }
    rows = measure(options)
    if options.json:
        print(json.dumps({"about": about, "rows": rows}))
    else:
        show(rows, about)


if __name__ == "__main__":
    main()
