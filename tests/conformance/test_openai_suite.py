"""openai-python's own tests of chat completions, out of its source package, against the gateway."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile

import pytest

from pointsman.simulate import Simulation, parse_script, serving_in_thread
from pointsman.simulate.fleet import gateway_config
from tests.conformance.conftest import serving_gateway
from tests.conformance.environments import SUITE, SUITE_VERSION, NotInstallable

MODEL = "gpt-6-astra"  # the one that tests which create a completion name
N_TESTS = 40
PYTEST = "-m pytest -q -p no:cacheprovider -o addopts= -o asyncio_mode=auto -k create tests/api_resources/chat/test_completions.py"


@pytest.fixture(scope="module")
def suite():
    """The folder of the source package, and the Python that runs its tests."""
    try:
        home = SUITE.installed()
    except NotInstallable as reason:
        pytest.skip(str(reason))
    source, python = home / f"openai-{SUITE_VERSION}", home / "bin" / "python"
    if not source.exists():
        download = [str(python), "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "openai"]
        done = subprocess.run([*download, f"openai=={SUITE_VERSION}"], cwd=home, check=False)
        if done.returncode:
            pytest.skip("the source package of openai cannot be downloaded")
        with tarfile.open(home / f"openai-{SUITE_VERSION}.tar.gz") as packed:
            packed.extractall(home, filter="data")
    return source, str(python)


def test_every_test_of_creating_a_chat_completion_passes(suite):
    source, python = suite
    script = parse_script({"providers": {"alpha": {"models": [MODEL]}}})
    with serving_in_thread(Simulation(script)) as server:
        config = gateway_config(script, server.address)
        config["models"][MODEL]["capabilities"] += ["audio", "vision", "reasoning", "pdf"]
        with serving_gateway(config) as address:
            done = subprocess.run(
                [python, *PYTEST.split()],
                cwd=source,
                env={**os.environ, "TEST_API_BASE_URL": f"{address}/v1"},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= N_TESTS
