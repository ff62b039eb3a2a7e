"""The scripted double, under asyncio and trio."""

import anyio
import pytest

from pointsman.errors import ProviderError, ProviderTimeout
from pointsman.providers import Answer, BrokenStream, Failure, Hang, ProviderCall, ScriptedProvider
from pointsman.types import Usage

CALL = ProviderCall(upstream_model="m", body={"messages": []})


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


async def test_steps_are_taken_in_turn_and_the_last_repeats():
    provider = ScriptedProvider("sim", [Failure(status=429, retry_after_s=1.5), Answer("hi")])
    with pytest.raises(ProviderError) as caught:
        await provider.complete(CALL)
    error = caught.value
    assert (error.code, error.status, error.retry_after_s) == ("provider_rate_limited", 429, 1.5)
    for _ in range(2):
        reply = await provider.complete(CALL)
        assert reply.body["choices"][0]["message"]["content"] == "hi"
        assert reply.body["model"] == "m"
        assert reply.usage == Usage(n_input_tokens=10, n_output_tokens=5)
    assert provider.calls == [CALL] * 3


async def test_a_stream_carries_the_text_the_end_and_the_usage():
    provider = ScriptedProvider("sim", [Answer("hello", n_chunks=3, headers={"x-ratelimit-left": "1"})])
    async with provider.stream(CALL) as stream:
        assert stream.usage is None
        chunks = [chunk async for chunk in stream]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "hello"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["total_tokens"] == 15
    assert stream.usage == Usage(n_input_tokens=10, n_output_tokens=5)
    assert stream.headers == {"x-ratelimit-left": "1"}
    assert provider.n_cancelled == 0


async def test_tool_calls_replace_the_text():
    tool_call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    provider = ScriptedProvider("sim", [Answer(tool_calls=(tool_call,), finish_reason="tool_calls")])
    message = (await provider.complete(CALL)).body["choices"][0]["message"]
    assert message == {"role": "assistant", "content": None, "tool_calls": [tool_call]}
    async with provider.stream(CALL) as stream:
        chunks = [chunk async for chunk in stream]
    assert chunks[1]["choices"][0]["delta"]["tool_calls"] == [{"index": 0, **tool_call}]


async def test_a_broken_stream_breaks_after_its_chunks():
    provider = ScriptedProvider("sim", [BrokenStream(after_chunks=2)])
    async with provider.stream(CALL) as stream:
        chunks = aiter(stream)
        assert [await anext(chunks), await anext(chunks)]
        with pytest.raises(ProviderError) as caught:
            await anext(chunks)
    assert caught.value.code == "provider_stream_broken"
    with pytest.raises(ProviderError):
        await provider.complete(CALL)


async def test_a_hang_ends_only_by_cancellation():
    provider = ScriptedProvider("sim", [Hang()])
    with anyio.move_on_after(0.01) as scope:
        await provider.complete(CALL)
    assert scope.cancelled_caught
    with anyio.move_on_after(0.01):
        async with provider.stream(CALL):
            pass
    assert provider.n_cancelled == 2


async def test_time_passes_through_the_given_sleep():
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    answer = Answer("ab", latency_s=2.0, chunk_latency_s=0.5, usage=None)
    provider = ScriptedProvider("sim", [answer], sleep=sleep)
    await provider.complete(CALL)
    async with provider.stream(CALL) as stream:
        async for _ in stream:
            pass
    assert slept == [2.0, 2.0, 0.5, 0.5, 0.5]


async def test_leaving_a_stream_early_is_counted():
    provider = ScriptedProvider("sim", models=["b", "a"])
    async with provider.stream(CALL) as stream:
        await anext(aiter(stream))
    assert provider.n_cancelled == 1
    assert await provider.list_models() == ["a", "b"]
    await provider.aclose()
    assert provider.is_closed


async def test_a_given_exception_is_raised():
    timeout = ProviderTimeout("slow", provider="sim", phase="idle")
    provider = ScriptedProvider(
        "sim", [Failure(exception=timeout), Failure(status=400, error={"message": "no"})]
    )
    with pytest.raises(ProviderTimeout):
        await provider.complete(CALL)
    with pytest.raises(ProviderError) as caught:
        await provider.complete(CALL)
    assert caught.value.body == {"message": "no"}


def test_an_empty_script_is_refused():
    with pytest.raises(ValueError, match="at least one step"):
        ScriptedProvider("sim", [])
