"""A router in virtual time over simulated providers: hours in milliseconds, with the real adapter's errors."""

from __future__ import annotations

import asyncio
import time

import pytest

from pointsman.config import parse_config
from pointsman.errors import ProviderError, ProvidersExhausted, ProviderTimeout
from pointsman.providers.provider import ProviderCall
from pointsman.providers.transport import Timeouts
from pointsman.registry import registry_from_config
from pointsman.router import Router
from pointsman.simulate import FAULTS, Simulation, check_counted, parse_script, run_virtual, virtual_providers
from pointsman.simulate.fleet import gateway_config

CALL = ProviderCall(
    upstream_model="simulated-1",
    body={"model": "simulated-1", "messages": [{"role": "user", "content": "hello"}]},
)


def simulated(clock, **settings):
    return Simulation(parse_script({"providers": {"alpha": settings}}), clock)


def test_waiting_takes_no_time_but_passes_it():
    async def wait(clock):
        await asyncio.gather(*(asyncio.sleep(hours * 3600) for hours in (1, 2, 24)))
        return clock()

    started_s = time.perf_counter()
    assert run_virtual(wait) == 24 * 3600
    assert time.perf_counter() - started_s < 5


def test_deadlock_is_an_error():
    async def wait(clock):
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(wait)


def test_answer_comes_when_the_course_says():
    async def ask(clock):
        simulation = simulated(clock, latency={"ttft_p50_ms": 60_000, "tokens_per_s": 1})
        reply = await virtual_providers(simulation)["alpha"].complete(CALL)
        return clock(), reply.usage.n_output_tokens, simulation.providers["alpha"].calls[0]

    took_s, n_tokens, call = run_virtual(ask)
    assert took_s == pytest.approx(60 + n_tokens)
    assert (call.end, call.ended_s) == ("complete", took_s)


def test_stream_brings_each_token_when_it_is_due():
    async def ask(clock):
        simulation = simulated(
            clock,
            latency={"ttft_p50_ms": 5000, "tokens_per_s": 2},
            answer={"kind": "counted", "tokens_p50": 20},
        )
        came, text = [], ""
        async with virtual_providers(simulation)["alpha"].stream(CALL) as stream:
            async for chunk in stream:
                if chunk["choices"] and (piece := chunk["choices"][0]["delta"].get("content")):
                    came.append(clock())
                    text += piece
        return came, text

    came, text = run_virtual(ask)
    check_counted(text)
    assert came == pytest.approx([5 + index / 2 for index in range(20)])


async def read(provider):
    async with provider.stream(CALL) as stream:
        async for _ in stream:
            pass


FAILS = {
    "hang": ("provider_timeout", 30.0),
    "idle": ("provider_timeout", None),
    "disconnect": ("provider_unreachable", 0.0),
    "truncate": ("provider_unreachable", None),
    "no_finish": ("provider_stream_broken", None),
    "malformed": ("provider_malformed", None),
    "unavailable": ("provider_unavailable", 0.0),
    "rate_limited": ("provider_rate_limited", 0.0),
}


@pytest.mark.parametrize("kind", FAILS)
def test_fault_is_the_error_that_a_socket_would_give(kind):
    code, at_s = FAILS[kind]

    async def ask(clock):
        simulation = simulated(clock, faults={kind: 1})
        timeouts = Timeouts(first_byte_s=30, idle_s=20)
        provider = virtual_providers(simulation, timeouts)["alpha"]
        with pytest.raises(ProviderError) as raised:
            await read(provider)
        return raised.value, clock(), simulation.providers["alpha"]

    error, took_s, provider = run_virtual(ask)
    assert error.code == code
    assert at_s is None or took_s == pytest.approx(at_s)
    assert provider.n_open == 0
    assert provider.counts[f"fault:{kind}"] == 1
    assert FAULTS[kind].is_failure
    if isinstance(error, ProviderTimeout):
        assert provider.calls[0].end == "cancelled"


def test_router_falls_back_in_virtual_time_and_an_outage_is_told():
    script = parse_script(
        {
            "providers": {
                "alpha": {"models": ["m"], "timeline": [{"at_s": 50, "faults": {"unavailable": 1}}]},
                "beta": {
                    "models": {"m": {"price_usd_per_mtok": {"input": 9, "output": 9}}},
                    "timeline": [{"at_s": 100, "faults": {"hang": 1}}],
                },
            }
        }
    )
    registry = registry_from_config(parse_config(gateway_config(script, "http://127.0.0.1:1")))

    async def ask(clock):
        providers = virtual_providers(Simulation(script, clock), Timeouts(first_byte_s=30))
        answered = []
        async with Router(registry, providers=providers) as router:
            for at_s in (10, 60, 110):
                await asyncio.sleep(at_s - clock())
                try:
                    answered.append((await router.complete("hello", model="m")).provider)
                except ProvidersExhausted:
                    answered.append("nobody")
        return answered

    assert run_virtual(ask) == ["alpha", "beta", "nobody"]
