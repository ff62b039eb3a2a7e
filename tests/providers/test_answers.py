"""Reading usage, waits and errors."""

from datetime import UTC, datetime
from email.utils import format_datetime

import orjson
import pytest

from pointsman.providers import ProviderSettings
from pointsman.providers.answers import (
    embedded_error,
    error_of,
    passed_on,
    retry_after_s,
    secrets_of,
    usage_of,
)
from pointsman.types import Usage

NOW_S = 1_800_000_000.0
IN_90_S = format_datetime(datetime.fromtimestamp(NOW_S + 90, UTC), usegmt=True)
AGO = format_datetime(datetime.fromtimestamp(NOW_S - 90, UTC), usegmt=True)

WAITS = [
    ({"retry-after": "12"}, 12.0),
    ({"retry-after": "0.5"}, 0.5),
    ({"retry-after": "-3"}, 0.0),
    ({"retry-after-ms": "1500"}, 1.5),
    ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
    ({"retry-after": IN_90_S}, 90.0),
    ({"retry-after": AGO}, 0.0),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": "Wed, 99 Foo 2099 99:99:99 GMT"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "wait_s"), WAITS)
def test_retry_after_is_read_in_every_form(headers, wait_s):
    assert retry_after_s(headers, NOW_S) == wait_s


USAGES = [
    ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, Usage(n_input_tokens=10, n_output_tokens=5)),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}},
        Usage(n_input_tokens=10, n_cached_input_tokens=8, n_output_tokens=5),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 60,
         "completion_tokens_details": {"reasoning_tokens": 40}},
        Usage(n_input_tokens=10, n_output_tokens=50, n_reasoning_tokens=40),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 55,
         "completion_tokens_details": {"reasoning_tokens": 40}},
        Usage(n_input_tokens=10, n_output_tokens=45, n_reasoning_tokens=40),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4},
        Usage(n_input_tokens=10, n_cached_input_tokens=4, n_output_tokens=5),
    ),
    ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}, Usage(n_input_tokens=3, n_cached_input_tokens=3)),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5}},
        Usage(n_input_tokens=10, n_cached_input_tokens=4, n_cache_write_tokens=5, n_output_tokens=5),
    ),
    (
        {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 8}, "cache_creation_input_tokens": 9},
        Usage(n_input_tokens=10, n_cached_input_tokens=8, n_cache_write_tokens=2),
    ),
    (
        {"completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 6}},
        Usage(n_output_tokens=5, n_reasoning_tokens=5),
    ),
    ({"prompt_tokens": 3, "completion_tokens": None, "prompt_tokens_details": None}, Usage(n_input_tokens=3)),
    ({"prompt_tokens": "3", "completion_tokens": -1}, None),
    ({"prompt_tokens": True}, None),
    ({}, None),
    ([], None),
    (None, None),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "expected"), USAGES)
def test_usage_counts_cached_and_reasoning_tokens(usage, expected):
    assert usage_of({"usage": usage}) == expected


STATUSES = {
    301: ("provider_malformed", True),
    400: ("provider_rejected", False),
    401: ("provider_auth", True),
    402: ("provider_auth", True),
    403: ("provider_auth", True),
    404: ("provider_model_not_found", True),
    408: ("provider_unavailable", True),
    409: ("provider_unavailable", True),
    413: ("provider_rejected", False),
    422: ("provider_rejected", False),
    429: ("provider_rate_limited", True),
    500: ("provider_unavailable", True),
    503: ("provider_unavailable", True),
    529: ("provider_unavailable", True),
}


@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
def test_a_status_says_whether_to_try_another(status, expected):
    error = error_of("p", status, {}, b"<html>")
    assert (error.code, error.retryable, error.status) == (*expected, status)


SECRETS = ("sk-123", "hdr-456")


@pytest.mark.parametrize("is_embedded", [False, True], ids=["4xx", "inside a 200"])
def test_a_callers_fault_carries_the_upstreams_error_with_secrets_masked(is_embedded):
    error = {
        "message": "bad temperature; key sk-123",
        "code": 400,
        "type": "invalid_request_error",
        "details": [{"hdr-456": "\u2028 via hdr-456"}, 7, None],
    }
    if is_embedded:
        found = embedded_error("p", error, SECRETS)
    else:
        found = error_of("p", 400, {}, orjson.dumps({"error": error}), secrets=SECRETS)
    assert found.body == {
        "message": "bad temperature; key ***",
        "code": 400,
        "type": "invalid_request_error",
        "details": [{"***": "\u2028 via ***"}, 7, None],
    }
    assert "temperature" not in str(found)
    assert "invalid_request_error" in str(found)


def test_a_secret_that_json_escapes_is_masked_too():
    body = rb'{"error": {"message": "key sk\u002d123"}}'
    assert error_of("p", 400, {}, body, secrets=SECRETS).body == {"message": "key ***"}


def test_a_secret_given_as_the_errors_code_is_not_named():
    error = {"code": "sk-123", "type": "sk-123"}
    assert "sk-123" not in str(embedded_error("p", error, SECRETS))
    assert "sk-123" not in str(error_of("p", 400, {}, orjson.dumps({"error": error}), secrets=SECRETS))


def test_what_upstream_says_is_cut_to_a_size_a_client_can_take():
    deep = orjson.loads(b"[" * 200 + b"]" * 200)
    error = {"message": "x" * 999 + "sk-123" * 100, "deep": deep, "long": list(range(1000))}
    body = error_of("p", 400, {}, orjson.dumps({"error": error}), secrets=SECRETS).body
    assert body["message"] == "x" * 999 + "*" + "..."
    assert len(orjson.dumps(body)) < 2000


def test_secrets_are_the_key_the_headers_and_what_the_proxy_is_told():
    settings = ProviderSettings(
        name="p",
        base_url="http://h",
        api_key="sk-123",
        headers={"authorization": "Bearer tok-789", "x-team": "a"},
        proxy="http://me:pass%20word@127.0.0.1:1",
    )
    found = set(secrets_of(settings))
    assert found >= {"sk-123", "tok-789", "pass%20word", "pass word"}
    assert not found & {"a", "me", "Bearer", "127.0.0.1"}


def test_an_error_of_the_provider_carries_no_body():
    body = orjson.dumps({"error": {"message": "Incorrect API key provided: sk-1", "code": "invalid_api_key"}})
    error = error_of("p", 401, {}, body)
    assert error.body is None
    assert "sk-1" not in str(error)
    assert "invalid_api_key" in str(error)


EMBEDDED = [
    ({"code": 429, "message": "x"}, "provider_rate_limited"),
    ({"code": "502"}, "provider_unavailable"),
    ({"code": "rate_limit_exceeded"}, "provider_rate_limited"),
    ({"code": 400}, "provider_rejected"),
    ({"type": "overloaded_error"}, "provider_unavailable"),
    ("text", "provider_unavailable"),
    (None, "provider_unavailable"),
]


@pytest.mark.parametrize(("error", "code"), EMBEDDED)
def test_an_error_inside_an_answer_is_classified(error, code):
    assert embedded_error("p", error).code == code


def test_only_limits_are_passed_on():
    headers = {"x-ratelimit-left": "1", "retry-after": "2", "set-cookie": "x", "openai-organization": "y"}
    assert passed_on(headers) == {"x-ratelimit-left": "1", "retry-after": "2"}
