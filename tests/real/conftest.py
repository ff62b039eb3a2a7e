"""A gateway in front of a real model server (SmolLM2-135M by llama.cpp); skipped where it is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.cli.demo.processes import (
    Children,
    free_port,
    serve_command,
    simulate_command,
    wait_for_line,
    wait_until_ready,
)
from pointsman.cli.demo.realmodel import RealModel

REALPARTS = Path(__file__).parents[2] / ".realparts"
MODEL = RealModel(
    python=REALPARTS / "llama-venv" / "bin" / "python",
    weights=REALPARTS / "models" / "smollm2-135m-instruct-q4_1.gguf",
)
OLD_CLIENT = REALPARTS / "openai2-venv" / "bin" / "python"
# SmolLM2 never calls a tool, whatever `tool_choice` says; the simulated model always does.
TOOL_CALLER = {"providers": {"simulated": {"models": ["tool-caller"]}}}
CONFIG = """
cache: {{audit_rate: 0}}
providers:
  local: {{base_url: "http://127.0.0.1:{model_port}/v1"}}
  simulated: {{base_url: "{simulated_url}"}}
models:
  tool-caller: {{quality: 0.5, context_window: 4096, capabilities: [tools]}}
  smollm2:
    quality: 0.5
    context_window: 4096
    capabilities: [tools, json_object, json_schema, logprobs]
deployments:
  - {{model: tool-caller, provider: simulated, price_usd_per_mtok: {{input: 9, output: 9}}}}
  - {{model: smollm2, provider: local, price_usd_per_mtok: {{input: 0.04, output: 0.04}}}}
"""


@pytest.fixture(scope="session")
def real_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL (with /v1) of `pointsman serve`, as a user starts it."""
    if not (MODEL.python.exists() and MODEL.weights.exists()):
        pytest.skip("the real model is not installed: make realparts")
    model_port, port = free_port(), free_port()
    config = tmp_path_factory.mktemp("real") / "pointsman.yaml"
    with Children() as children:
        script = config.with_name("simulated.yaml")
        script.write_text(json.dumps(TOOL_CALLER))
        simulated = children.start("simulated", simulate_command(script))
        simulated_url = json.loads(wait_for_line(simulated, 30))["providers"]["simulated"]
        config.write_text(CONFIG.format(model_port=model_port, simulated_url=simulated_url))
        model = children.start("model", MODEL.command(model_port, "smollm2"))
        gateway = children.start("gateway", serve_command(config, port))
        wait_until_ready(model, f"http://127.0.0.1:{model_port}/health", 120)
        wait_until_ready(gateway, f"http://127.0.0.1:{port}/health/ready", 30)
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture(params=["newest", "2.x"])
def client_python(request: pytest.FixtureRequest) -> str:
    """A Python whose `openai` is of that version."""
    if request.param == "newest":
        return sys.executable
    if not OLD_CLIENT.exists():
        pytest.skip("the older openai client is not installed: make realparts")
    return str(OLD_CLIENT)


def run_client(python: str, script: str, base_url: str) -> str:
    """Run a client script as a user would; it finds the gateway in OPENAI_BASE_URL. Returns what it prints."""
    done = subprocess.run(
        [python, "-c", script],
        env={"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "unused", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
