"""The retry budget, waits, and what another try could mend."""

import pytest

from pointsman.errors import ProviderError
from pointsman.execution.retry import RetryBudget, RetryRules, is_context_overflow, may_repeat


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def test_requests_earn_retries_and_what_is_earned_is_lost_with_time():
    clock = Clock()
    budget = RetryBudget(RetryRules(budget_share=0.5, budget_per_s=0.0), clock)
    assert not budget.spend()
    for _ in range(4):
        budget.earn()
    assert (budget.spend(), budget.spend(), budget.spend()) == (True, True, False)
    for _ in range(4):
        budget.earn()
    clock.now_s = 12.0
    assert budget.balance == 0.0


def test_a_few_are_free_and_come_back():
    clock = Clock()
    budget = RetryBudget(RetryRules(budget_share=0.0, budget_per_s=1.0), clock)
    assert sum(budget.spend() for _ in range(20)) == 10
    clock.now_s = 3.0
    assert sum(budget.spend() for _ in range(20)) == 3
    clock.now_s = 1e6
    assert sum(budget.spend() for _ in range(20)) == 10


@pytest.mark.parametrize("rate_per_s", [10, 100, 1000])
def test_an_outage_of_everything_multiplies_calls_by_less_than_two(rate_per_s):
    clock = Clock()
    budget = RetryBudget(RetryRules(), clock)
    n_requests, n_calls = 60 * rate_per_s, 0
    for _ in range(n_requests):
        clock.now_s += 1 / rate_per_s
        budget.earn()
        n_calls += 1
        for _ in range(9):
            n_calls += budget.spend()
    assert 1.7 < n_calls / n_requests <= 2.0


def test_waits_double_to_a_limit_and_differ():
    rules = RetryRules(backoff_s=0.25, max_backoff_s=1.0)
    for n_rounds, longest_s in enumerate((0.25, 0.5, 1.0, 1.0)):
        waits = {rules.wait_s(n_rounds) for _ in range(50)}
        assert len(waits) > 1
        assert all(longest_s / 2 <= wait_s <= longest_s for wait_s in waits)


def rejected(status=400, **error):
    return ProviderError(
        "x", provider="p", code="provider_rejected", status=status, retryable=False, body=error
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "context_length_exceeded", "message": "x"}, True),
        ({"type": "exceed_context_size_error"}, True),
        ({"message": "This model's maximum context length is 8192 tokens."}, True),
        ({"message": "prompt is too long: 220000 tokens > 200000 maximum"}, True),
        ({"message": "The input token count (9) exceeds the maximum number of tokens allowed"}, True),
        ({"code": "invalid_value", "message": "temperature must be at most 2"}, False),
        ({}, False),
    ],
)
def test_a_request_that_is_too_long_is_recognised(error, expected):
    assert is_context_overflow(rejected(**error)) is expected
    assert not is_context_overflow(rejected(status=404, **error))


def test_only_what_passes_is_repeated():
    def failure(code, *, retryable=True):
        return ProviderError("x", provider="p", code=code, retryable=retryable)

    assert may_repeat(failure("provider_unavailable"))
    assert may_repeat(failure("provider_rate_limited"))
    assert not may_repeat(failure("provider_auth"))
    assert not may_repeat(failure("provider_timeout"))
    assert not may_repeat(failure("provider_rejected", retryable=False))
