"""Hedging against heavy tails and stalls, event by event in virtual time, through `race.open_stream` itself.

The clock is the event loop's own, made to jump: nothing waits, and a run gives the same figures every time.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from pointsman.execution.direct import Attempts, Target
from pointsman.execution.race import Entrants, HedgeBudget, open_stream
from pointsman.providers.scripted import Answer, ScriptedProvider

N_REQUESTS = 2_000


class Jumping(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer whenever nothing else is to be done."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0

    def time(self) -> float:
        return self._now_s

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._now_s = max(self._now_s, self._scheduled[0].when())
        super()._run_once()


def first_token_s(draw: random.Random) -> float:
    """Log-normal with a heavy Pareto tail, and one in fifty stalls for ten seconds."""
    if draw.random() < 0.02:
        return 10.0
    body = 0.25 * draw.lognormvariate(0.0, 0.4)
    return body * (draw.paretovariate(1.6) if draw.random() < 0.05 else 1.0)


class Slow(ScriptedProvider):
    """Answers after a time drawn from `first_token_s`, in the running loop's time."""

    def __init__(self, name: str, seed: int) -> None:
        super().__init__(name, [Answer("ok", n_chunks=1)], sleep=self._wait)
        self._draw = random.Random(seed)

    def stream(self, call):
        self._script_latency = first_token_s(self._draw)
        self._steps = [Answer("ok", n_chunks=1, latency_s=self._script_latency)]
        return _latent(self, call, self._script_latency)

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _latent:
    """A stream whose first chunk takes its time."""

    def __init__(self, provider, call, latency_s):
        self._inner = ScriptedProvider(
            provider.name, [Answer("ok", n_chunks=1, latency_s=latency_s)], sleep=asyncio.sleep
        ).stream(call)

    async def __aenter__(self):
        return await self._inner.__aenter__()

    async def __aexit__(self, *error):
        return await self._inner.__aexit__(*error)


def target(name: str, seed: int) -> Target:
    return Target(
        deployment=name,
        model="m",
        provider=name,
        upstream_model="m",
        service_tier=None,
        client=Slow(name, seed),
    )


async def run(hedge_after_s: float, *, is_hedged: bool) -> tuple[list[float], int]:
    """Times to the first token, sorted, and how many requests were extra."""
    loop = asyncio.get_running_loop()
    first, second = target("first", 1), target("second", 2)
    budget, times, n_extra = HedgeBudget(), [], 0

    def permit() -> bool:
        nonlocal n_extra
        may = is_hedged and budget.spend()
        n_extra += may
        return may

    for _ in range(N_REQUESTS):
        budget.earn()
        began_s = loop.time()
        entrants = Entrants(first, second, hedge_after_s)
        stream = await open_stream(entrants, {"messages": []}, Attempts(), [], permit=permit)
        times.append(loop.time() - began_s)
        await stream.aclose()
    return sorted(times), n_extra


def simulate(hedge_after_s: float, *, is_hedged: bool) -> tuple[float, float]:
    """The 99th percentile of the time to the first token in seconds, and the share of extra requests."""
    with asyncio.Runner(loop_factory=Jumping) as runner:
        times, n_extra = runner.run(run(hedge_after_s, is_hedged=is_hedged))
    return times[len(times) * 99 // 100], n_extra / N_REQUESTS


@pytest.fixture(scope="module")
def p95_s() -> float:
    draw = random.Random(3)
    times = sorted(first_token_s(draw) for _ in range(20_000))
    return times[len(times) * 95 // 100]


def test_the_slow_hundredth_halves_at_a_twentieth_more_requests(p95_s):
    plain, none = simulate(p95_s, is_hedged=False)
    hedged, share = simulate(p95_s, is_hedged=True)
    print(f"p99 TTFT {plain * 1e3:.0f} -> {hedged * 1e3:.0f} ms, {share:.1%} extra requests")
    assert none == 0
    assert hedged <= 0.5 * plain
    assert share <= 0.05


def test_hedging_at_the_median_costs_the_budget_and_helps_less(p95_s):
    at_p95, _ = simulate(p95_s, is_hedged=True)
    at_median, share = simulate(0.25, is_hedged=True)
    assert share <= 0.05, "the bucket holds whatever the delay"
    assert at_median > at_p95
