"""Streams: the commit rule, what a broken upstream looks like, and what the caller did not ask for."""

import socket
import time

import httpx
import orjson
import pytest

from pointsman.providers.scripted import Answer, BrokenStream, Failure, Hang

from .conftest import scripted_gateway, was_cancelled

MESSAGES = [{"role": "user", "content": "Write a short poem about the sea."}]
TEXT = "one two three four"


def request_stream(gateway, **changes):
    body = {"model": "auto:cheap", "messages": MESSAGES, "stream": True} | changes
    with httpx.stream("POST", gateway.url + "/v1/chat/completions", json=body, timeout=10) as answer:
        answer.read()
    return answer


def events(answer):
    lines = [line for line in answer.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    return [line.removeprefix("data: ") for line in lines]


def chunks(answer):
    return [orjson.loads(event) for event in events(answer) if event != "[DONE]"]


def text_of(answer):
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks(answer)
        for choice in chunk.get("choices", [])
    )


def test_stream_carries_text_model_and_done():
    with scripted_gateway({"alpha": [Answer(TEXT)]}) as gateway:
        answer = request_stream(gateway)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-pointsman-model"] == "nano"
    assert text_of(answer) == TEXT
    assert events(answer)[-1] == "[DONE]"
    assert {chunk["model"] for chunk in chunks(answer)} == {"nano"}


def test_usage_is_asked_upstream_always_and_passed_on_only_when_asked_for():
    with scripted_gateway({"alpha": [Answer(TEXT)] * 2}) as gateway:
        silent = request_stream(gateway)
        asked = request_stream(gateway, stream_options={"include_usage": True})
    assert all(not chunk.get("usage") for chunk in chunks(silent))
    assert chunks(asked)[-1]["usage"]["completion_tokens"] > 0
    assert all(chunk["choices"] for chunk in chunks(silent))


def test_explain_comes_on_the_last_chunk_before_done():
    with scripted_gateway({"alpha": [Answer(TEXT)]}) as gateway:
        answer = request_stream(gateway, pointsman={"explain": True})
    last = chunks(answer)[-1]
    assert events(answer)[-1] == "[DONE]"
    assert last["choices"] == []
    assert last["object"] == "chat.completion.chunk"
    assert last["pointsman_metadata"]["deployment"] == "nano@alpha"
    assert last["pointsman_metadata"]["cost_usd"] > 0


@pytest.mark.parametrize(
    "failure", [Failure(status=500), BrokenStream(after_chunks=0)], ids=["500", "broken at once"]
)
def test_failure_before_the_first_token_is_replaced(failure):
    with scripted_gateway({"alpha": [failure]}) as gateway:
        answer = request_stream(gateway)
    assert answer.status_code == 200
    assert answer.headers["x-pointsman-deployment"] != "nano@alpha"
    assert answer.headers["x-pointsman-attempts"] == "2"
    assert events(answer)[-1] == "[DONE]"


def test_break_after_the_commit_ends_in_an_error_event_and_no_second_model():
    with scripted_gateway({"alpha": [BrokenStream(after_chunks=2)]}) as gateway:
        answer = request_stream(gateway)
        assert gateway.calls() == 1
    assert answer.status_code == 200
    assert "[DONE]" not in events(answer)
    assert chunks(answer)[-1]["error"]["code"] == "provider_stream_broken"
    assert chunks(answer)[-1]["error"]["decision_id"] == answer.headers["x-pointsman-decision-id"]


def test_failure_of_all_is_an_ordinary_error_answer():
    with scripted_gateway({name: [Failure(status=500)] for name in ("alpha", "beta", "gamma")}) as gateway:
        answer = request_stream(gateway)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "provider_exhausted"
    assert "3 feasible deployments failed in 3 calls" in answer.json()["error"]["message"]


def test_client_that_leaves_a_stream_cancels_the_upstream_within_100_ms():
    body = {"model": "nano", "messages": MESSAGES, "stream": True}
    with scripted_gateway({"alpha": [Hang(after_chunks=2)]}) as gateway:
        with httpx.stream("POST", gateway.url + "/v1/chat/completions", json=body, timeout=5) as answer:
            next(answer.iter_bytes())
        assert was_cancelled(gateway.providers["alpha"], within_s=0.1)


def test_client_that_leaves_before_the_first_token_cancels_too():
    body = {"model": "nano", "messages": MESSAGES, "stream": True}
    with scripted_gateway({"alpha": [Hang()]}) as gateway:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(gateway.url + "/v1/chat/completions", json=body, timeout=httpx.Timeout(5, read=0.2))
        assert was_cancelled(gateway.providers["alpha"], within_s=0.1)


def test_small_chunks_are_not_held_back_by_nagle():
    """A stream's writes must not wait for the client's delayed ACK (40 ms each)."""
    script = [Answer(" ".join(["word"] * 40))] * 5
    payload = orjson.dumps({"model": "nano", "messages": MESSAGES, "stream": True})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(payload)}\r\n\r\n".encode()
    with scripted_gateway({"alpha": script}) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        fastest_s = 9.0
        with socket.create_connection((host, int(port))) as client:
            for _ in range(5):
                started_s = time.perf_counter()
                client.sendall(head + payload)
                received = b""
                while b"data: [DONE]\n\n\r\n0\r\n\r\n" not in received:
                    received += client.recv(65536)
                fastest_s = min(fastest_s, time.perf_counter() - started_s)
    assert fastest_s < 0.035


def test_accepted_sockets_have_tcp_nodelay(monkeypatch):
    from pointsman.gateway import server

    seen = []
    original = server.HttpToolsProtocol.connection_made

    def connection_made(self, transport):
        accepted = transport.get_extra_info("socket")
        seen.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        original(self, transport)

    monkeypatch.setattr(server.HttpToolsProtocol, "connection_made", connection_made)
    with scripted_gateway({}) as gateway:
        httpx.get(gateway.url + "/health/live")
    assert seen
    assert all(seen)
