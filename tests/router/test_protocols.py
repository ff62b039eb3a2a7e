"""Requests that one deployment's protocol cannot say go to the next; if none can, the caller is told why."""

import orjson
import pytest

from pointsman import RequestError, Router
from pointsman.providers.scripted import Answer, ScriptedProvider
from pointsman.types import Usage
from tests.protocols.anthropic_shapes import EVENTS, MESSAGE, sse
from tests.providers.servers import STREAM_HEAD, Server, answer, chunked

pytestmark = pytest.mark.anyio
PRICE = {"input": 3, "cached_input": 0.3, "cache_write": 3.75, "output": 15}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def claude():
    def handler(request):
        is_stream = orjson.loads(request.body).get("stream")
        return STREAM_HEAD + chunked(*sse(EVENTS)) if is_stream else answer(orjson.dumps(MESSAGE))

    server = Server(handler)
    yield server
    server.close()


def config(url: str) -> dict:
    model = {"quality": 0.9, "context_window": 100_000, "max_output_tokens": 5000}
    return {
        "providers": {
            "anthropic": {"kind": "anthropic", "base_url": url, "api_key": "k"},
            "other": {"base_url": "http://127.0.0.1:1"},
        },
        "models": {"claude": model, "gpt": {**model, "quality": 0.5}},
        "deployments": [
            {"model": "claude", "provider": "anthropic", "price_usd_per_mtok": PRICE},
            {"model": "gpt", "provider": "other", "price_usd_per_mtok": PRICE},
        ],
    }


async def test_an_anthropic_deployment_answers_with_usage_and_cost(claude):
    async with Router.from_config(config(claude.url)) as router:
        whole = await router.complete("Weather?", model="claude")
        streamed = router.stream("Weather?", model="claude")
        chunks = [chunk async for chunk in streamed]
    assert whole.text == "I'll check the current weather."
    assert whole.body["model"] == "claude"
    assert whole.usage.n_cached_input_tokens == 1000
    dollars = (21 * 3 + 1000 * 0.3 + 188086 * 3.75 + 393 * 15) / 1e6
    assert whole.cost_usd == pytest.approx(dollars)
    assert streamed.cost_usd == pytest.approx(dollars)
    assert {chunk["model"] for chunk in chunks} == {"claude"}
    assert [orjson.loads(request.body)["max_tokens"] for request in claude.requests] == [5000, 5000]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_a_protocol_cannot_say_goes_to_another(claude, is_stream):
    other = ScriptedProvider("other", [Answer("ok", usage=Usage(n_input_tokens=1))])
    async with Router.from_config(config(claude.url), providers={"other": other}) as router:
        if is_stream:
            stream = router.stream("hi", seed=7)
            assert [chunk async for chunk in stream]
            target, attempts = stream.target, stream.attempts.made
        else:
            target = await router.complete("hi", seed=7)
            attempts = target.attempts
    assert target.deployment == "other/gpt"
    assert [attempt.deployment for attempt in attempts] == ["other/gpt"], "nobody was called in vain"
    assert not claude.requests


@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_nobody_can_say_is_refused_by_name(claude, is_stream):
    async with Router.from_config(config(claude.url)) as router:
        stream = router.stream("hi", model="claude", n=2)
        waiting = anext(stream) if is_stream else router.complete("hi", model="claude", n=2)
        with pytest.raises(RequestError) as caught:
            await waiting
    assert (caught.value.param, caught.value.status) == ("n", 400)
    assert not claude.requests
