"""Every client library, in an environment of its own, against `pointsman serve` in front of simulated providers."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.conformance.environments import CLIENTS, Client, NotInstallable

EXERCISES = ("chat", "stream", "tools", "stream_tools", "structured")
TIMEOUT_S = 120


@pytest.fixture(params=CLIENTS, ids=lambda client: f"{client.name}:{client.path.rpartition('/')[2]}")
def client(request: pytest.FixtureRequest) -> Client:
    return request.param


@pytest.fixture(params=EXERCISES)
def answer(request, client, gateway, is_served):
    """The exercise's name and what it printed."""
    if not is_served[client.path]:
        pytest.skip(f"this gateway does not serve {client.path}")
    try:
        command = client.command()
    except NotInstallable as reason:
        pytest.skip(str(reason))
    done = subprocess.run(
        [*command, request.param],
        env={"GATEWAY": gateway, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return request.param, json.loads(done.stdout.strip().splitlines()[-1])


def test_client_gets_what_it_asked_for(answer):
    exercise, said = answer
    if exercise == "structured":
        assert said["age"] == 34
        assert said["name"]
    elif "tools" in exercise:
        assert said["name"] == "get_weather"
        assert said["arguments"] == {"city": "Oslo"}
        assert said["text"]
    else:
        assert "simulated answer" in said["text"]
        assert said["n_output_tokens"] > 10
    if exercise == "stream":
        assert said["n_pieces"] > 10
