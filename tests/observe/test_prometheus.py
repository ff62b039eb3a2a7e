"""Metrics: what is counted, exactly, with labels that cannot grow without end."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pointsman.observe import tallies
from pointsman.observe.prometheus import PrometheusObserver
from pointsman.providers import Answer, Failure

from .requests import SECRET_ANSWER, SECRET_PROMPT, USAGE, ask, routed


def samples(observer):
    text = observer.render("")[0].decode()
    assert SECRET_PROMPT not in text
    assert SECRET_ANSWER not in text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def observer():
    return PrometheusObserver(lambda: {"deployments": 4, "deployment_state": {("a", "well"): 1}})


BEST = ("frontier", "frontier@gamma", "gamma")


async def test_requests_tokens_and_costs_are_counted_by_who_answered(observer):
    router = routed(observer)
    for stream in (False, False, True):
        await ask(router, stream=stream)
    seen = samples(observer)
    assert seen["pointsman_requests_total", *sorted((*BEST, "direct", "ok"))] == 3
    assert seen["pointsman_attempts_total", *sorted(("frontier@gamma", "ok"))] == 3
    for kind, n in (("input", 300), ("output", 60), ("cached_input", 120), ("reasoning", 15)):
        assert seen["pointsman_tokens_total", *sorted((*BEST, kind))] == n
    price = 6.2e-6 * (USAGE.n_input_tokens + USAGE.n_output_tokens)
    assert seen["pointsman_cost_usd_total", *BEST] == pytest.approx(3 * price)
    assert seen["pointsman_baseline_cost_usd_total",] == pytest.approx(3 * price)
    assert seen["pointsman_request_duration_seconds_count", *BEST] == 3
    assert seen["pointsman_time_to_first_token_seconds_count", *BEST] == 1
    assert seen["pointsman_overhead_seconds_count",] == 3
    assert seen["pointsman_cache_requests_total", "off"] == 3
    assert seen["pointsman_deployments",] == 4
    assert seen["pointsman_deployment_state", "a", "well"] == 1


async def test_fallbacks_and_failures_are_counted_by_code(observer):
    router = routed(observer, script=[Failure(500)])
    await ask(router)
    seen = samples(observer)
    assert (
        seen["pointsman_requests_total", *sorted(("none", "none", "none", "direct", "provider_exhausted"))]
        == 1
    )
    failed = [value for name, value in seen.items() if name[0] == "pointsman_attempts_total"]
    assert sum(failed) == 3
    assert not any(name[0] == "pointsman_cost_usd_total" for name in seen)


async def test_a_hit_of_the_cache_costs_nothing_and_uses_no_tokens(observer):
    router = routed(observer, cache={"audit_rate": 0}, script=[Answer("Oslo", usage=USAGE)])
    for _ in range(2):
        await ask(router, model="nano")
    seen = samples(observer)
    assert seen["pointsman_cache_requests_total", "miss"] == 1
    assert seen["pointsman_cache_requests_total", "exact"] == 1
    nano = ("alpha", "nano", "nano@alpha")
    assert seen["pointsman_tokens_total", *sorted((*nano, "input"))] == 100
    await router.aclose()


async def test_misses_of_the_cache_are_told_by_reason(observer):
    router = routed(observer, cache={"audit_rate": 0}, script=[Answer("Oslo", usage=USAGE)] * 3)
    for wishes in ({}, {"temperature": 1.5}, {"cache": {"mode": "off"}}):
        await router.complete(SECRET_PROMPT, model="nano", **wishes)
    seen = samples(observer)
    reasons = {name[1]: value for name, value in seen.items() if name[0] == "pointsman_cache_misses_total"}
    assert reasons == {"empty": 1, "temperature": 1}
    await router.aclose()


def test_refusals_and_feedback_are_counted(observer):
    observer.refused("caller_key_invalid")
    observer.feedback("taken")
    seen = samples(observer)
    assert seen["pointsman_refused_requests_total", "caller_key_invalid"] == 1
    assert seen["pointsman_feedback_total", "taken"] == 1


def test_label_sets_are_bounded(observer, monkeypatch):
    monkeypatch.setattr(tallies, "MAX_LABEL_SETS", 10)
    for number in range(1000):
        observer.refused(f"code{number}")
    refused = [name for name in samples(observer) if name[0] == "pointsman_refused_requests_total"]
    assert len(refused) == 11
    assert samples(observer)["pointsman_refused_requests_total", "other"] == 990


def test_a_scraper_may_ask_for_openmetrics(observer):
    text, content_type = observer.render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
