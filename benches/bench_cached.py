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
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benches.harness import facts

from pointsman import Router
from pointsman.cli.bench_prompts import prompts
from pointsman.providers import Answer, ScriptedProvider

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


async def timed_us(router: Router, text: str) -> float:
    started_s = time.perf_counter()
    await router.complete(text)
    return (time.perf_counter() - started_s) * 1e6


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
        await cached.complete(text)
    rows: dict[str, list[float]] = {"no cache": [], "miss": [], "insertion, after": [], "hit, exact": []}
    for number in range(options.n):
        text = next(asked)
        rows["no cache"].append(await timed_us(plain, text))
        rows["miss"].append(await timed_us(cached, text))
        started_s = time.perf_counter()
        await asyncio.sleep(0)
        rows["insertion, after"].append((time.perf_counter() - started_s) * 1e6)
        rows["hit, exact"].append(await timed_us(cached, stored[number % len(stored)]))
    print(f"{options.entries} entries, n={options.n}, 1 KB questions; microseconds")
    for name, taken in rows.items():
        cuts = statistics.quantiles(taken, n=100)
        print(f"{name:18s} p50 {cuts[49]:7.1f}  p90 {cuts[89]:7.1f}  p99 {cuts[98]:7.1f}")
    added = statistics.median(rows["miss"]) - statistics.median(rows["no cache"])
    print(f"a miss adds {added:.1f} us at p50 (bar {BAR_US:g})")


if __name__ == "__main__":
    asyncio.run(main())
