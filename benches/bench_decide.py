"""How long a decision takes through Python: `python benches/bench_decide.py [--json] [--n 5000]`.

One thread, 32 deployments (the catalog of `tests/native/conftest.py`), prompts of 200 B, 1 KB and 32 KB of
English with code words in it, each call with another seed. The bar: 1 KB p50 <= 50 us. `decide_many`
decides 1,000 prompts of 1 KB in one call.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.native.conftest import NOW_S, ask, catalog_document, catalog_of

from pointsman import _native
from pointsman._native import Core

if TYPE_CHECKING:
    from pointsman.types import Request

SENTENCE = (
    "Please review the attached quarterly report, explain why revenue fell by 12% and write a Python "
    "function that plots it.\n"
)
SIZES = (200, 1024, 32 * 1024)
BAR_US = 50.0


def prompt(n_bytes: int) -> Request:
    return ask((SENTENCE * (n_bytes // len(SENTENCE) + 1))[:n_bytes])


def percentiles(core: Core, request: Request, n: int) -> dict[str, float]:
    """Percentiles of `n` calls after a tenth as many to warm up, in microseconds."""
    for seed in range(n // 10):
        core.decide(request, now_s=NOW_S, seed=seed)
    taken = []
    for seed in range(n):
        start = time.perf_counter_ns()
        core.decide(request, now_s=NOW_S, seed=seed)
        taken.append(time.perf_counter_ns() - start)
    taken.sort()
    return {f"p{q}_us": round(taken[n * q // 100] / 1000, 2) for q in (50, 90, 99)}


def per_second(core: Core) -> float:
    """Decisions per second of `decide_many` on 1,000 prompts of 1 KB, the best of five."""
    requests = [prompt(1024)] * 1000
    best = float("inf")
    for seed in range(5):
        start = time.perf_counter()
        core.decide_many(requests, now_s=NOW_S, seed=seed)
        best = min(best, time.perf_counter() - start)
    return round(len(requests) / best)


def machine() -> dict[str, Any]:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    cpu = (
        next((line for line in cpu_lines() if line.startswith("model name")), ": unknown")
        .split(": ", 1)[1]
        .strip()
    )
    return {
        "cpu": cpu,
        "load_1min": round(load(), 2),
        "python": platform.python_version(),
        "pointsman": _native.__version__,
        "build": _native.build_profile,
        "commit": described.stdout.strip() or "unknown",
    }


def cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--n", type=int, default=5000, help="calls per prompt size")
    arguments = parser.parse_args()
    core = Core(catalog_of(catalog_document()))
    rows = [
        {
            "prompt_bytes": size,
            "n_deployments": 32,
            "n": arguments.n,
            **percentiles(core, prompt(size), arguments.n),
        }
        for size in SIZES
    ]
    about = machine()
    report = {
        "machine": about,
        "rows": rows,
        "decide_many_per_second": per_second(core),
        "bar_1kb_p50_us": BAR_US,
    }
    if arguments.json:
        print(json.dumps(report))
        return
    print("  ".join(f"{key}={value}" for key, value in about.items()))
    print(f"{'prompt':>10} {'p50 us':>9} {'p90 us':>9} {'p99 us':>9}   n={arguments.n}, 32 deployments")
    for row in rows:
        print(f"{row['prompt_bytes']:>8} B {row['p50_us']:>9} {row['p90_us']:>9} {row['p99_us']:>9}")
    print(f"decide_many, 1 KB: {report['decide_many_per_second']:.0f}/s in one call of 1,000")


if __name__ == "__main__":
    main()
