"""Outside the gate: `make conformance` sets the variable without which nothing is collected here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from pointsman.cli.demo.processes import Children, free_port, serve_command, wait_until_ready
from pointsman.simulate import Server, Simulation, parse_script, serving_in_thread
from pointsman.simulate.fleet import gateway_config

collect_ignore_glob = [] if os.environ.get("POINTSMAN_CONFORMANCE") else ["test_*.py"]

SCRIPT = {
    "providers": {
        "alpha": {
            "models": {"small-1": {"quality": 0.6}},
            "latency": {"ttft_p50_ms": 2, "tokens_per_s": 2000},
        },
        "beta": {
            "models": {"large-1": {"quality": 0.9, "price_usd_per_mtok": {"input": 3, "output": 9}}},
            "latency": {"ttft_p50_ms": 2, "tokens_per_s": 2000},
        },
    }
}


@pytest.fixture(scope="session")
def simulator() -> Iterator[Server]:
    with serving_in_thread(Simulation(parse_script(SCRIPT))) as server:
        yield server


@contextmanager
def serving_gateway(config: dict[str, Any]) -> Iterator[str]:
    """Address of `pointsman serve`, as a user starts it."""
    with Children() as children:
        path, port = children.directory / "pointsman.yaml", free_port()
        path.write_text(json.dumps(config))  # JSON is YAML
        child = children.start("gateway", serve_command(path, port))
        wait_until_ready(child, f"http://127.0.0.1:{port}/health/ready", 60)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def gateway(simulator: Server) -> Iterator[str]:
    """Address of a gateway in front of the simulator."""
    with serving_gateway(gateway_config(simulator.simulation.script, simulator.address)) as address:
        yield address


@pytest.fixture(scope="session")
def is_served(gateway: str) -> dict[str, bool]:
    """Whether the gateway serves an endpoint: a version without it answers `caller_unknown_endpoint`."""
    paths = ("/v1/chat/completions", "/v1/messages", "/v1/responses")
    return {
        path: "caller_unknown_endpoint" not in httpx.post(gateway + path, json={}, timeout=10).text
        for path in paths
    }
