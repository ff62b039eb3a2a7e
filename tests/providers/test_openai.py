"""The OpenAI adapter, over every transport."""

import threading
from email.utils import formatdate
from time import time

import anyio
import orjson
import pytest

from pointsman.errors import ProviderError, RequestError
from pointsman.providers import Provider, ProviderCall
from pointsman.types import Usage
from tests.providers.conftest import KEY, PROMPT
from tests.providers.servers import STREAM_HEAD, answer, chunked, eventually

CALL = ProviderCall(
    upstream_model="m-1", body={"messages": [{"role": "user", "content": PROMPT}], "x_new": 1}
)
COMPLETION = {
    "id": "c",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
}
USAGE = Usage(n_input_tokens=7, n_cached_input_tokens=4, n_output_tokens=2)


def event(document: object) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def delta(text: str, finish_reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}]}


HEADER = "team-secret-1"
DONE = b"data: [DONE]\n\n"


async def test_a_completion_is_asked_for_and_returned(make_provider, serve):
    reply = answer(orjson.dumps(COMPLETION), headers={"X-RateLimit-Remaining-Tokens": "5", "set-cookie": "x"})
    server = serve(lambda _: reply)
    provider = make_provider(f"{server.url}/v1/")
    call = ProviderCall(
        upstream_model="m-1", body={**CALL.body, "model": "auto", "stream": True}, headers={"x-trace": "7"}
    )
    result = await provider.complete(call)
    assert (result.body, result.usage, result.status) == (COMPLETION, USAGE, 200)
    assert result.headers == {"x-ratelimit-remaining-tokens": "5"}
    request = server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-trace"] == "7"
    assert orjson.loads(request.body) == {**CALL.body, "model": "m-1"}
    assert call.body["model"] == "auto"


@pytest.mark.parametrize("wished", [{}, {"service_tier": "auto"}], ids=["no wish", "a wish"])
@pytest.mark.parametrize("tier", [None, "flex", "priority"])
async def test_the_tier_sent_is_the_deployments_and_not_the_callers_wish(make_provider, serve, tier, wished):
    def handle(request):
        if orjson.loads(request.body).get("stream"):
            return STREAM_HEAD + chunked(event(delta("a", "stop")), DONE)
        return answer(orjson.dumps(COMPLETION))

    server = serve(handle)
    provider = make_provider(server.url)
    call = ProviderCall(upstream_model="m-1", body={**CALL.body, **wished}, service_tier=tier)
    await provider.complete(call)
    async with provider.stream(call) as stream:
        assert len([chunk async for chunk in stream]) == 1
    expected = {} if tier is None else {"service_tier": tier}
    for request in server.requests:
        sent = orjson.loads(request.body)
        assert {name: sent[name] for name in sent if name == "service_tier"} == expected


async def test_without_a_key_none_is_sent(make_provider, serve):
    server = serve(lambda _: answer(orjson.dumps(COMPLETION)))
    await make_provider(server.url, api_key=None, headers={"X-Api-Key": "k"}).complete(CALL)
    assert "authorization" not in server.requests[0].headers
    assert server.requests[0].headers["x-api-key"] == "k"


async def test_a_stream_yields_its_chunks_unchanged_and_the_usage(make_provider, serve):
    documents = [delta("a"), delta("ü🚂"), delta("", "stop"), {"choices": [], "usage": COMPLETION["usage"]}]
    events = b": ping\n\n" + b"".join(map(event, documents)) + DONE
    server = serve(lambda _: STREAM_HEAD + chunked(*(events[i : i + 7] for i in range(0, len(events), 7))))
    provider = make_provider(server.url)
    call = ProviderCall(upstream_model="m-1", body={**CALL.body, "stream_options": {"x": 1}})
    async with provider.stream(call) as stream:
        assert stream.usage is None
        assert [chunk async for chunk in stream] == documents
    assert stream.usage == USAGE
    sent = orjson.loads(server.requests[0].body)
    assert sent["stream"] is True
    assert sent["stream_options"] == {"x": 1, "include_usage": True}
    async with provider.stream(CALL) as stream:
        assert len([chunk async for chunk in stream]) == 4
    assert server.n_connections == 1


async def test_a_stream_left_half_read_can_be_read_on_until_it_is_closed(make_provider, serve):
    go_on = threading.Event()

    def handle(request):
        request.send(STREAM_HEAD + chunked(event(delta("a")), end=False))
        go_on.wait(30)
        return chunked(event(delta("b", "stop")), DONE)

    server = serve(handle)
    context = make_provider(server.url).stream(CALL)
    stream = await context.__aenter__()
    chunks = aiter(stream)
    async for chunk in chunks:
        assert chunk == delta("a")
        break
    go_on.set()
    rest = []

    async def read_on() -> None:
        rest.extend([chunk async for chunk in chunks])

    # In another task, as a gateway does that commits in one and sends in another.
    async with anyio.create_task_group() as group:
        group.start_soon(read_on)
    await context.__aexit__(None, None, None)
    assert rest == [delta("b", "stop")]


async def test_leaving_a_stream_closes_its_connection(make_provider, serve):
    def handle(request):
        request.send(STREAM_HEAD + chunked(event(delta("a")), end=False))
        server.watch(request)

    server = serve(handle)
    async with make_provider(server.url).stream(CALL) as stream:
        async for _ in stream:
            break
    assert await eventually(lambda: server.gone_at_s)


ENDS = {
    "done": (DONE, None),
    "finish reason, then nothing": (event(delta("", "stop")), None),
    "done without blank line": (DONE.strip(), None),
    "nothing": (b"", "provider_stream_broken"),
    "half an event": (b'data: {"choices": [', "provider_stream_broken"),
    "an error event": (event({"error": {"message": PROMPT, "code": 429}}), "provider_rate_limited"),
    "an error event without end": (event({"error": {"message": PROMPT}}).strip(), "provider_unavailable"),
    "a named error event": (
        b"event: error\n" + event({"error": {"type": "overloaded_error"}}),
        "provider_unavailable",
    ),
    "not JSON": (b"data: <html>\n\n", "provider_malformed"),
    "choices a mapping": (event({"choices": {"0": 1}}), "provider_malformed"),
    "choices a number": (event({"choices": 1}), "provider_malformed"),
    "a null choice": (event({"choices": [None]}), "provider_malformed"),
    "a delta in text": (event({"choices": [{"delta": "x"}]}), "provider_malformed"),
    "no delta": (event({"choices": [{"index": 0}]}) + event({"choices": None}) + event({}) + DONE, None),
    "a JSON array": (b"data: [1]\n\n", "provider_malformed"),
    "not UTF-8": (b'data: {"a": "\xff"}\n\n', "provider_malformed"),
}


@pytest.mark.parametrize(("end", "code"), ENDS.values(), ids=ENDS.keys())
async def test_a_stream_ends_well_only_when_it_is_complete(make_provider, serve, end, code):
    server = serve(lambda _: STREAM_HEAD + chunked(event(delta("a")), *([end] if end else [])))
    chunks = []
    error = None
    async with make_provider(server.url).stream(CALL) as stream:
        try:
            async for chunk in stream:
                chunks.append(chunk)  # noqa: PERF401 - what came before the error counts
        except ProviderError as caught:
            error = caught
    assert chunks[0] == delta("a")
    assert (error.code if error else None) == code
    assert error is None or error.retryable
    assert PROMPT not in str(error)


async def test_a_stream_whose_connection_breaks_is_an_error(make_provider, serve):
    def handle(request):
        request.send(STREAM_HEAD + chunked(event(delta("a")), end=False))

    server = serve(handle)
    async with make_provider(server.url).stream(CALL) as stream:
        with pytest.raises(ProviderError) as caught:
            async for _ in stream:
                pass
    assert caught.value.code == "provider_unreachable"


ECHO = orjson.dumps({"error": {"message": f"{PROMPT} {KEY}", "type": "t"}})
REFUSAL = orjson.dumps({"error": {"message": f"{HEADER} {KEY}", "code": 400}})
HTML = b"<html>" + PROMPT.encode() + b"</html>"
DATE = formatdate(time() + 100, usegmt=True)
# What comes -> code, status, retryable
MALFORMED = {
    "HTML": (answer(HTML, headers={"content-type": "text/html"}), "provider_malformed", True),
    "nothing": (answer(b""), "provider_malformed", True),
    "JSON array": (answer(b"[1,2]"), "provider_malformed", True),
    "JSON null": (answer(b"null"), "provider_malformed", True),
    "cut JSON": (answer(b'{"choices": [{"mess'), "provider_malformed", True),
    "not UTF-8": (answer(b'{"choices": "\xff"}'), "provider_malformed", True),
    "no choices": (answer(b'{"object": "list"}'), "provider_malformed", True),
    "choices null": (answer(b'{"choices": null}'), "provider_malformed", True),
    "choices a mapping": (answer(b'{"choices": {"0": 1}}'), "provider_malformed", True),
    "no choice": (answer(b'{"choices": []}'), "provider_malformed", True),
    "a null choice": (answer(b'{"choices": [null]}'), "provider_malformed", True),
    "a choice without message": (answer(b'{"choices": [{"index": 0}]}'), "provider_malformed", True),
    "a message in text": (answer(b'{"choices": [{"message": "hi"}]}'), "provider_malformed", True),
    "refusal in a 200": (answer(REFUSAL), "provider_rejected", False),
    "refusal and no choice": (answer(REFUSAL[:-1] + b', "choices": []}'), "provider_rejected", False),
    "error in a 200": (answer(ECHO), "provider_unavailable", True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "provider_malformed", True),
    "redirect": (answer(b"", status="307 x", headers={"location": "/"}), "provider_malformed", True),
    "400": (answer(ECHO, status="400 x"), "provider_rejected", False),
    "400 not JSON": (answer(HTML, status="400 x"), "provider_rejected", False),
    "401": (answer(ECHO, status="401 x"), "provider_auth", True),
    "403": (answer(b"", status="403 x"), "provider_auth", True),
    "404": (answer(ECHO, status="404 x"), "provider_model_not_found", True),
    "422 odd shape": (answer(b'{"detail": [1]}', status="422 x"), "provider_rejected", False),
    "429": (answer(ECHO, status="429 x", headers={"retry-after": "3"}), "provider_rate_limited", True),
    "429 date": (answer(b"", status="429 x", headers={"retry-after": DATE}), "provider_rate_limited", True),
    "429 odd date": (
        answer(b"", status="429 x", headers={"retry-after": "x"}),
        "provider_rate_limited",
        True,
    ),
    "500 not JSON": (answer(HTML, status="500 x"), "provider_unavailable", True),
    "500 deep JSON": (answer(b"[" * 100_000, status="500 x"), "provider_unavailable", True),
    "503": (answer(ECHO, status="503 x"), "provider_unavailable", True),
    "599": (answer(b"\0\xff", status="599 x"), "provider_unavailable", True),
}


async def drain(provider: Provider) -> None:
    async with provider.stream(CALL) as stream:
        async for _ in stream:
            pass


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("data", "code", "retryable"), MALFORMED.values(), ids=MALFORMED.keys())
async def test_every_malformed_answer_is_a_provider_error(
    make_provider, serve, data, code, retryable, streams
):
    server = serve(lambda _: data)
    provider = make_provider(server.url, headers={"x-team": HEADER})
    with pytest.raises(ProviderError) as caught:
        await (drain(provider) if streams else provider.complete(CALL))
    error = caught.value
    assert error.code == code
    assert error.retryable is retryable
    assert error.provider == "p"
    assert KEY not in str(error)
    assert PROMPT not in str(error)
    assert KEY not in str(error.body)
    assert HEADER not in str(error.body)


async def test_an_error_event_that_blames_the_caller_holds_no_secret(make_provider, serve):
    events = event(delta("a")) + b"data: " + REFUSAL + b"\n\n"
    server = serve(lambda _: STREAM_HEAD + chunked(events))
    with pytest.raises(ProviderError) as caught:
        await drain(make_provider(server.url, headers={"x-team": HEADER}))
    assert caught.value.code == "provider_rejected"
    assert caught.value.body == {"message": "*** ***", "code": 400}


async def test_a_rate_limit_says_how_long_to_wait(make_provider, serve):
    date = formatdate(time() + 100, usegmt=True)
    server = serve(lambda _: answer(b"", status="429 x", headers={"retry-after": date}))
    with pytest.raises(ProviderError) as caught:
        await make_provider(server.url).complete(CALL)
    assert 80 < (caught.value.retry_after_s or 0) <= 101


async def test_a_body_that_is_no_json_is_the_callers_fault(make_provider, serve):
    server = serve(lambda _: answer(orjson.dumps(COMPLETION)))
    provider = make_provider(server.url)
    for bad in ("\ud800", 2**70, object()):
        with pytest.raises(RequestError):
            await provider.complete(ProviderCall(upstream_model="m", body={"messages": [bad]}))
        with pytest.raises(RequestError):
            provider.stream(ProviderCall(upstream_model="m", body={"messages": [bad]}))
    assert not server.requests


async def test_models_are_listed_by_name(make_provider, serve):
    server = serve(lambda _: answer(b'{"data": [{"id": "b"}, {"id": "a"}, {"id": 3}, 4]}'))
    assert await make_provider(f"{server.url}/v1").list_models() == ["a", "b"]
    assert server.requests[0].head.startswith(b"GET /v1/models ")


@pytest.mark.parametrize("body", [b'{"data": 1}', b"[]", b"<html>"])
async def test_a_malformed_list_of_models_is_an_error(make_provider, serve, body):
    server = serve(lambda _: answer(body))
    with pytest.raises(ProviderError) as caught:
        await make_provider(server.url).list_models()
    assert caught.value.code == "provider_malformed"


@pytest.mark.parametrize("extensions", [True, False])
async def test_a_server_of_openais_words_only_gets_no_markers(make_provider, serve, extensions):
    server = serve(lambda _: answer(orjson.dumps(COMPLETION)))
    part = {"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral"}}
    call = ProviderCall(upstream_model="m-1", body={"messages": [{"role": "user", "content": [part]}]})
    await make_provider(server.url, extensions=extensions).complete(call)
    sent = orjson.loads(server.requests[0].body)["messages"][0]["content"][0]
    assert ("cache_control" in sent) is extensions
