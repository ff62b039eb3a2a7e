"""A caller's trace goes on at providers that are to know it, and nowhere else."""

import httpx
import orjson
import pytest
from opentelemetry.sdk.trace import TracerProvider

from pointsman import Router
from pointsman.gateway.app import create_app
from pointsman.providers.trace import read_trace
from tests.providers.servers import Server, answer

from .conftest import serving

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ANSWER = {
    "id": "x",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
}
ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def server():
    made = Server(lambda _: answer(orjson.dumps(ANSWER)))
    yield made
    made.close()


def config(server, **settings):
    price = {"price_usd_per_mtok": {"input": 1, "output": 1}}
    return {
        "providers": {"p": {"base_url": server.url, **settings}},
        "models": {"m": {"quality": 0.5, "context_window": 8000}, "e": {"capabilities": ["embeddings"]}},
        "deployments": [{"model": model, "provider": "p", **price} for model in ("m", "e")],
    }


def traced(server):
    """What the last request told the server of its trace."""
    lines = server.requests[-1].head.decode().lower().split("\r\n")
    return dict(line.split(": ", 1) for line in lines if line.startswith(("traceparent", "tracestate")))


def post(url, path="chat/completions", body=ASK, **headers):
    return httpx.post(f"{url}/v1/{path}", json=body, headers=headers, timeout=10).raise_for_status()


@pytest.mark.parametrize("transport", ["asyncio", "httpx", "pyreqwest"])
def test_a_provider_that_is_to_know_it_is_told_the_trace(server, transport):
    settings = config(server, forward_traceparent=True, transport=transport)
    with serving(create_app(settings)) as url:
        post(url, traceparent=PARENT, tracestate="vendor=1")
        assert traced(server) == {"traceparent": PARENT, "tracestate": "vendor=1"}
        post(url, "embeddings", {"model": "e", "input": "hi"}, traceparent=PARENT)
        assert traced(server) == {"traceparent": PARENT}
        post(url)
        assert traced(server) == {}, "the next request is in no trace"


def test_others_are_not(server):
    with serving(create_app(config(server))) as url:
        post(url, traceparent=PARENT)
    assert traced(server) == {}


@pytest.mark.parametrize(
    "parent", ["", "x", PARENT.upper(), PARENT + "-more", "00-" + "0" * 32 + PARENT[35:], PARENT[:36] + "0" * 16 + "-01"]
)  # fmt: skip
def test_what_is_no_traceparent_is_not_passed_on(server, parent):
    with serving(create_app(config(server, forward_traceparent=True))) as url:
        post(url, traceparent=parent)
    assert traced(server) == {}
    assert read_trace(parent) == {}


def test_a_state_that_is_too_long_is_dropped_whole():
    assert read_trace(PARENT, "v=" + "1" * 511) == {"traceparent": PARENT}


async def test_a_program_s_own_span_goes_on(server):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    async with Router.from_config(config(server, forward_traceparent=True)) as router:
        with tracer.start_as_current_span("outer") as span:
            await router.complete("hi", model="m")
    seen = span.get_span_context()
    assert traced(server) == {
        "traceparent": f"00-{seen.trace_id:032x}-{seen.span_id:016x}-{int(seen.trace_flags):02x}"
    }
