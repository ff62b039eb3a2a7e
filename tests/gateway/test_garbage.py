"""What a request holds is free when it ends: no cycles that wait for the garbage collector.

They would hold buffers, sockets and tracebacks until its next look at the old objects, millions of them later.
"""

from __future__ import annotations

import gc
import json
import types
from collections import Counter
from typing import Any

import httpx
import pytest

from pointsman.gateway.app import create_app
from pointsman.gateway.asgi import WATCH_AFTER_S
from pointsman.simulate import Simulation, parse_script, serving_in_thread
from pointsman.simulate.fleet import gateway_config

from .conftest import serving

LATE_MS = 1.5e3 * WATCH_AFTER_S
"""Late enough for the client to be watched."""
FAULTS = (
    "none server_error unavailable disconnect truncate no_finish malformed rate_limited error_event error_body unauthorized empty"
).split()

NOT_OF_REQUESTS = ("pointsman.simulate.", "pointsman.store.")
"""The other side, and threads that outlive other tests."""


def ours(found: list[object]) -> Counter[str]:
    """Names of the frames and objects among them that are the gateway's."""
    names = Counter[str]()
    for one in found:
        if isinstance(one, types.FrameType):
            name = f"{one.f_globals['__name__']}.{one.f_code.co_qualname}"
        else:
            name = f"{type(one).__module__}.{type(one).__qualname__}"
        if name.startswith("pointsman.") and not name.startswith(NOT_OF_REQUESTS):
            names[name] += 1
    return names


def ask(client: httpx.Client, url: str, *, stream: bool, strategy: str, leave: bool) -> None:
    messages = [{"role": "user", "content": "Count for me."}]
    body = {"model": "auto", "stream": stream, "messages": messages, "pointsman": {"strategy": strategy}}
    with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
        for _ in answer.iter_lines():
            if leave:
                return


def garbage_of(
    faults: dict[str, float], *, stream: bool, strategy: str = "auto", leave: bool = False
) -> Counter[str]:
    """What three requests leave behind, the first provider failing so."""
    slow = {"ttft_p50_ms": LATE_MS, "ttft_p95_ms": LATE_MS}
    providers: dict[str, Any] = {
        name: {
            "models": {"one": {"price_usd_per_mtok": {"input": usd, "output": usd}}},
            "latency": slow,
            "answer": {"kind": "counted", "tokens_p50": 20},
        }
        for name, usd in (("alpha", 1), ("beta", 50))
    }
    providers["alpha"]["faults"] = faults
    simulation = Simulation(parse_script(json.dumps({"providers": providers})))
    with serving_in_thread(simulation) as upstream:
        config = gateway_config(simulation.script, upstream.address)
        with serving(create_app(config)) as url, httpx.Client(trust_env=False, timeout=30) as client:
            ask(client, url, stream=stream, strategy=strategy, leave=False)
            gc.collect()
            for _ in range(3):
                ask(client, url, stream=stream, strategy=strategy, leave=leave)
            # The gateway has let go of them once it answers the next.
            client.get(f"{url}/health/live")
            return collected()


def collected() -> Counter[str]:
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return ours(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


@pytest.fixture(autouse=True)
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_request_leaves_no_cycle(fault, stream):
    faults = {} if fault == "none" else {fault: 1.0}
    assert not garbage_of(faults, stream=stream)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("fault", ["server_error", "unauthorized"])
def test_a_race_leaves_no_cycle(fault, stream):
    # Of two that answer one is cancelled, which leaves a cycle of anyio's (4.16, `TaskGroup`).
    assert not garbage_of({fault: 1.0}, stream=stream, strategy="race")


def test_a_client_that_leaves_leaves_no_cycle():
    assert not garbage_of({}, stream=True, leave=True)
