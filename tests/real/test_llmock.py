"""`llmock` misbehaves as providers do and judges its client: the verdict must be "pass", streaming and not.

A fault after the first token cannot be mended behind the caller's back: it gets an error, and asks again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pointsman.cli.demo.processes import Children, free_port, serve_command, wait_until_ready
from pointsman.errors import ProviderError
from pointsman.router import Router

pytestmark = pytest.mark.real

LLMOCK = Path(__file__).parents[2] / ".realparts" / "llmock-venv" / "bin" / "llmock"
FAIL = {"type": "fail", "times": 1}
FAULT = {"type": "stream_fault", "times": 1, "after_chunks": 3}
SCENARIOS: dict[str, list[dict[str, Any]]] = {
    "429 with Retry-After": [{**FAIL, "status": 429, "retry_after": 1.0}],
    "429 twice, then once more without": [
        {**FAIL, "status": 429, "retry_after": 0.5},
        {**FAIL, "status": 429},
    ],
    "5xx burst": [{**FAIL, "status": 500}, {**FAIL, "status": 503}],
    "503 with Retry-After": [{**FAIL, "status": 503, "retry_after": 0.7}],
    "overloaded": [{**FAIL, "status": 529}],
    "caller's fault": [{**FAIL, "status": 400}],
    "wrong key": [{**FAIL, "status": 401}],
    "slow first token": [{"type": "slow_first_token", "seconds": 1.2, "times": 1}],
    "disconnect": [{**FAULT, "kind": "disconnect"}],
    "truncate": [{**FAULT, "kind": "truncate"}],
    "malformed": [{**FAULT, "kind": "malformed"}],
    "disconnect before the first token": [{**FAULT, "kind": "disconnect", "after_chunks": 0}],
    "truncate before the first token": [{**FAULT, "kind": "truncate", "after_chunks": 0}],
    "malformed before the first token": [{**FAULT, "kind": "malformed", "after_chunks": 0}],
}
UNANSWERED = {"caller's fault", "wrong key"}
Ask = Callable[[str], Awaitable[str]]


def config(port: int) -> dict[str, Any]:
    return {
        "providers": {"mock": {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "sk-any"}},
        "models": {"gpt-4o": {"quality": 0.8, "context_window": 128000}},
        "deployments": [{"model": "gpt-4o", "provider": "mock"}],
    }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One llmock without a quota and one of 120 requests a minute, a gateway in front of each."""
    if not LLMOCK.exists():
        pytest.skip("llmock is not installed: make realparts")
    found: dict[str, Any] = {}
    with Children() as children:
        for name, options in {"free": [], "quota": ["--rpm", "120"]}.items():
            port, gateway_port = free_port(), free_port()
            document = tmp_path_factory.mktemp(name) / "pointsman.yaml"
            document.write_text(json.dumps(config(port)))
            serve = [str(LLMOCK), "serve", "--host", "127.0.0.1", "--port", str(port), *options]
            mock = children.start(f"llmock-{name}", [*serve, "--log-level", "warning"])
            gateway = children.start(
                f"gateway-{name}",
                serve_command(document, gateway_port),
            )
            wait_until_ready(mock, f"http://127.0.0.1:{port}/health", 60)
            wait_until_ready(gateway, f"http://127.0.0.1:{gateway_port}/health/ready", 60)
            found[name] = (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{gateway_port}/v1", config(port))
        yield found


def library(router: Router, *, is_stream: bool) -> Ask:
    async def whole(text: str) -> str:
        return (await router.complete(text)).text

    async def streamed(text: str) -> str:
        said = ""
        async with router.stream(text) as chunks:
            async for chunk in chunks:
                said += "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
        return said

    return streamed if is_stream else whole


def over_http(client: httpx.AsyncClient, url: str, *, is_stream: bool) -> Ask:
    async def ask(text: str) -> str:
        body = {"model": "auto", "messages": [{"role": "user", "content": text}], "stream": is_stream}
        answer = await client.post(f"{url}/chat/completions", json=body, timeout=60)
        is_broken = is_stream and answer.status_code == 200 and "data: [DONE]" not in answer.text
        if answer.status_code != 200 or is_broken:
            raise ProviderError(answer.text[-300:], provider="gateway", code="provider_unavailable")
        return answer.text

    return ask


async def asked(ask: Ask, text: str, n_times: int = 2) -> str | None:
    """The answer, asked for once more if it is an error; `None`: both were."""
    for _ in range(n_times):
        try:
            return await ask(text)
        except ProviderError:
            await asyncio.sleep(0.2)  # what came before must have ended to be told from a call of its own
    return None


async def with_ask(served: tuple[str, str, Any], way: str, is_stream: bool, program: Any) -> Any:
    _, gateway, document = served
    if way == "library":
        async with Router.from_config(document) as router:
            return await program(library(router, is_stream=is_stream))
    async with httpx.AsyncClient() as client:
        return await program(over_http(client, gateway, is_stream=is_stream))


def verdict(mock: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{mock}/_llmock/verdict", timeout=10).json()
    return found


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("way", ["library", "gateway"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_llmock_passes_its_client(served, scenario, way, is_stream):
    mock = served["free"][0]
    httpx.post(f"{mock}/_llmock/reset")
    httpx.post(f"{mock}/_llmock/scenario", json={"behaviors": SCENARIOS[scenario]}).raise_for_status()
    n_times = 1 if scenario in UNANSWERED else 2
    text = f"{scenario} {way} {is_stream}"
    answer = asyncio.run(with_ask(served["free"], way, is_stream, lambda ask: asked(ask, text, n_times)))
    assert (answer is None) is (scenario in UNANSWERED)
    found = verdict(mock)
    assert found["passed"], found["findings"]
    # A warning of its own: llmock had often sent all the rest before we could stop reading, and then takes the
    # retry for another call. That nothing was ignored is what `answer` shows.
    others = [one for one in found["findings"] if one["code"] != "malformed_chunk_ignored"]
    assert not others, others


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("way", ["library", "gateway"])
def test_a_quota_is_kept_and_everybody_answered(served, way, is_stream):
    mock = served["quota"][0]
    httpx.post(f"{mock}/_llmock/reset")

    async def program(ask: Ask) -> list[str]:
        return await asyncio.gather(*(ask(f"question {place}") for place in range(124)))

    answers = asyncio.run(with_ask(served["quota"], way, is_stream, program))
    assert len(answers) == 124
    assert all(answers)
    found = verdict(mock)
    assert found["passed"], found["findings"]
