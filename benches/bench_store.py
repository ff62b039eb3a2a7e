"""What the decision log costs: `python benches/bench_store.py [--n N] [--deployments K]`.

On the event loop, per request: what the ledger does with it (remembering it, counting it for feedback's
shares, handing it to the store) between two decisions, its thread kept busy meanwhile; the row that the
store's thread makes; and how many rows a second reach a SQLite file. The bar: 30 us at p50 on the loop.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benches.harness import facts

from pointsman import Router
from pointsman.cli.bench_prompts import prompts
from pointsman.store.rows import decision_row
from pointsman.types import Attempt, Request, Served, Usage

BAR_US = 30.0


def config(n_deployments: int, path: Path) -> dict[str, Any]:
    models = [f"m{i}" for i in range(n_deployments)]
    return {
        "providers": {"sim": {"base_url": "http://127.0.0.1:1/v1"}},
        "models": {name: {"quality": 0.6, "context_window": 8000} for name in models},
        "deployments": [
            {"model": name, "provider": "sim", "price_usd_per_mtok": {"input": 0.04, "output": 0.04}}
            for name in models
        ],
        "store": {"url": str(path)},
    }


def served_of(router: Router, text: str) -> Served:
    messages = [{"role": "user", "content": text}]
    decision = router.decide(messages)
    return Served(
        decision=decision,
        request=Request(messages=messages),
        body={"model": "auto", "messages": messages},
        policy="default",
        is_stream=False,
        started_at_s=time.time(),
        latency_ms=500.0,
        overhead_us=100.0,
        attempts=(Attempt(deployment=decision.deployment, status=200, error_code=None, latency_ms=499.0),),
        deployment=decision.deployment,
        model=decision.model,
        provider=decision.provider,
        usage=Usage(n_input_tokens=250, n_output_tokens=40),
    )


def percentiles(name: str, seen_us: list[float]) -> None:
    at = statistics.quantiles(seen_us, n=100)
    print(f"{name:<44} p50 {at[49]:8.1f} us   p90 {at[89]:8.1f} us   p99 {at[98]:8.1f} us   n {len(seen_us)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--deployments", type=int, default=8)
    options = parser.parse_args()
    print(*(f"{name}: {value}" for name, value in facts(["pointsman", "sqlalchemy"]).items()), sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        router = Router.from_config(config(options.deployments, Path(folder) / "log.db"))
        asked = prompts(1024)
        entries = [served_of(router, next(asked)) for _ in range(options.n)]
        observers = router._observers
        wall_us, cpu_us = [], []
        began_s = time.perf_counter()
        for one in entries:
            router.decide("What else is on the loop?")
            started = time.perf_counter_ns(), time.thread_time_ns()
            observers.tell(one)
            wall_us.append((time.perf_counter_ns() - started[0]) / 1e3)
            cpu_us.append((time.thread_time_ns() - started[1]) / 1e3)
        assert router.store is not None
        assert router.store.flush(60)
        passed_s = time.perf_counter() - began_s
        percentiles("on the loop, wall", wall_us)
        percentiles("on the loop, CPU of its thread", cpu_us)
        row_us = []
        for one in entries[:1000]:
            started_ns = time.perf_counter_ns()
            decision_row(one)
            row_us.append((time.perf_counter_ns() - started_ns) / 1e3)
        percentiles(f"a row, {options.deployments} candidates (store's thread)", row_us)
        fresh = [served_of(router, next(asked)) for _ in range(options.n)]
        began_s = time.perf_counter()
        for one in fresh:
            router.store.log(one)
        router.store.flush(60)
        print(f"rows a second into SQLite: {options.n / (time.perf_counter() - began_s):,.0f}")
        print(f"counts: {dict(router.store.counts)}; paced part took {passed_s:.1f} s")
        router.store.close()
    verdict = "held" if statistics.median(wall_us) <= BAR_US else "MISSED"
    print(f"bar: p50 on the loop <= {BAR_US:g} us: {verdict}")


if __name__ == "__main__":
    main()
