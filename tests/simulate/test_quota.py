"""Quotas: who is admitted, how long a refused one waits, what the headers say."""

from __future__ import annotations

import pytest

from pointsman.simulate import Ask, ProviderScript, SimulatedProvider


def provider(kind="openai", **quota):
    return SimulatedProvider("alpha", ProviderScript.model_validate({"kind": kind, "quota": quota}))


def arrive(simulated, now_s, n_input_tokens=0):
    call = simulated.arrive(now_s, Ask(n_input_tokens=n_input_tokens, n_output_tokens=10))
    if call.course.status == 200:
        simulated.leave(call, now_s, "complete", 10)
    return call


def test_refused_call_fits_after_the_wait_it_is_told_and_not_before():
    simulated = provider(requests_per_minute=30)
    assert [arrive(simulated, 0.0).course.status for _ in range(31)] == [200] * 30 + [429]
    wait_s = simulated.calls[-1].course.retry_after_s
    assert wait_s == pytest.approx(2.0)
    assert arrive(simulated, wait_s - 0.1).course.status == 429
    assert arrive(simulated, wait_s).course.status == 200


def test_tokens_of_answers_are_taken_out_too():
    simulated = provider(tokens_per_minute=600)
    assert arrive(simulated, 0.0, n_input_tokens=595).course.status == 200
    # 5 left, the answer's 10 leave -5: 15 tokens flow in 1.5 s.
    assert arrive(simulated, 0.0, n_input_tokens=10).course.retry_after_s == pytest.approx(1.5)


def test_call_larger_than_the_quota_is_let_in_when_the_bucket_is_full():
    simulated = provider(tokens_per_minute=100)
    assert arrive(simulated, 0.0, n_input_tokens=500).course.status == 200
    assert arrive(simulated, 0.0, n_input_tokens=1).course.status == 429


def test_calls_at_a_time_are_bounded():
    simulated = provider(concurrent=2)
    first, second, third = (simulated.arrive(0.0, Ask()) for _ in range(3))
    assert [call.course.status for call in (first, second, third)] == [200, 200, 429]
    simulated.leave(third, 0.0, "failed", 0)
    simulated.leave(first, 1.0, "complete", 5)
    assert simulated.arrive(1.0, Ask()).course.status == 200


def test_headers_tell_what_is_left():
    simulated = provider(requests_per_minute=60, tokens_per_minute=1000)
    arrive(simulated, 0.0, n_input_tokens=90)
    assert dict(arrive(simulated, 0.0).limits) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "58",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "900",
        "x-ratelimit-reset-tokens": "6s",
    }


def test_anthropic_headers_have_their_names():
    limits = arrive(provider("anthropic", requests_per_minute=60, tokens_per_minute=1000), 0.0).limits
    assert limits["anthropic-ratelimit-requests-remaining"] == "59"
    assert limits["anthropic-ratelimit-input-tokens-limit"] == "1000"
    assert limits["anthropic-ratelimit-requests-reset"].endswith("Z")
