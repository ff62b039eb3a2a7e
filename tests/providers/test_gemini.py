"""The adapter for Gemini's generateContent, over every transport."""

import orjson
import pytest

from pointsman.errors import ProviderError, RequestError
from pointsman.providers import ProviderCall
from pointsman.types import Usage
from tests.protocols.test_gemini import RESPONSE
from tests.providers.conftest import KEY, PROMPT
from tests.providers.servers import STREAM_HEAD, answer, chunked

BODY = {"model": "auto", "messages": [{"role": "user", "content": PROMPT}], "seed": 1}
CALL = ProviderCall(upstream_model="gemini-x", body=BODY, service_tier="flex")
USAGE = Usage(n_input_tokens=100, n_cached_input_tokens=64, n_output_tokens=50, n_reasoning_tokens=30)
PARTS = RESPONSE["candidates"][0]["content"]["parts"]


def event(document: object) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\r\n\r\n"


def piece(*parts: dict, **rest: object) -> dict:
    return {"candidates": [{"content": {"parts": list(parts)}, "index": 0, **rest}], "responseId": "r"}


ENDING = piece(*PARTS[2:], finishReason="STOP") | {"usageMetadata": RESPONSE["usageMetadata"]}
EVENTS = [event(piece(PARTS[0])), event(piece(PARTS[1])), event(ENDING)]


async def streamed(provider):
    async with provider.stream(CALL) as stream:
        return [chunk async for chunk in stream], stream


async def test_a_completion_is_asked_for_and_returned(make_provider, serve):
    server = serve(lambda _: answer(orjson.dumps(RESPONSE)))
    result = await make_provider(f"{server.url}/v1beta", kind="gemini").complete(CALL)
    assert result.usage == USAGE
    assert result.body["choices"][0]["message"]["content"] == "I'll check the weather."
    request = server.requests[0]
    assert request.path == "/v1beta/models/gemini-x:generateContent"
    assert request.headers["x-goog-api-key"] == KEY
    assert "authorization" not in request.headers
    assert orjson.loads(request.body) == {
        "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
        "generationConfig": {"seed": 1},
        "serviceTier": "flex",
    }


async def test_a_stream_is_cut_anywhere_and_ends_with_its_usage(make_provider, serve):
    body = b"".join(EVENTS)
    server = serve(lambda _: STREAM_HEAD + chunked(*(body[i : i + 29] for i in range(0, len(body), 29))))
    provider = make_provider(server.url, kind="gemini")
    for _ in range(2):
        chunks, stream = await streamed(provider)
        said = "".join(
            choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]
        )
        assert said == "I'll check the weather."
        assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"
        assert chunks[-1]["usage"]["prompt_tokens"] == 100
        assert stream.usage == USAGE
    assert server.requests[0].path == "/models/gemini-x:streamGenerateContent?alt=sse"
    assert server.n_connections == 1, "the connection was not used again"


@pytest.mark.parametrize("n_events", [0, 1, 2])
async def test_a_stream_without_a_finish_reason_is_broken(make_provider, serve, n_events):
    server = serve(lambda _: STREAM_HEAD + chunked(*EVENTS[:n_events]))
    with pytest.raises(ProviderError, match="ended without a finishReason") as caught:
        await streamed(make_provider(server.url, kind="gemini"))
    assert caught.value.code == "provider_stream_broken"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_answer_that_is_none_is_malformed(make_provider, serve, is_stream):
    failed = piece(finishReason="MALFORMED_FUNCTION_CALL")
    reply = STREAM_HEAD + chunked(event(failed)) if is_stream else answer(orjson.dumps(failed))
    provider = make_provider(serve(lambda _: reply).url, kind="gemini")
    with pytest.raises(ProviderError, match="MALFORMED_FUNCTION_CALL") as caught:
        await (streamed(provider) if is_stream else provider.complete(CALL))
    assert (caught.value.code, caught.value.retryable) == ("provider_malformed", True)


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


@pytest.mark.parametrize(
    ("status", "details", "code", "wait_s"),
    [
        (400, [], "provider_rejected", None),
        (400, [BAD_KEY], "provider_auth", None),
        (403, [], "provider_auth", None),
        (404, [], "provider_model_not_found", None),
        (429, [RETRY], "provider_rate_limited", 34.5),
        (503, [], "provider_unavailable", None),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_errors_are_classified(make_provider, serve, status, details, code, wait_s, is_stream):
    error = {"code": status, "message": "no", "status": "WORD", "details": details}
    reply = answer(orjson.dumps({"error": error}), status=f"{status} X")
    provider = make_provider(serve(lambda _: reply).url, kind="gemini")
    with pytest.raises(ProviderError) as caught:
        await (streamed(provider) if is_stream else provider.complete(CALL))
    assert (caught.value.code, caught.value.retry_after_s) == (code, wait_s)
    assert caught.value.retryable is (code != "provider_rejected")


async def test_an_error_within_a_stream_is_told(make_provider, serve):
    failed = event({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}})
    server = serve(lambda _: STREAM_HEAD + chunked(EVENTS[0], failed))
    with pytest.raises(ProviderError) as caught:
        await streamed(make_provider(server.url, kind="gemini"))
    assert caught.value.code == "provider_unavailable"


@pytest.mark.parametrize("body", [b"{}", b'{"candidates": "x"}', b"[]", b""])
async def test_a_200_that_is_no_response_is_malformed(make_provider, serve, body):
    provider = make_provider(serve(lambda _: answer(body)).url, kind="gemini")
    with pytest.raises(ProviderError) as caught:
        await provider.complete(CALL)
    assert caught.value.code == "provider_malformed"


async def test_what_cannot_be_said_is_refused_before_it_is_sent(make_provider, serve):
    server = serve(lambda _: answer(orjson.dumps(RESPONSE)))
    call = ProviderCall(upstream_model="gemini-x", body={**BODY, "verbosity": "low"})
    with pytest.raises(RequestError, match="verbosity"):
        await make_provider(server.url, kind="gemini").complete(call)
    assert not server.requests


async def test_models_are_listed(make_provider, serve):
    models = [
        {"name": "models/b", "supportedGenerationMethods": ["generateContent"]},
        {"name": "models/embedder", "supportedGenerationMethods": ["embedContent"]},
        {"name": "models/a"},
    ]
    server = serve(lambda _: answer(orjson.dumps({"models": models})))
    assert await make_provider(server.url, kind="gemini").list_models() == ["a", "b"]
