"""`POST /v1/messages` and the stock `anthropic` client, in front of scripted OpenAI providers and a loopback Claude."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
import pytest

from pointsman import Router
from pointsman.gateway.app import create_app
from pointsman.keys import KeyFolder
from pointsman.providers.scripted import Answer, BrokenStream, Failure
from pointsman.types import Usage
from tests.protocols.anthropic_shapes import EVENTS, MESSAGE, REQUESTS, accumulated, sse
from tests.providers.servers import STREAM_HEAD, Server, answer, chunked

from .conftest import HEADERS, scripted_gateway, serving

anthropic = pytest.importorskip("anthropic", reason="pip install -r requirements-dev.txt")
USER = [{"role": "user", "content": "Write a short poem about the sea."}]
USAGE = Usage(n_input_tokens=30, n_cached_input_tokens=10, n_cache_write_tokens=5, n_output_tokens=7)


def post(url: str, path: str = "/v1/messages", headers: Any = None, **changes: Any) -> httpx.Response:
    body = {"model": "auto:cheap", "max_tokens": 50, "messages": USER} | changes
    return httpx.post(url + path, json=body, headers=headers or {}, timeout=10)


def events_of(reply: httpx.Response) -> list[dict[str, Any]]:
    events = []
    for block in reply.text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        events.append(orjson.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


@contextmanager
def claude_gateway() -> Iterator[tuple[str, Server]]:
    """A gateway in front of a server that answers as Anthropic documents it."""

    def handler(request: Any) -> bytes:
        is_stream = orjson.loads(request.body).get("stream")
        return STREAM_HEAD + chunked(*sse(EVENTS)) if is_stream else answer(orjson.dumps(MESSAGE))

    upstream = Server(handler)
    model = {"quality": 0.9, "context_window": 100_000, "max_output_tokens": 5000}
    capabilities = ["tools", "vision", "json_schema", "reasoning", "pdf"]
    config = {
        "providers": {"anthropic": {"kind": "anthropic", "base_url": f"{upstream.url}/v1", "api_key": "k"}},
        "models": {"claude-sonnet-5-5": {**model, "capabilities": capabilities}},
        "deployments": [
            {
                "model": "claude-sonnet-5-5",
                "provider": "anthropic",
                "price_usd_per_mtok": {"input": 3, "output": 15},
            }
        ],
    }
    with serving(create_app(router=Router.from_config(config))) as url:
        yield url, upstream
    upstream.close()


# ---- over plain HTTP


def test_an_answer_is_a_message_with_every_header():
    with scripted_gateway({"alpha": [Answer("waves", usage=USAGE)]}) as gateway:
        reply = post(gateway.url)
    message = reply.json()
    assert message["type"] == "message"
    assert message["model"] == reply.headers["x-pointsman-model"] == "nano"
    assert message["content"] == [{"type": "text", "text": "waves"}]
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    usage = message["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (15, 10, 7)
    assert all(reply.headers[f"x-pointsman-{name}"] for name in HEADERS)


def test_a_stream_has_the_full_sequence_of_events():
    with scripted_gateway({"alpha": [Answer("one two three", usage=USAGE)]}) as gateway:
        reply = post(gateway.url, stream=True)
    events = events_of(reply)
    kinds = [event["type"] for event in events if event["type"] != "content_block_delta"]
    assert kinds == [
        *("message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop")
    ]
    message = accumulated(events)
    assert message["content"] == [{"type": "text", "text": "one two three"}]
    assert message["usage"]["input_tokens"] == 15
    assert reply.headers["x-pointsman-deployment"].startswith("nano@alpha")


@pytest.mark.parametrize("is_stream", [False, True])
def test_pointsmans_block_and_headers_are_honoured(is_stream):
    with scripted_gateway({}) as gateway:
        block = {"min_quality": 0.7, "explain": True}
        reply = post(gateway.url, model="auto", pointsman=block, stream=is_stream)
        by_header = post(gateway.url, model="auto", headers={"x-pointsman-min-quality": "0.9"})
    explained = events_of(reply)[-1] if is_stream else reply.json()
    assert explained["pointsman_metadata"]["answered_by"]["model"] == "middle"
    assert by_header.json()["model"] == "frontier"


def test_cache_markers_reach_an_openai_server_that_may_know_them():
    with scripted_gateway({}) as gateway:
        post(gateway.url, **REQUESTS["prompt caching"])
        sent = next(provider.calls[0].body for provider in gateway.providers.values() if provider.calls)
    assert sent["messages"][0]["content"][1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert sent["tools"][1]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("changes", "status", "kind", "code"),
    [
        ({"messages": []}, 400, "invalid_request_error", "caller_invalid_request"),
        ({"container": "c"}, 400, "invalid_request_error", "caller_unsupported_parameter"),
        ({"model": "nowhere"}, 404, "not_found_error", "caller_model_not_found"),
        ({"pointsman": {"max_cost_usd": 0}}, 422, "invalid_request_error", "no_feasible_deployment"),
    ],
)
def test_errors_have_anthropics_shape_and_our_code(gateway, changes, status, kind, code):
    reply = post(gateway.url, **changes)
    assert reply.status_code == status
    body = reply.json()
    assert body["type"] == "error"
    assert (body["error"]["type"], body["error"]["code"]) == (kind, code)
    assert body["error"]["message"]


def test_rate_limits_are_told_with_retry_after():
    limited = Failure(status=429, retry_after_s=7)
    with scripted_gateway({"alpha": [limited], "beta": [limited], "gamma": [limited]}) as gateway:
        reply = post(gateway.url)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert reply.json()["error"]["type"] == "rate_limit_error"


def test_a_stream_that_breaks_ends_with_an_error_event():
    with scripted_gateway({"alpha": [BrokenStream(after_chunks=2)]}) as gateway:
        events = events_of(post(gateway.url, stream=True))
    assert events[0]["type"] == "message_start"
    assert events[-1]["type"] == "error"
    assert events[-1]["error"]["code"] == "provider_stream_broken"
    assert not [event for event in events if event["type"] == "message_stop"]


def test_tokens_are_counted_without_a_call():
    with scripted_gateway({}) as gateway:
        few = post(gateway.url, "/v1/messages/count_tokens").json()["input_tokens"]
        longer = [{"role": "user", "content": "word " * 1000}]
        many = post(gateway.url, "/v1/messages/count_tokens", messages=longer).json()["input_tokens"]
        assert gateway.calls() == 0
    assert 5 < few < 30
    assert 900 < many < 1500


def as_sent(message):
    """The message under the id that Claude gave it; ours names the decision."""
    assert message["id"].startswith("msg_dec_")
    return {**message, "id": MESSAGE["id"]}


@pytest.mark.parametrize(
    "name", ["tool loop", "prompt caching", "images and a document", "structured output"]
)
def test_a_request_reaches_claude_as_it_was_sent(name):
    with claude_gateway() as (url, upstream):
        reply = post(url, **{"model": "auto", **REQUESTS[name]})
        assert reply.status_code == 200, reply.text
        assert orjson.loads(upstream.requests[0].body) == {**REQUESTS[name], "model": "claude-sonnet-5-5"}
        assert as_sent(reply.json()) == MESSAGE
        streamed = post(url, **{"model": "auto", "stream": True, **REQUESTS[name]})
    assert as_sent(accumulated(events_of(streamed))) == MESSAGE


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_a_key_comes_as_anthropics_clients_send_it(tmp_path, header):
    folder = KeyFolder(tmp_path / "keys")
    _, secret = folder.create(tenant="a")
    value = secret if header == "x-api-key" else f"Bearer {secret}"
    with scripted_gateway({}, keys={"path": str(folder.path)}) as gateway:
        refused = post(gateway.url)
        served = post(gateway.url, headers={header: value})
    assert (refused.status_code, served.status_code) == (401, 200)
    assert refused.json()["type"] == "error"
    assert refused.json()["error"]["type"] == "authentication_error"


# ---- with the stock client


@pytest.fixture
def claude() -> Iterator[Any]:
    with (
        claude_gateway() as (url, _),
        anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client,
    ):
        yield client


ASK = {"model": "auto", "max_tokens": 100, "messages": USER}


def test_the_client_reads_a_message(claude):
    raw = claude.messages.with_raw_response.create(**ASK)
    message = raw.parse()
    assert as_sent(message.to_dict()) == MESSAGE
    assert raw.headers["x-pointsman-model"] == "claude-sonnet-5-5"


def test_the_client_reads_a_stream(claude):
    with claude.messages.stream(**ASK) as stream:
        assert "".join(stream.text_stream) == "I'll check the current weather."
        message = stream.get_final_message()
    assert message.content[2].input == {"location": "San Francisco, CA"}
    assert message.content[0].signature == "EqQBCgIYAhIM1g=="
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens == 393
    assert message.usage.cache_creation_input_tokens == 188086


def test_the_client_counts_tokens_and_raises_its_errors(claude):
    assert claude.messages.count_tokens(model="auto", messages=USER).input_tokens > 5
    with pytest.raises(anthropic.NotFoundError, match='no model named "x"'):
        claude.messages.create(**{**ASK, "model": "x"})
    with pytest.raises(anthropic.BadRequestError, match=r"tools\[0\]\.type"):
        claude.messages.create(**ASK, tools=[{"type": "web_search_20250305", "name": "web_search"}])


def test_the_client_reads_an_openai_models_tool_calls():
    calls = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}]
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    with (
        scripted_gateway(
            {"alpha": [Answer("", tool_calls=tuple(calls), finish_reason="tool_calls")] * 2}
        ) as gateway,
        anthropic.Anthropic(base_url=gateway.url, api_key="k") as client,
    ):
        ask = {**ASK, "model": "nano", "tools": tools}
        whole = client.messages.create(**ask)
        with client.messages.stream(**ask) as stream:
            streamed = stream.get_final_message()
    for message in (whole, streamed):
        assert message.stop_reason == "tool_use"
        assert [(block.id, block.name, block.input) for block in message.content] == [
            ("call_1", "f", {"x": 1})
        ]
