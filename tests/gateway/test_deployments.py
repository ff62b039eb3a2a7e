"""`GET /v1/deployments`, and what callers see when deployments are away."""

import httpx
import pytest

from pointsman.providers import Answer, BrokenStream, Failure

from .conftest import scripted_gateway

ALL = ["nano@alpha", "middle@beta", "frontier@gamma", "nano@alpha:flex"]


def states(gateway):
    answer = httpx.get(f"{gateway.url}/v1/deployments").raise_for_status().json()
    assert answer["object"] == "list"
    return {one["deployment"]: one for one in answer["data"]}


def post(gateway, path="chat/completions", **changes):
    body = {"model": "nano", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9, **changes}
    return httpx.post(f"{gateway.url}/v1/{path}", json=body, timeout=30)


def test_states_are_shown_live():
    headers = {"x-ratelimit-limit-requests": "50", "x-ratelimit-remaining-requests": "20"}
    with scripted_gateway({"alpha": [Failure(500)] * 5 + [Answer("ok", headers=headers)]}) as gateway:
        assert list(states(gateway)) == ALL
        assert {state["state"] for state in states(gateway).values()} == {"well"}
        post(gateway, model="nano")
        post(gateway, model="nano")
        seen = states(gateway)["nano@alpha"]
    assert (seen["state"], seen["breaker"], seen["refused_by"]) == ("open", "open", "breaker")
    assert 25 < seen["available_in_s"] <= 37.5
    assert (seen["n_pending"], seen["n_consecutive_failures"]) == (0, 5)
    assert 0.5 < seen["failure_rate"] < 1
    assert seen["concurrency_limit"] == 200


def test_limits_that_headers_tell_are_shown():
    headers = {"x-ratelimit-limit-requests": "50", "x-ratelimit-remaining-requests": "20"}
    with scripted_gateway({"alpha": [Answer("ok", headers=headers)]}) as gateway:
        post(gateway)
        seen = states(gateway)["nano@alpha"]
    assert seen["requests"]["limit"] == 50
    assert 20 <= seen["requests"]["remaining"] < 25
    assert seen["usual_ttft_ms"] > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["chat/completions", "messages"])
def test_when_all_are_away_each_is_named_with_its_end(path, stream):
    """One path for chat and messages, streaming and not."""
    down = {"alpha": [Failure(500)]}
    with scripted_gateway(down, retries={"patience_s": 1}) as gateway:
        for _ in range(3):
            post(gateway, path, stream=stream)
        n_calls = gateway.calls()
        answer = post(gateway, path, stream=stream)
    assert n_calls == 5
    assert gateway.calls() == n_calls
    assert answer.status_code == 503
    assert "nano@alpha is open for" in answer.text
    assert 20 < int(answer.headers["retry-after"]) <= 38


@pytest.mark.parametrize("path", ["chat/completions", "messages"])
def test_complaint_2_a_stream_falls_back_before_its_first_token_alike_everywhere(path):
    """`complaints.md` 2: once a stream opens there is no fallback; behaviour differs by endpoint."""
    for failure in (BrokenStream(after_chunks=0), Failure(429, retry_after_s=60), Failure(503)):
        scripts = {"alpha": [failure], "beta": [Answer("answered", n_chunks=1)]}
        with scripted_gateway(scripts) as gateway:
            answer = post(gateway, path, model="auto:cheap", stream=True)
        assert answer.status_code == 200
        assert "answered" in answer.text
        assert answer.headers["x-pointsman-attempts"] == "2"


def test_pages_of_other_sites_are_refused(gateway):
    answer = httpx.get(f"{gateway.url}/v1/deployments", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
