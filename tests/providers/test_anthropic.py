"""The adapter for Anthropic's Messages API, over every transport."""

import orjson
import pytest

from pointsman.errors import ProviderError, RequestError
from pointsman.providers import Provider, ProviderCall
from pointsman.types import Usage
from tests.protocols.anthropic_shapes import EVENTS, MESSAGE, sse
from tests.providers.conftest import KEY, PROMPT
from tests.providers.servers import STREAM_HEAD, answer, chunked

CALL = ProviderCall(
    upstream_model="claude-x",
    body={"model": "auto", "stream": True, "messages": [{"role": "user", "content": PROMPT}]},
    max_output_tokens=777,
    headers={"x-trace": "7"},
)
USAGE = Usage(
    n_input_tokens=21 + 188086 + 1000,
    n_cached_input_tokens=1000,
    n_cache_write_tokens=188086,
    n_output_tokens=393,
    n_reasoning_tokens=120,
)
LIMITS = {"anthropic-ratelimit-requests-remaining": "49", "Retry-After": "3", "request-id": "req_1"}


def error_body(kind: str, message: str = "no") -> bytes:
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})


async def streamed(provider: Provider) -> tuple[list[dict], object]:
    async with provider.stream(CALL) as stream:
        return [chunk async for chunk in stream], stream


async def test_a_completion_is_asked_for_and_returned(make_provider, serve):
    server = serve(lambda _: answer(orjson.dumps(MESSAGE), headers=LIMITS))
    result = await make_provider(f"{server.url}/v1/", kind="anthropic").complete(CALL)
    assert result.usage == USAGE
    assert result.headers == {"anthropic-ratelimit-requests-remaining": "49", "retry-after": "3"}
    assert result.body["choices"][0]["finish_reason"] == "tool_calls"
    request = server.requests[0]
    assert request.path == "/v1/messages"
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.headers["x-trace"] == "7"
    assert "authorization" not in request.headers
    assert orjson.loads(request.body) == {
        "model": "claude-x",
        "max_tokens": 777,
        "messages": [{"role": "user", "content": PROMPT}],
    }


async def test_the_version_can_be_chosen(make_provider, serve):
    server = serve(lambda _: answer(orjson.dumps(MESSAGE)))
    chosen = {"Anthropic-Version": "2026-10-21"}
    await make_provider(server.url, kind="anthropic", headers=chosen).complete(CALL)
    assert server.requests[0].headers["anthropic-version"] == "2026-10-21"


async def test_a_stream_is_cut_anywhere_and_ends_with_its_usage(make_provider, serve):
    body = b"".join(sse(EVENTS))
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nanthropic-ratelimit-tokens-remaining: 9\r\n\r\n")
    server = serve(lambda _: head + chunked(*(body[i : i + 31] for i in range(0, len(body), 31))))
    provider = make_provider(server.url, kind="anthropic")
    for _ in range(2):
        chunks, stream = await streamed(provider)
        assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks[:-1]) == (
            "I'll check the current weather."
        )
        assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"
        assert stream.usage == USAGE
        assert stream.headers == {"anthropic-ratelimit-tokens-remaining": "9"}
    assert orjson.loads(server.requests[0].body)["stream"] is True
    assert server.n_connections == 1, "the connection was not used again"


@pytest.mark.parametrize("n_events", [1, 9, len(EVENTS) - 1])
async def test_a_stream_without_message_stop_is_broken(make_provider, serve, n_events):
    server = serve(lambda _: STREAM_HEAD + chunked(*sse(EVENTS[:n_events])))
    with pytest.raises(ProviderError, match="ended without message_stop") as caught:
        await streamed(make_provider(server.url, kind="anthropic"))
    assert caught.value.code == "provider_stream_broken"


@pytest.mark.parametrize(
    ("kind", "code", "retryable"),
    [
        ("overloaded_error", "provider_unavailable", True),
        ("rate_limit_error", "provider_rate_limited", True),
        ("authentication_error", "provider_auth", True),
        ("invalid_request_error", "provider_rejected", False),
    ],
)
async def test_an_error_within_a_stream_is_told(make_provider, serve, kind, code, retryable):
    failed = b"event: error\ndata: " + error_body(kind) + b"\n\n"
    server = serve(lambda _: STREAM_HEAD + chunked(*sse(EVENTS[:3]), failed))
    with pytest.raises(ProviderError) as caught:
        await streamed(make_provider(server.url, kind="anthropic"))
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("status", "kind", "code", "retryable"),
    [
        (400, "invalid_request_error", "provider_rejected", False),
        (401, "authentication_error", "provider_auth", True),
        (402, "billing_error", "provider_auth", True),
        (404, "not_found_error", "provider_model_not_found", True),
        (413, "request_too_large", "provider_rejected", False),
        (429, "rate_limit_error", "provider_rate_limited", True),
        (500, "api_error", "provider_unavailable", True),
        (529, "overloaded_error", "provider_unavailable", True),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_errors_are_classified(make_provider, serve, status, kind, code, retryable, is_stream):
    reply = answer(error_body(kind, f"{KEY} no"), status=f"{status} X", headers={"retry-after": "5"})
    provider = make_provider(serve(lambda _: reply).url, kind="anthropic")
    with pytest.raises(ProviderError, match=f"{status} .{kind}") as caught:
        await (streamed(provider) if is_stream else provider.complete(CALL))
    error = caught.value
    assert (error.code, error.retryable, error.status) == (code, retryable, status)
    assert error.retry_after_s == (5 if retryable else None)
    assert error.body is None or error.body["message"] == "*** no"


@pytest.mark.parametrize("body", [b"{}", b'{"content": "text"}', b"[]", b""])
async def test_a_200_that_is_no_message_is_malformed(make_provider, serve, body):
    provider = make_provider(serve(lambda _: answer(body)).url, kind="anthropic")
    with pytest.raises(ProviderError) as caught:
        await provider.complete(CALL)
    assert caught.value.code == "provider_malformed"


async def test_what_cannot_be_said_is_refused_before_it_is_sent(make_provider, serve):
    server = serve(lambda _: answer(orjson.dumps(MESSAGE)))
    call = ProviderCall(upstream_model="claude-x", body={**CALL.body, "n": 2})
    with pytest.raises(RequestError, match=r"^n: "):
        await make_provider(server.url, kind="anthropic").complete(call)
    assert not server.requests


async def test_models_are_listed(make_provider, serve):
    models = {"data": [{"id": "b", "type": "model"}, {"id": "a"}], "has_more": False}
    server = serve(lambda _: answer(orjson.dumps(models)))
    assert await make_provider(f"{server.url}/v1", kind="anthropic").list_models() == ["a", "b"]
    assert server.requests[0].path == "/v1/models?limit=1000"


@pytest.mark.parametrize(
    "said", ["temperature is deprecated for this model", "temperature: Extra inputs are not permitted"]
)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_a_model_takes_no_more_is_refused_by_name(make_provider, serve, said, is_stream):
    reply = answer(error_body("invalid_request_error", said), status="400 X")
    provider = make_provider(serve(lambda _: reply).url, kind="anthropic")
    with pytest.raises(RequestError) as caught:
        await (streamed(provider) if is_stream else provider.complete(CALL))
    assert caught.value.param == "temperature"
