"""aimock, a mock server by others, behind the gateway: its chaos is switched on and off while requests come in."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from pointsman.cli.demo.processes import Children, free_port, wait_until_ready
from pointsman.simulate.fleet import gateway_config
from tests.conformance.conftest import serving_gateway
from tests.conformance.environments import AIMOCK, NotInstallable

CHAOS = ("dropRate", "malformedRate", "disconnectRate", "rateLimitRate")
FIXTURES = {"fixtures": [{"match": {}, "response": {"content": "an answer of aimock"}}]}
RECOVERY_S = 60.0
"""How long a provider that failed may be passed over once it is well again."""


@pytest.fixture(scope="module")
def aimock():
    try:
        home = AIMOCK.installed()
    except NotInstallable as reason:
        pytest.skip(str(reason))
    with Children() as children:
        fixtures, port = children.directory / "fixtures.json", free_port()
        fixtures.write_text(json.dumps(FIXTURES))
        cli = home / "node_modules/@copilotkit/aimock/dist/cli.js"
        child = children.start("aimock", ["node", str(cli), "-p", str(port), "-f", str(fixtures)])
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(child, f"{address}/v1/models", 30)
        yield address


@pytest.fixture
def address(aimock, simulator):
    """A gateway that prefers aimock, with the simulator to fall back on; new each time, as failures add up."""
    config = gateway_config(simulator.simulation.script, simulator.address)
    config["providers"]["aimock"] = {"kind": "openai", "base_url": f"{aimock}/v1", "api_key": "k"}
    price = {"input": 0.001, "output": 0.001}
    config["deployments"].append({"model": "large-1", "provider": "aimock", "price_usd_per_mtok": price})
    with serving_gateway(config) as served:
        yield served


@pytest.fixture(autouse=True)
def calm(aimock):
    yield
    httpx.delete(f"{aimock}/__aimock/chaos", timeout=5)


def ask(address, *, stream):
    """The provider that answered and the text."""
    body = {
        "model": "large-1",
        "messages": [{"role": "user", "content": f"hello {time.time_ns()}"}],
        "stream": stream,
    }
    answer = httpx.post(f"{address}/v1/chat/completions", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    provider = answer.headers["x-pointsman-provider"]
    if not stream:
        return provider, answer.json()["choices"][0]["message"]["content"]
    events = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk.get("choices")]
    return provider, "".join(delta.get("content") or "" for delta in deltas)


def ask_until_back(address, *, stream):
    ends_s = time.monotonic() + RECOVERY_S
    while (answered := ask(address, stream=stream))[0] != "aimock" and time.monotonic() < ends_s:
        time.sleep(0.5)
    return answered


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("rate", CHAOS)
def test_chaos_is_never_seen_and_its_end_is_noticed(aimock, address, rate, stream):
    assert ask_until_back(address, stream=stream) == ("aimock", "an answer of aimock")
    httpx.post(f"{aimock}/__aimock/chaos", json={rate: 1.0}, timeout=5).raise_for_status()
    for _ in range(8):
        provider, text = ask(address, stream=stream)
        assert provider == "beta"
        assert "simulated answer" in text
    httpx.delete(f"{aimock}/__aimock/chaos", timeout=5)
    assert ask_until_back(address, stream=stream) == ("aimock", "an answer of aimock")
