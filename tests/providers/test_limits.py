"""Rate-limit headers in every form that providers send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.providers.limits import has_limits, limit_news, reset_s

NOW_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("2m59.56s", 179.56),
        ("120ms", 0.12),
        ("1h2m3s", 3723.0),
        ("0", 0.0),
        ("7.5", 7.5),
        (f"{NOW_S + 30:.0f}", 30.0),
        ("2026-01-01T00:00:42Z", 42.0),
        ("2026-01-01T01:00:42+01:00", 42.0),
        ("2025-12-31T00:00:00Z", 0.0),
        ("2026-01-01T00:00:42", None),
        ("soon", None),
        ("-3", None),
        ("nan", None),
        ("1s later", None),
        (None, None),
    ],
)
def test_resets_are_read(value, expected_s):
    assert reset_s(value, NOW_S) == (None if expected_s is None else pytest.approx(expected_s))


def test_openais_headers():
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
        "x-ratelimit-reset-tokens": "2s",
    }
    assert has_limits(headers)
    assert limit_news(headers, "requests", NOW_S) == (500.0, 499.0, pytest.approx(0.12))
    assert limit_news(headers, "tokens", NOW_S) == (30000.0, 29000.0, 2.0)


def test_anthropics_headers():
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:07Z",
        "anthropic-ratelimit-input-tokens-limit": "40000",
        "anthropic-ratelimit-input-tokens-remaining": "39000",
        "anthropic-ratelimit-input-tokens-reset": "2026-01-01T00:00:01Z",
    }
    assert limit_news(headers, "requests", NOW_S) == (50.0, 0.0, 7.0)
    assert limit_news(headers, "tokens", NOW_S) == (40000.0, 39000.0, 1.0)


def test_other_headers_say_nothing():
    assert not has_limits({"content-type": "text/plain", "retry-after": "3"})
    assert limit_news({}, "requests", NOW_S) == (None, None, None)


@given(st.text(max_size=30))
def test_no_value_breaks_it(value):
    for name in ("limit", "remaining", "reset"):
        news = limit_news({f"x-ratelimit-{name}-tokens": value}, "tokens", NOW_S)
        assert all(number is None or 0 <= number < float("inf") for number in news)
