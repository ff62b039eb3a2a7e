"""The simulated providers over real sockets: every fault as a client sees it, and what the provider saw."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

from pointsman.simulate import FAULTS, Simulation, check_counted, parse_script, serving_in_thread

QUICK = {"ttft_p50_ms": 1, "tokens_per_s": 20_000}
SCRIPT = {
    "providers": {
        "alpha": {"models": ["m"], "latency": QUICK},
        "counted": {
            "models": ["m"],
            "latency": QUICK,
            "answer": {"kind": "counted", "tokens_p50": 30, "tokens_p95": 90},
        },
        "limited": {"models": ["m"], "latency": QUICK, "quota": {"requests_per_minute": 2}},
        "claude": {"kind": "anthropic", "models": ["m"], "latency": QUICK},
    }
}
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def server():
    with serving_in_thread(Simulation(parse_script(SCRIPT))) as served:
        yield served


@pytest.fixture
def alpha(server):
    return server.simulation.providers["alpha"]


@pytest.fixture(scope="module")
def client():
    with httpx.Client(timeout=10) as opened:
        yield opened


def post(client, server, provider="alpha", *, stream=False, path="chat/completions", **body):
    return client.post(f"{server.url(provider)}/{path}", json={**BODY, "stream": stream, **body})


def noted(pieces, got):
    for piece in pieces:
        got.append(piece)
        yield piece


def events(text):
    return [line[6:] for line in text.split("\n") if line.startswith("data: ")]


STATUSES = {kind: rule.status for kind, rule in FAULTS.items() if rule.status >= 400}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", STATUSES)
def test_refusal_has_its_status(server, alpha, client, kind, stream):
    alpha.force([kind])
    answer = post(client, server, stream=stream)
    assert answer.status_code == STATUSES[kind]
    assert answer.headers["x-request-id"] == f"req-alpha-{alpha.n_calls}"
    if kind == "bad_gateway":
        assert answer.text.startswith("<html>")
    else:
        assert answer.json()["error"]["message"].startswith("simulated")
    if kind == "rate_limited":
        assert answer.headers["retry-after"] == "1"
    if kind == "rate_limited_date":
        wait_s = parsedate_to_datetime(answer.headers["retry-after"]).timestamp() - time.time()
        assert 0 < wait_s <= 2.5


@pytest.mark.parametrize("stream", [False, True])
def test_disconnect_closes_before_the_first_byte(server, alpha, client, stream):
    alpha.force(["disconnect"])
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        post(client, server, stream=stream)


@pytest.mark.parametrize("stream", [False, True])
def test_truncate_breaks_in_the_middle(server, alpha, client, stream):
    alpha.force(["truncate"])
    ask = {**BODY, "stream": stream}
    with client.stream("POST", f"{server.url('alpha')}/chat/completions", json=ask) as answer:
        pieces = noted(answer.iter_raw(), got := [])
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
    assert got
    assert b"[DONE]" not in b"".join(got)


@pytest.mark.parametrize("kind", ["hang", "idle"])
def test_silence_lasts_until_the_client_leaves(server, alpha, client, kind):
    alpha.force([kind])
    with pytest.raises(httpx.ReadTimeout):
        client.post(f"{server.url('alpha')}/chat/completions", json={**BODY, "stream": True}, timeout=0.05)
    left = alpha.calls[-1]
    deadline_s = time.monotonic() + 5
    while left.end == "open" and time.monotonic() < deadline_s:
        time.sleep(0.005)
    assert left.end == "cancelled"
    assert left.n_tokens_sent == (3 if kind == "idle" else 0)
    assert alpha.n_open == 0


def test_idle_strikes_a_whole_answer_as_a_hang(server, alpha, client):
    alpha.force(["idle"])
    with pytest.raises(httpx.ReadTimeout):
        client.post(f"{server.url('alpha')}/chat/completions", json=BODY, timeout=0.05)
    assert alpha.calls[-1].course.fault.kind == "hang"


def test_stream_can_lack_its_done_or_its_finish_reason_too(server, alpha, client):
    alpha.force(["ok", "no_done", "no_finish"])
    whole, no_done, no_finish = (events(post(client, server, stream=True).text) for _ in range(3))
    assert whole[-1] == "[DONE]"
    assert no_done[-1] != "[DONE]"
    assert json.loads(no_done[-1])["choices"][0]["finish_reason"] == "stop"
    assert [json.loads(event)["choices"][0]["finish_reason"] for event in no_finish] == [None] * 4


def test_error_comes_in_the_middle_of_a_stream_or_inside_a_200(server, alpha, client):
    alpha.force(["error_event", "error_event", "error_body"])
    last = json.loads(events(post(client, server, stream=True).text)[-1])
    assert "middle of a stream" in last["error"]["message"]
    for _ in range(2):
        answer = post(client, server)
        assert (answer.status_code, list(answer.json())) == (200, ["error"])


@pytest.mark.parametrize("stream", [False, True])
def test_malformed_is_not_json(server, alpha, client, stream):
    alpha.force(["malformed"])
    text = post(client, server, stream=stream).text
    with pytest.raises(json.JSONDecodeError):
        json.loads(events(text)[-1] if stream else text)


def test_usage_can_be_wrong_or_missing(server, alpha, client):
    alpha.force(["ok", "wrong_usage", "no_usage"])
    right, wrong, none = (post(client, server).json().get("usage") for _ in range(3))
    assert right["total_tokens"] == right["prompt_tokens"] + right["completion_tokens"]
    assert wrong["total_tokens"] < wrong["prompt_tokens"]
    assert none is None


def test_empty_is_a_200_without_a_body(server, alpha, client):
    alpha.force(["empty"])
    answer = post(client, server)
    assert (answer.status_code, answer.content) == (200, b"")


def test_slow_first_token_is_slow(server, alpha, client):
    alpha.force(
        [
            parse_script({"providers": {"a": {"faults": [{"kind": "slow_first_token", "delay_s": 0.1}]}}})
            .providers["a"]
            .faults[0]
        ]
    )
    started_s = time.perf_counter()
    assert post(client, server, stream=True).status_code == 200
    assert time.perf_counter() - started_s >= 0.1


def test_every_kind_of_fault_is_tested_here():
    tested = {*STATUSES, "disconnect", "truncate", "hang", "idle", "no_done", "no_finish", "error_event"}
    tested |= {"error_body", "malformed", "wrong_usage", "no_usage", "empty", "slow_first_token"}
    assert tested == set(FAULTS)


@pytest.mark.parametrize("stream", [False, True])
def test_counted_answers_arrive_whole_and_differ(server, client, stream):
    texts = []
    for _ in range(5):
        got = post(client, server, "counted", stream=stream).text
        if stream:
            deltas = [json.loads(event)["choices"][0]["delta"] for event in events(got)[:-1]]
            texts.append("".join(delta.get("content") or "" for delta in deltas))
        else:
            texts.append(json.loads(got)["choices"][0]["message"]["content"])
    for text in texts:
        check_counted(text)
    assert len(set(texts)) == 5


def test_quota_refuses_with_headers(server, client):
    answers = [post(client, server, "limited") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[1].headers["x-ratelimit-remaining-requests"] == "0"
    assert 29 < float(answers[2].headers["retry-after"]) <= 30


def test_anthropic_shape_whole_and_streamed(server, client):
    whole = post(client, server, "claude", path="messages", max_tokens=100).json()
    assert (whole["type"], whole["stop_reason"], whole["usage"]["output_tokens"] > 5) == (
        "message",
        "end_turn",
        True,
    )
    streamed = [
        json.loads(event)
        for event in events(post(client, server, "claude", path="messages", max_tokens=100, stream=True).text)
    ]
    assert [event["type"] for event in streamed if event["type"] != "content_block_delta"] == [
        "message_start", "content_block_start", "ping", "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    text = "".join(event["delta"]["text"] for event in streamed if event["type"] == "content_block_delta")
    assert text == whole["content"][0]["text"]


def test_anthropic_tools_are_called_and_their_results_answered(server, client):
    tools = [
        {
            "name": "get_weather",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        }
    ]
    ask = [{"role": "user", "content": "the weather in Oslo"}]
    called = post(client, server, "claude", path="messages", messages=ask, tools=tools, max_tokens=50).json()
    assert called["stop_reason"] == "tool_use"
    assert called["content"][0]["input"] == {"city": "Oslo"}
    result = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "rain"}]}]
    answered = post(
        client, server, "claude", path="messages", messages=ask + result, tools=tools, max_tokens=500
    ).json()
    assert answered["stop_reason"] == "end_turn"


def test_anthropic_error_has_its_shape(server, client):
    server.simulation.providers["claude"].force(["overloaded"])
    answer = post(client, server, "claude", path="messages", max_tokens=5)
    assert answer.status_code == 529
    assert answer.json() == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "simulated overloaded"},
    }


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model": "m"}', b'{"model": "m", "messages": [1]}', b"{"])
def test_unreadable_request_is_refused_in_words(server, client, body):
    answer = client.post(f"{server.url('alpha')}/chat/completions", content=body)
    assert answer.status_code == 400
    assert "cannot read the request" in answer.json()["error"]["message"]


def test_embeddings_depend_on_the_text(server, client):
    ask = {"model": "e", "input": ["one", "two", "one"]}
    rows = client.post(f"{server.url('alpha')}/embeddings", json=ask).json()["data"]
    assert rows[0]["embedding"] == rows[2]["embedding"] != rows[1]["embedding"]


def test_control_tells_what_was_seen_and_forces_what_comes(server, client):
    at = f"{server.address}/_simulate"
    client.post(f"{at}/reset")
    forced = client.post(
        f"{at}/providers/alpha/next", json={"faults": ["ok", {"kind": "unavailable", "retry_after_s": 7}]}
    )
    assert forced.json() == {"n_faults": 2}
    answers = [post(client, server) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 503]
    assert answers[1].headers["retry-after"] == "7"
    row = client.get(at).json()["providers"]["alpha"]
    assert (row["n_calls"], row["n_complete"], row["n_failed"], row["faults"]) == (
        2,
        1,
        1,
        {"unavailable": 1},
    )
    ask = {"authorization": "Bearer secret", "x-tag": "t"}
    client.post(f"{server.url('alpha')}/chat/completions", json=BODY, headers=ask)
    calls = client.get(f"{at}/calls?provider=alpha&bodies=1").json()["calls"]
    assert [call["end"] for call in calls] == ["complete", "failed", "complete"]
    assert calls[2]["body"] == BODY
    assert calls[2]["headers"]["x-tag"] == "t"
    assert "secret" not in json.dumps(calls)
    assert client.get(f"{at}/connections").json()["n_connections"] >= 1


def test_control_changes_a_provider_while_it_runs(server, client):
    at = f"{server.address}/_simulate/providers/alpha"
    assert client.patch(at, json={"faults": {"unavailable": 1}}).status_code == 200
    assert post(client, server).status_code == 503
    client.patch(at, json={"faults": {}})
    assert post(client, server).status_code == 200
    wrong = client.patch(at, json={"faults": {"unavialable": 1}})
    assert (wrong.status_code, "did you mean 'unavailable'?" in wrong.text) == (400, True)
    assert client.patch(f"{server.address}/_simulate/providers/nobody", json={}).status_code == 404


def test_requests_on_one_connection_are_answered_in_order(server):
    import socket

    port = int(server.address.rpartition(":")[2])
    body = json.dumps(BODY).encode()
    ask = b"POST /alpha/v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(ask + b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        got = b""
        while piece := connection.recv(65536):
            got += piece
    first, second = got.split(b"HTTP/1.1 200 OK")[1:]
    assert b"chat.completion" in first
    assert b'"simulated":true' in second
