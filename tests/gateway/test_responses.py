"""`POST /v1/responses`, over plain HTTP and with the stock `openai` client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import orjson
import pytest
from pydantic import BaseModel

from pointsman.providers.scripted import Answer, BrokenStream
from pointsman.types import Usage

from .conftest import HEADERS, scripted_gateway
from .test_messages import claude_gateway

USAGE = Usage(n_input_tokens=30, n_cached_input_tokens=10, n_output_tokens=7)
CALLS = ({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},)
TOOLS: Any = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}]


def post(url: str, **changes: Any) -> httpx.Response:
    body = {"model": "auto:cheap", "input": "Write a short poem about the sea."} | changes
    return httpx.post(url + "/v1/responses", json=body, timeout=10)


def events_of(reply: httpx.Response) -> list[dict[str, Any]]:
    blocks = reply.text.split("\n\n")[:-1]
    return [orjson.loads(block.split("\n")[1].removeprefix("data: ")) for block in blocks]


def test_an_answer_is_a_response_with_every_header():
    with scripted_gateway({"alpha": [Answer("waves", usage=USAGE)]}) as gateway:
        reply = post(gateway.url, store=True, instructions="Rhyme.")
        sent = gateway.providers["alpha"].calls[0].body
    body = reply.json()
    assert body["object"] == "response"
    assert body["model"] == reply.headers["x-pointsman-model"] == "nano"
    assert body["output"][0]["content"][0]["text"] == "waves"
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (30, 7)
    assert [message["role"] for message in sent["messages"]] == ["developer", "user"]
    assert all(reply.headers[f"x-pointsman-{name}"] for name in HEADERS)


@pytest.mark.parametrize("is_stream", [False, True])
def test_pointsmans_block_is_honoured(is_stream):
    with scripted_gateway({}) as gateway:
        block = {"min_quality": 0.7, "explain": True}
        reply = post(gateway.url, model="auto", pointsman=block, stream=is_stream)
    explained = events_of(reply)[-1] if is_stream else reply.json()
    assert explained["pointsman_metadata"]["answered_by"]["model"] == "middle"


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"previous_response_id": "resp_1"}, 400, "previous_response_id"),
        ({"tools": [{"type": "web_search"}]}, 400, "tools[0].type"),
        ({"model": "nowhere"}, 404, "model"),
        ({"input": []}, 400, "messages"),
    ],
)
def test_errors_are_openais(gateway, changes, status, param):
    reply = post(gateway.url, **changes)
    assert reply.status_code == status
    assert reply.json()["error"]["param"] == param


def test_a_stream_that_breaks_fails():
    with scripted_gateway({"alpha": [BrokenStream(after_chunks=2)]}) as gateway:
        events = events_of(post(gateway.url, stream=True))
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert events[-2]["code"] == "provider_stream_broken"


# ---- with the stock client


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    scripts = {"alpha": [Answer("waves roll", usage=USAGE)]}
    with (
        scripted_gateway(scripts) as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="k", max_retries=0) as made,
    ):
        yield made


def test_the_client_reads_a_response(client):
    raw = client.responses.with_raw_response.create(model="nano", input="hi", store=True)
    response = raw.parse()
    assert response.output_text == "waves roll"
    assert response.status == "completed"
    assert raw.headers["x-pointsman-model"] == "nano"


def test_the_client_reads_a_stream(client):
    with client.responses.stream(model="nano", input="hi") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert final.output_text == "waves roll"
    assert final.usage.total_tokens == 37


def test_the_client_is_told_what_needs_a_store(client):
    with pytest.raises(openai.BadRequestError, match="conversation in `input`"):
        client.responses.create(model="nano", input="hi", previous_response_id="resp_1")


def test_the_client_runs_a_tool_loop():
    script = [Answer("", tool_calls=CALLS, finish_reason="tool_calls"), Answer("done")]
    with (
        scripted_gateway({"alpha": script}) as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="k") as client,
    ):
        first = client.responses.create(model="nano", input="go", tools=TOOLS)
        [call] = first.output
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "7"}
        items = [{"role": "user", "content": "go"}, *first.output, result]
        second = client.responses.create(model="nano", input=items, tools=TOOLS)
        sent = gateway.providers["alpha"].calls[1].body["messages"]
    assert (call.name, call.arguments) == ("f", '{"x": 1}')
    assert second.output_text == "done"
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"] == [dict(CALLS[0])]


def test_the_client_parses_structured_output():
    class Poem(BaseModel):
        title: str

    with (
        scripted_gateway({"alpha": [Answer('{"title": "Sea"}')]}) as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="k") as client,
    ):
        response = client.responses.parse(model="nano", input="hi", text_format=Poem)
        sent = gateway.providers["alpha"].calls[0].body["response_format"]
    assert response.output_parsed == Poem(title="Sea")
    assert sent["json_schema"]["name"] == "Poem"
    assert sent["json_schema"]["schema"]["required"] == ["title"]


def test_claudes_thoughts_return_to_claude_with_their_signature():
    with claude_gateway() as (url, upstream), openai.OpenAI(base_url=f"{url}/v1", api_key="k") as client:
        first = client.responses.create(model="auto", input="Weather?", tools=TOOLS)
        call = first.output[-1]
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "15 degrees"}
        items = [{"role": "user", "content": "Weather?"}, *first.output, result]
        client.responses.create(model="auto", input=items, tools=TOOLS)
        turns = orjson.loads(upstream.requests[1].body)["messages"]
    assert [block["type"] for block in turns[1]["content"]] == ["thinking", "text", "tool_use"]
    assert turns[1]["content"][0]["signature"] == "EqQBCgIYAhIM1g=="
    assert turns[2]["content"][0]["type"] == "tool_result"
