"""`pointsman simulate` as a user starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import httpx
import pytest

from pointsman.cli.simulate import simulate
from pointsman.simulate import FAULTS, SCENARIOS

COMMAND = [sys.executable, "-m", "pointsman", "simulate"]


def test_serves_a_scenario_writes_a_gateway_config_and_sums_up_at_the_end(tmp_path):
    config = tmp_path / "pointsman.yaml"
    command = [*COMMAND, "--scenario", "calm", "--port", "0", "--json", "--config-out", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        listening = json.loads(process.stdout.readline())
        ask = {"model": "small-1", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}
        answer = httpx.post(listening["providers"]["alpha"] + "/chat/completions", json=ask, timeout=10)
        process.send_signal(signal.SIGINT)
        last = json.loads(process.stdout.read())
        assert process.wait(timeout=10) == 0
    assert answer.status_code == 200
    assert last["summary"]["providers"]["alpha"]["n_complete"] == 1
    dry_run = [sys.executable, "-m", "pointsman", "serve", "--config", str(config), "--dry-run"]
    done = subprocess.run(dry_run, capture_output=True, text=True, check=True, timeout=30)
    assert "6 deployments" in done.stdout


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--scenario", "clam"], 2, "did you mean 'calm'?"),
        (["none.yaml"], 1, "none.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_simulated_is_told(options, status, says, tmp_path):
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_list_names_every_scenario_and_fault_and_help_every_scenario():
    listed = subprocess.run([*COMMAND, "--list"], capture_output=True, text=True, check=True).stdout
    assert all(name in listed for name in (*SCENARIOS, *FAULTS))
    assert ", ".join(SCENARIOS) in " ".join(simulate.__doc__.split())
