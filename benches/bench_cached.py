"""What the cache adds to a request of the library: `python benches/bench_cached.py [--entries N] [--n N]`.

One thread, `Router.complete` over a provider that answers at once, prompts of about 1 KB, each never seen
before (a miss) or stored (a hit), beside the same router without a cache, in turns. The insertion of a miss
happens in the event loop's next turn, after the answer is given, and is timed apart. The bar: a miss costs
<= 60 us more at p50 with 10,000 entries.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benches.harness import facts

from pointsman import Router
from pointsman.cli.bench_prompts import prompts
from pointsman.providers import Answer, ScriptedProvider

if TYPE_CHECKING:
    from collections.abc import Awaitable

BAR_US = 60.0
N_BYTES = 1024
CONFIG: dict[str, Any] = {
    "providers": {"sim": {"base_url": "http://127.0.0.1:1/v1"}},
    "models": {"nano": {"quality": 0.6, "context_window": 8000}},
    "deployments": [
        {"model": "nano", "provider": "sim", "price_usd_per_mtok": {"input": 0.04, "output": 0.04}}
    ],
}


def router(**sections: Any) -> Router:
    return Router.from_config(CONFIG | sections, providers={"sim": ScriptedProvider("sim", [Answer("ok")])})


async def timed_us(work: Awaitable[Any]) -> tuple[float, float]:
    """Microseconds of the wall's clock and of the thread's CPU; the second stands still while others run."""
    started = time.perf_counter_ns(), time.thread_time_ns()
    await work
    return (time.perf_counter_ns() - started[0]) / 1e3, (time.thread_time_ns() - started[1]) / 1e3


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--n", type=int, default=2000)
    options = parser.parse_args()
    print(*(f"{name}: {value}" for name, value in facts(["pointsman"]).items()), sep="\n")
    cached, plain = router(cache={"max_mb": 1024}), router()
    asked = prompts(N_BYTES)
    stored = list(itertools.islice(asked, options.entries))
    for text in stored:
        # Both remember as many decisions.
        await cached.complete(text)
        await plain.complete(text)
    rows: dict[str, list[tuple[float, float]]] = {}
    for number in range(options.n):
        # Each its own text: a thread remembers the vectors of the last few.
        for name, work in (
            ("no cache", plain.complete(next(asked))),
            ("miss", cached.complete(next(asked))),
            ("insertion, after", asyncio.sleep(0)),
            ("hit, exact", cached.complete(stored[number % len(stored)])),
        ):
            rows.setdefault(name, []).append(await timed_us(work))
    print(f"{options.entries} entries, n={options.n}, 1 KB prompts; microseconds")
    for name, taken in rows.items():
        wall, cpu = (statistics.quantiles(each, n=100) for each in zip(*taken, strict=True))
        cuts = "  ".join(f"p{q} {wall[q - 1]:7.1f}" for q in (50, 90, 99))
        print(f"{name:18s} {cuts}  cpu p50 {cpu[49]:7.1f}")
    wall, cpu = (
        statistics.median(each[kind] for each in rows["miss"])
        - statistics.median(each[kind] for each in rows["no cache"])
        for kind in (0, 1)
    )
    print(f"a miss adds {wall:.1f} us at p50 (bar {BAR_US:g}), {cpu:.1f} us of CPU")


if __name__ == "__main__":
    asyncio.run(main())
