"""`pointsman bench`: how fast this installation decides, on this machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from pointsman import _native
from pointsman.cli.bench_cache import cache
from pointsman.cli.bench_prompts import prompts
from pointsman.cli.bench_signals import signals
from pointsman.cli.options import JsonOption  # noqa: TC001 - typer reads the annotation
from pointsman.types import Request

NOW_S = 1_700_000_000.0
N_DEPLOYMENTS = (1, 8, 32, 128)
# Bytes of a prompt, and how many of them are timed: a second or less for each.
N_TIMED = {200: 2000, 1024: 2000, 32 * 1024: 400, 1024 * 1024: 40}
_QUICK_SHARE = 10
_N_IN_ONE_CALL = 1000
_N_WARM_UP = 20
_N_AHEAD = 20

bench_app = typer.Typer(help="Measure this installation on this machine.", no_args_is_help=True)
bench_app.command()(cache)
bench_app.command()(signals)


@bench_app.callback()
def _bench() -> None:
    pass


@bench_app.command()
def decide(
    as_json: JsonOption = False,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the calls: rougher tails.")] = False,
    new_words: Annotated[
        bool, typer.Option("--new-words", help="Random letters for words: nothing remembered helps.")
    ] = False,
) -> None:
    """Time decisions through Python, one thread, no network: prompts that were never seen x deployments."""
    rows = [
        measure(n_bytes, n_deployments, max(20, n_timed // _QUICK_SHARE) if quick else n_timed, new_words)
        for n_bytes, n_timed in N_TIMED.items()
        for n_deployments in N_DEPLOYMENTS
    ]
    if as_json:
        print(json.dumps(rows))
    else:
        _show(rows)


def measure(n_bytes: int, n_deployments: int, n_timed: int, are_words_new: bool = False) -> dict[str, Any]:
    """One row: percentiles of `decide` in microseconds, and the prompts a second of one `decide_many`."""
    core = _native.Core(_native.Catalog.from_json(orjson.dumps(catalog_document(n_deployments))))
    texts = prompts(n_bytes, are_words_new=are_words_new)
    for text in islice(texts, _N_WARM_UP):
        core.decide(ask(text), now_s=NOW_S, seed=0)
    taken: list[int] = []
    while len(taken) < n_timed:
        # Made ahead, or what the making of a megabyte does to the caches is timed too.
        ahead = [ask(text) for text in islice(texts, min(_N_AHEAD, n_timed - len(taken)))]
        taken += [_decide_ns(core, request, seed) for seed, request in enumerate(ahead, len(taken))]
    taken.sort()
    requests = [ask(text) for text in islice(texts, min(n_timed, _N_IN_ONE_CALL))]
    start = time.perf_counter()
    core.decide_many(requests, now_s=NOW_S, seed=0)
    per_second = len(requests) / (time.perf_counter() - start)
    percentiles = {f"p{q}_us": round(taken[len(taken) * q // 100] / 1000, 2) for q in (50, 90, 99)}
    return {
        "prompt_bytes": n_bytes,
        "n_deployments": n_deployments,
        "cache_entries": 0,
        **percentiles,
        "per_second": round(per_second),
    }


def _decide_ns(core: _native.Core, request: Request, seed: int) -> int:
    start = time.perf_counter_ns()
    core.decide(request, now_s=NOW_S, seed=seed)
    return time.perf_counter_ns() - start


def ask(text: str) -> Request:
    """A request of one user message."""
    return Request(messages=[{"role": "user", "content": text}])


def catalog_document(n_deployments: int) -> dict[str, Any]:
    """A catalog of up to 8 models at 4 providers, no two deployments alike in price and speed."""
    models = [
        {
            "name": f"m{i}",
            "context_window": 1_000_000,
            "capabilities": ["tools", "json_schema"],
            "quality": {"default": 0.55 + 0.05 * i, "code": 0.5 + 0.05 * i, "code/reasoning": 0.4 + 0.06 * i},
        }
        for i in range(8)
    ]
    deployments = [
        {
            "name": f"d{i}",
            "model": f"m{i % 8}",
            "provider": f"p{i // 8 % 4}",
            "price_nano_usd_per_mtok": {
                "input": (i % 8 + 1) * 100_000_000 + i,
                "output": (i % 8 + 1) * 400_000_000 + 3 * i,
            },
            "latency": {"ttft_p50_ms": 100 + i, "ttft_p95_ms": 300 + 10 * i, "tokens_per_s": 40 + i},
        }
        for i in range(n_deployments)
    ]
    return {
        "models": models,
        "providers": [{"name": f"p{i}"} for i in range(4)],
        "deployments": deployments,
    }


def machine() -> dict[str, str]:
    """What a figure belongs to: the processor and its load, versions, the commit if this is a checkout."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "cpu": f"{_cpu_model()}, {os.cpu_count()} cores",
        "load": load,
        "python": platform.python_version(),
        "pointsman": f"{_native.__version__} ({_native.build_profile})",
        "commit": _commit(),
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - constant
    except OSError:
        return "unknown"
    return described.stdout.strip() or "unknown"


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="One decision, in microseconds; never-seen prompts, no cache")
    for name in ("prompt bytes", "deployments", "p50", "p90", "p99", "decide_many /s"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            f"{row['prompt_bytes']:,}",
            str(row["n_deployments"]),
            *(f"{row[f'p{q}_us']:.1f}" for q in (50, 90, 99)),
            f"{row['per_second']:,}",
        )
    console = Console()
    console.print(table)
    console.print("  ".join(f"{name} {value}" for name, value in machine().items()))
    console.print(f"command: {' '.join(['pointsman', *sys.argv[1:]])}")
