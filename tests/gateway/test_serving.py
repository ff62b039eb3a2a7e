"""`pointsman serve` and its like as real processes: start, reload, preload, refuse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

from pointsman.cli.demo.processes import Children, free_port, wait_until_ready
from pointsman.keys import KeyFolder
from pointsman.spend import Accounts

from .conftest import config

SERVE = [sys.executable, "-m", "pointsman", "serve"]


@pytest.fixture
def config_file(tmp_path) -> Path:
    path = tmp_path / "pointsman.yaml"
    path.write_text(yaml.safe_dump(config()))
    return path


@pytest.fixture
def served(config_file):
    port = free_port()
    with Children() as children:
        child = children.start(
            "gateway", [*SERVE, "--with-parent", "--config", str(config_file), "--port", str(port)]
        )
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(child, url + "/health/ready", 30)
        yield url, child, config_file


def eventually(url, is_so, within_s=10.0):
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        ready = httpx.get(url + "/health/ready").json()
        if is_so(ready):
            return ready
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s} s; last: {ready}")


def test_a_changed_config_is_live_without_restart(served):
    url, _, path = served
    before = httpx.get(url + "/health/ready").json()["config_version"]
    changed = config()
    changed["models"]["nano"]["quality"] = 0.99
    path.write_text(yaml.safe_dump(changed))
    eventually(url, lambda ready: ready["config_version"] != before)
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": "hi"}],
        "pointsman": {"min_quality": 0.97},
    }
    assert httpx.post(url + "/v1/route", json=body).json()["model"] == "nano"


def test_a_wrong_config_is_told_and_the_old_one_stays(served):
    url, _, path = served
    before = httpx.get(url + "/health/ready").json()["config_version"]
    path.write_text("models: [")
    ready = eventually(url, lambda ready: ready["config"]["state"] == "rejected")
    assert ready["status"] == "ready"
    assert ready["config_version"] == before
    assert "pointsman.yaml" in ready["config"]["problems"][0]
    path.write_text(yaml.safe_dump(config()))
    eventually(url, lambda ready: ready["config"]["state"] == "current")


def test_sighup_reloads(served):
    url, child, path = served
    path.write_text("nonsense: 1")
    os.kill(child.process.pid, signal.SIGHUP)
    eventually(url, lambda ready: ready["config"]["state"] == "rejected")
    assert child.process.poll() is None


def test_sighup_without_a_config_file_changes_nothing(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-unused")
    port = free_port()
    with Children() as children:
        child = children.start("gateway", [*SERVE, "--with-parent", "--port", str(port)])
        wait_until_ready(child, f"http://127.0.0.1:{port}/health/ready", 30)
        os.kill(child.process.pid, signal.SIGHUP)
        assert httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
        assert child.process.poll() is None


def test_sigterm_ends_cleanly(served):
    _, child, _ = served
    child.process.terminate()
    assert child.process.wait(10) in (0, -signal.SIGTERM)
    assert "Traceback" not in child.output()


PARENT = """
import subprocess, sys
from pointsman.cli.demo.processes import wait_until_ready, Child
command = [sys.executable, "-m", "pointsman", *sys.argv[2:]]
process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wait_until_ready(Child("child", process, None), sys.argv[1], 60)
print(process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("command", ["serve", "simulate"])
def test_a_child_ends_when_its_parent_is_killed(command, config_file):
    port = free_port()
    arguments = [command, "--port", str(port), "--with-parent"]
    arguments += ["--config", str(config_file)] if command == "serve" else []
    url = f"http://127.0.0.1:{port}" + ("/health/ready" if command == "serve" else "/_simulate")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, url, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    ends_s = time.monotonic() + 20
    while is_there(pid) and time.monotonic() < ends_s:
        time.sleep(0.02)
    assert not is_there(pid)


def is_there(pid):
    """Whether a process works; one that has ended and is waited for by nobody does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SERVE, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_dry_run_checks_and_exits(config_file):
    done = run("--config", str(config_file), "--dry-run")
    assert done.returncode == 0
    assert "4 deployments" in done.stdout


def test_a_host_that_is_not_loopback_is_refused(config_file):
    done = run("--config", str(config_file), "--host", "0.0.0.0")
    assert done.returncode == 1
    assert "not a loopback address" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_keys_it_may_bind_any_host(config_file, tmp_path):
    path = tmp_path / "keyed.yaml"
    path.write_text(yaml.safe_dump(config() | {"keys": {"path": str(tmp_path / "keys")}}))
    refused = run("--config", str(path), "--host", "0.0.0.0", "--dry-run")
    assert refused.returncode == 1
    assert "pointsman keys create" in refused.stderr
    KeyFolder(tmp_path / "keys").create(tenant="a")
    assert run("--config", str(path), "--host", "0.0.0.0", "--dry-run").returncode == 0


def test_a_second_process_on_one_budget_is_refused_in_words(tmp_path):
    path = tmp_path / "budgets.yaml"
    budgets = {"path": str(tmp_path / "spend"), "total": {"usd": 1, "period": "day"}}
    path.write_text(yaml.safe_dump(config() | {"budgets": budgets}))
    accounts = Accounts(tmp_path / "spend", time.time)
    accounts.open()
    done = run("--config", str(path), "--port", "0")
    assert done.returncode == 1
    assert "another process counts its spending here" in done.stderr
    assert "Traceback" not in done.stderr
    accounts.close()


def test_a_taken_port_is_named(config_file, served):
    port = served[0].rsplit(":", 1)[1]
    done = run("--config", str(config_file), "--port", port)
    assert done.returncode == 1
    assert f"cannot bind 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_config_is_a_message_and_status_1(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("modles: {}")
    done = run("--config", str(path))
    assert done.returncode == 1
    assert "models" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["gunicorn", "--preload", "--workers", "2", "--worker-class", "asgi", "--bind", "127.0.0.1:{port}"],
        ["uvicorn", "--workers", "2", "--factory", "--port", "{port}", "--log-level", "warning"],
    ],
    ids=["gunicorn preload", "uvicorn workers"],
)
def test_other_servers_fork_workers_that_decide(command, config_file, monkeypatch):
    port = free_port()
    target = "pointsman.gateway:create_app" + ("()" if command[0] == "gunicorn" else "")
    arguments = [sys.executable, "-m", *(word.format(port=port) for word in command), target]
    monkeypatch.setenv("POINTSMAN_CONFIG", str(config_file))
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    with Children() as children:
        child = children.start(command[0], arguments)
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(child, url + "/health/ready", 30)
        for _ in range(8):  # each on a connection of its own, so that both workers get some
            assert httpx.post(url + "/v1/route", json=body).status_code == 200
        answer = httpx.post(url + "/v1/chat/completions", json=body)
        assert answer.json()["error"]["code"] == "provider_exhausted"  # nobody listens at the providers' port
        assert "Traceback" not in child.output()
