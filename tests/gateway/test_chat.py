"""Chat over the real gateway: who answers, what the caller is told, what goes upstream."""

import httpx
import pytest

from pointsman.providers.scripted import Answer, Failure, Hang
from pointsman.types import Usage

from .conftest import HEADERS, PROVIDERS, scripted_gateway, was_cancelled

MESSAGES = [{"role": "user", "content": "Write a short poem about the sea."}]


def post(gateway, path="/v1/chat/completions", headers=None, **changes):
    body = {"model": "auto", "messages": MESSAGES} | changes
    return httpx.post(gateway.url + path, json=body, headers=headers or {}, timeout=10)


def test_answer_carries_every_header_and_the_model_that_answered(gateway):
    answer = post(gateway)
    assert answer.status_code == 200
    for name in HEADERS:
        assert answer.headers[f"x-pointsman-{name}"]
    assert answer.json()["model"] == answer.headers["x-pointsman-model"]
    assert float(answer.headers["x-pointsman-overhead-us"]) > 0
    assert float(answer.headers["x-pointsman-cost-usd"]) <= float(
        answer.headers["x-pointsman-baseline-cost-usd"]
    )


@pytest.mark.parametrize(
    ("model", "answered"), [("auto:cheap", "nano"), ("auto:best", "frontier"), ("middle", "middle")]
)
def test_policy_or_pin_decides(gateway, model, answered):
    assert post(gateway, model=model).json()["model"] == answered


def test_floor_takes_the_cheapest_that_meets_it(gateway):
    assert post(gateway, pointsman={"min_quality": 0.7}).json()["model"] == "middle"
    assert post(gateway, headers={"x-pointsman-min-quality": "0.9"}).json()["model"] == "frontier"
    assert post(gateway, pointsman={"quality_like": "middle"}).json()["model"] == "middle"


def test_explain_adds_the_decision_and_what_came_of_it(gateway):
    metadata = post(gateway, pointsman={"explain": True}).json()["pointsman_metadata"]
    assert {each["deployment"] for each in metadata["candidates"]} == set(gateway.deployments)
    assert metadata["attempts"][0]["deployment"] == metadata["deployment"]
    assert set(metadata["task_profile"]) >= {"complexity", "domain", "structure", "latency", "n_input_tokens"}
    assert metadata["cost_usd"] > 0
    assert 0 < metadata["propensity"] <= 1
    assert "pointsman_metadata" not in post(gateway).json()


def test_route_decides_without_a_call(gateway):
    n_before = gateway.calls()
    answer = post(gateway, "/v1/route")
    decision = answer.json()
    assert answer.headers["x-pointsman-deployment"] == decision["deployment"]
    assert decision["plan"]["steps"] == [{"deployment": decision["deployment"], "accept_threshold": None}]
    assert decision["overhead_us"] > 0
    assert gateway.calls() == n_before


def test_unknown_fields_and_parts_go_upstream_untouched():
    parts = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "some_new_part", "x": [1, None, 2.5]},
    ]
    extra = {
        "messages": [{"role": "user", "content": parts, "name": "ann"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "auto", "logprobs": True, "top_logprobs": 2, "some_new_field": {"deep": [1, {"er": "✓"}]},
        "response_format": {"type": "json_object"}, "temperature": 0.25, "user": "u", "metadata": {"k": "v"},
    }  # fmt: skip
    with scripted_gateway({}) as gateway:
        assert post(gateway, model="frontier", pointsman={"tags": ["x"]}, **extra).status_code == 200
        sent = gateway.providers["gamma"].calls[0]
    assert sent.upstream_model == "up-frontier"
    assert {name: sent.body[name] for name in extra} == extra
    assert not {"pointsman", "models", "provider"} & set(sent.body)


def test_failing_deployment_is_replaced_by_the_next_feasible_one():
    with scripted_gateway({"alpha": [Failure(status=503)] * 9}) as gateway:
        answer = post(gateway, model="auto:cheap", pointsman={"explain": True})
    assert answer.status_code == 200
    assert answer.json()["model"] != "nano"
    assert answer.headers["x-pointsman-attempts"] == "2"
    assert answer.headers["x-pointsman-reason"].startswith("fallback from nano@alpha (provider_unavailable)")
    metadata = answer.json()["pointsman_metadata"]
    assert metadata["answered_by"]["deployment"] == answer.headers["x-pointsman-deployment"] != "nano@alpha"
    attempts = metadata["attempts"]
    assert [each["error_code"] for each in attempts] == ["provider_unavailable", None]


def test_fallback_is_refused_when_the_caller_forbids_it():
    with scripted_gateway({"alpha": [Failure(status=503)] * 9}) as gateway:
        answer = post(gateway, model="auto:cheap", provider={"allow_fallbacks": False})
        assert gateway.calls() == 1
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "provider_unavailable")


def test_callers_fault_is_not_retried_and_keeps_the_upstreams_words():
    refusal = {"message": "max_tokens is too large: 9", "param": "max_tokens"}
    with scripted_gateway({"alpha": [Failure(status=400, error=refusal)]}) as gateway:
        answer = post(gateway, model="auto:cheap")
        assert gateway.calls() == 1
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "provider_rejected")
    assert (error["message"], error["param"]) == ("max_tokens is too large: 9", "max_tokens")


def test_upstream_auth_failure_is_not_the_callers():
    scripts = {name: [Failure(status=401)] for name in PROVIDERS}
    with scripted_gateway(scripts) as gateway:
        answer = post(gateway, model="nano")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_auth")


def test_all_limited_is_429_with_the_smallest_wait():
    waits = dict(zip(PROVIDERS, (30.0, 7.2, 12.0), strict=True))
    scripts = {name: [Failure(status=429, retry_after_s=wait)] for name, wait in waits.items()}
    with scripted_gateway(scripts) as gateway:
        answer = post(gateway)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "provider_rate_limited")
    assert answer.headers["retry-after"] == "8"
    assert answer.headers["x-pointsman-attempts"] == "3"


def test_client_that_goes_away_cancels_the_upstream_call():
    with scripted_gateway({"alpha": [Hang()]}) as gateway:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                gateway.url + "/v1/chat/completions",
                json={"model": "nano", "messages": MESSAGES},
                timeout=httpx.Timeout(5, read=0.2),
            )
        assert was_cancelled(gateway.providers["alpha"], within_s=0.1)


def test_a_failure_says_what_it_cost_and_whose_time_it_took():
    with scripted_gateway({"alpha": [Failure(status=400, latency_s=0.2)]}) as gateway:
        answer = post(gateway, model="nano")
    assert answer.headers["x-pointsman-cost-usd"] == "0.000000000"
    assert float(answer.headers["x-pointsman-overhead-us"]) < 200_000
    assert answer.headers["x-pointsman-attempts"] == "1"


def test_the_deployments_tier_is_asked_for_upstream_not_the_callers():
    with scripted_gateway({}) as gateway:
        post(gateway, model="nano", service_tier="priority")
        assert gateway.providers["alpha"].calls[-1].service_tier is None
        answer = post(gateway, model="nano", pointsman={"deadline": "24h"})
        assert answer.headers["x-pointsman-deployment"] == "nano@alpha:flex"
        assert gateway.providers["alpha"].calls[-1].service_tier == "flex"


def test_settled_cost_counts_cached_tokens_at_their_price(gateway):
    del gateway  # a script of its own
    script = {
        "alpha": [
            Answer("hi", usage=Usage(n_input_tokens=1000, n_cached_input_tokens=400, n_output_tokens=10))
        ]
    }
    with scripted_gateway(script) as gateway:
        answer = post(gateway, model="nano")
    # No cached price is configured, so cached tokens cost what input costs: 1010 tokens at $0.04 per 1M.
    assert answer.headers["x-pointsman-cost-usd"] == "0.000040400"
    assert answer.headers["x-pointsman-baseline-cost-usd"] == "0.006262000"


def test_models_lists_what_may_be_asked_for(gateway):
    listed = [each["id"] for each in httpx.get(gateway.url + "/v1/models").json()["data"]]
    assert listed[:3] == ["auto", "auto:cheap", "auto:best"]
    assert set(listed[3:]) == {"nano", "middle", "frontier"}
    assert httpx.get(gateway.url + "/v1/models/nano").json()["owned_by"] == "alpha"


def test_health_tells_the_config_it_runs_on(gateway):
    assert httpx.get(gateway.url + "/health/live").json() == {"status": "live"}
    ready = httpx.get(gateway.url + "/health/ready").json()
    assert ready["config_version"] == gateway.router.registry.catalog.version
    assert ready["config"] == {
        "state": "current", "problems": [], "is_polled": False, "rejected_at": None
    }  # fmt: skip
