"""A running gateway follows promotions and rollbacks without a restart, and tells who decided."""

from __future__ import annotations

import time
from contextlib import contextmanager

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from pointsman.cli import app
from pointsman.gateway.app import create_app
from pointsman.registry.policy_folder import PolicyFolder

from .conftest import config, serving

PATIENCE_S = 20.0


@pytest.fixture
def home(tmp_path, monkeypatch):
    settings = config() | {
        "promotion": {"path": str(tmp_path / "policies")},
        "store": {"url": str(tmp_path / "log.db"), "flush_every_s": 0},
    }
    settings["policies"] |= {"default": {"models": ["middle"]}, "frugal": {"models": ["nano"]}}
    (tmp_path / "pointsman.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def gateway(home):
    app_of_file = create_app(home / "pointsman.yaml")
    with serving(app_of_file) as url:
        yield url


def pointsman(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output


def route(url, session="s", model="auto"):
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "What is the capital of Norway?"}],
        "pointsman": {"session_id": session},
    }
    reply = httpx.post(url + "/v1/route", json=body, timeout=10)
    assert reply.status_code == 200, reply.text
    return reply.json()


def until(condition, what):
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, what
        time.sleep(0.02)


def test_promote_and_rollback_reach_a_running_gateway(home):
    with gateway(home) as url:
        before = route(url)
        assert (before["model"], before["arm"]) == ("middle", "main")
        pointsman("promote", "frugal", "--force", "--why", "a test")
        until(lambda: route(url)["model"] == "nano", "the promotion has not reached the gateway")
        after = route(url)
        assert after["policy_version"] != before["policy_version"]
        pointsman("rollback")
        until(lambda: route(url)["model"] == "middle", "the rollback has not reached the gateway")
        assert route(url)["policy_version"] == before["policy_version"]


def test_a_canary_takes_its_sessions_and_leaves_pinned_models_alone(home):
    with gateway(home) as url:
        pointsman("promote", "frugal", "--canary", "50%", "--force", "--why", "a test")

        def models():
            return [route(url, f"s{index}")["model"] for index in range(40)]

        until(lambda: "nano" in models(), "the canary has not reached the gateway")
        first = models()
        assert first == models()
        assert set(first) == {"nano", "middle"}
        assert route(url, model="frontier")["arm"] == "pinned"
        told = httpx.get(url + "/metrics", timeout=10).text
        assert 'pointsman_canary_share{policy="default"} 0.5' in told
        assert 'pointsman_canary_e_value{measure="worth",policy="default"} 1.0' in told


def test_a_set_that_is_wrong_is_told_and_the_versions_of_before_hold(home):
    with gateway(home) as url:
        pointsman("promote", "frugal", "--force", "--why", "a test")
        until(lambda: route(url)["model"] == "nano", "the promotion has not reached the gateway")
        file = PolicyFolder(home / "policies").file
        file.write_text("{")

        def problems():
            return httpx.get(url + "/health/ready", timeout=10).json()["config"]["problems"]

        until(problems, "the wrong file was not noticed")
        assert "is not JSON" in problems()[0]
        assert route(url)["model"] == "nano"


def test_a_reload_of_the_config_keeps_what_was_promoted(home):
    with gateway(home) as url:
        pointsman("promote", "frugal", "--force", "--why", "a test")
        until(lambda: route(url)["model"] == "nano", "the promotion has not reached the gateway")
        settings = yaml.safe_load((home / "pointsman.yaml").read_text())
        settings["policies"]["later"] = {}
        (home / "pointsman.yaml").write_text(yaml.safe_dump(settings))

        def listed():
            data = httpx.get(url + "/v1/models", timeout=10).json()["data"]
            return "auto:later" in {one["id"] for one in data}

        until(listed, "the config has not been reloaded")
        assert route(url)["model"] == "nano"
