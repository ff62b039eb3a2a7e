"""What the demo's client reads from a gateway's answers, from a double that speaks the HTTP contract."""

from __future__ import annotations

import json
import socket
import threading

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from pointsman.cli.demo.client import connect, send
from pointsman.cli.demo.processes import free_port
from pointsman.cli.demo.scenario import DemoRequest

HEADERS = {
    "x-pointsman-model": "general-mid-32b",
    "x-pointsman-deployment": "simulated-c/general-mid-32b",
    "x-pointsman-reason": "cheapest of 2",
    "x-pointsman-cost-usd": "0.5",  # a prediction; the metadata holds what it was
    "x-pointsman-baseline-cost-usd": "0.6",
    "x-pointsman-overhead-us": "87.5",
}
AXES = {"complexity": "lookup", "domain": "legal", "structure": "json", "latency": "interactive"}
METADATA = {
    "task_profile": {axis: {"label": label, "p": 1.0} for axis, label in AXES.items()},
    "cost_usd": 0.25,
    "baseline_cost_usd": 1.5,
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "book", "arguments": '{"n": 1}'}}


async def chat(request):
    body = await request.json()
    assert body["pointsman"].pop("explain") is True
    if body["pointsman"]:
        error = {"message": "no feasible deployment", "type": "x", "code": "no_feasible_deployment"}
        return JSONResponse({"error": error}, status_code=422, headers={"x-pointsman-overhead-us": "9"})
    envelope = {"id": "1", "created": 0, "model": "general-mid-32b"}
    if body.get("stream"):
        deltas = [{"role": "assistant", "content": ""}, {"content": "Hello"}, {"content": " there"}]
        chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        chunks.append({"choices": [], "pointsman_metadata": METADATA})
        events = [json.dumps(envelope | {"object": "chat.completion.chunk"} | chunk) for chunk in chunks]
        lines = (f"data: {event}\n\n" for event in [*events, "[DONE]"])
        return StreamingResponse(lines, media_type="text/event-stream", headers=HEADERS)
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    if not body.get("tools"):
        message = {"role": "assistant", "content": "Hello there"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    answer = envelope | {"object": "chat.completion", "choices": choices, "pointsman_metadata": METADATA}
    return JSONResponse(answer, headers=HEADERS)


@pytest.fixture(scope="module")
def base_url():
    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    server.should_exit = True
    thread.join()


def asked(block=None, *, is_feasible=True, **more):
    arguments = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5, **more}
    return DemoRequest("hello", arguments, block or {}, is_feasible)


def answered(base_url, request):
    with connect(base_url) as client:
        return send(client, request)


@pytest.mark.parametrize("stream", [False, True])
def test_answer_is_read_with_its_decision(base_url, stream):
    row = answered(base_url, asked(stream=stream))
    assert (row.text, row.error) == ("Hello there", "")
    assert (row.model, row.deployment) == ("general-mid-32b", "simulated-c/general-mid-32b")
    assert row.reason == "cheapest of 2"
    assert row.profile == "lookup\nlegal, json\ninteractive"
    assert (row.cost_usd, row.baseline_cost_usd, row.overhead_us) == (0.25, 1.5, 87.5)
    assert (row.ttft_ms is not None) == stream
    assert row.latency_ms >= (row.ttft_ms or 0) > (-1 if not stream else 0)


def test_tool_call_is_shown_as_text(base_url):
    tool = {"type": "function", "function": {"name": "book", "parameters": {}}}
    assert answered(base_url, asked(tools=[tool])).text == 'book({"n": 1})'


def test_expected_refusal_is_no_error(base_url):
    row = answered(base_url, asked({"min_quality": 1.0}, is_feasible=False))
    assert (row.model, row.error, row.reason) == ("", "", "no feasible deployment")
    assert row.overhead_us == 9


def test_unexpected_refusal_is_an_error(base_url):
    assert answered(base_url, asked({"min_quality": 1.0})).error == "422 no feasible deployment"


def test_answer_to_the_impossible_is_an_error(base_url):
    assert "impossible" in answered(base_url, asked(is_feasible=False)).error


def test_unreachable_gateway_is_an_error():
    assert answered(f"http://127.0.0.1:{free_port()}/v1", asked()).error
