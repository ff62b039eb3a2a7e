"""What providers see of a race, over real sockets: the loser's connection is closed at once."""

import asyncio
import time

import pytest

from pointsman import Router
from pointsman.simulate import Simulation, parse_script, serving

pytestmark = pytest.mark.anyio
SCRIPT = {"seed": 1, "providers": {"alpha": {"models": ["m"]}, "beta": {"models": ["m"]}}}


@pytest.fixture
def anyio_backend():
    return "asyncio"


def config(server):
    price = {"alpha": 0.1, "beta": 1.0}
    return {
        "providers": {name: {"base_url": server.url(name), "transport": "asyncio"} for name in price},
        "models": {"m": {"quality": 0.8, "context_window": 8000}},
        "deployments": [
            {
                "name": name,
                "model": "m",
                "provider": name,
                "upstream_model": "m",
                "price_usd_per_mtok": {"input": price[name], "output": price[name]},
                "latency": {"ttft_p50_ms": 20, "ttft_p95_ms": 50, "tokens_per_s": 100000},
            }
            for name in price
        ],
    }


@pytest.mark.parametrize("is_stream", [False, True])
async def test_the_loser_sees_its_connection_closed_at_once(is_stream):
    async with serving(Simulation(parse_script(SCRIPT))) as server:
        alpha, beta = (server.simulation.providers[name] for name in ("alpha", "beta"))
        alpha.force(["hang"])
        async with Router.from_config(config(server)) as router:
            router._plans._hedges._left = 1.0
            if is_stream:
                async with router.stream("Hello", strategy="race") as stream:
                    won_at_s = time.perf_counter()
                    assert stream.target.deployment == "beta"
                    await until(lambda: alpha.n_open == 0)
            else:
                answer = await router.complete("Hello", strategy="race")
                won_at_s = time.perf_counter()
                assert answer.deployment == "beta"
                await until(lambda: alpha.n_open == 0)
            assert time.perf_counter() - won_at_s < 0.5
        assert alpha.calls[-1].end == "cancelled"
        assert beta.calls[-1].end != "cancelled" or is_stream


async def until(is_so):
    for _ in range(100):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the loser's call is still open")
