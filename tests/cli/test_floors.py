"""`pointsman floors`, as a user types it, on a running gateway that audits its traffic."""

from __future__ import annotations

import json

import anyio
import httpx
import pytest
from typer.testing import CliRunner

from pointsman.cli import app

from ..gateway.conftest import scripted_gateway

RUN = CliRunner()
VERDICTS = [{"task": "town", "grader": "empty", "audit_share": 1.0}]


@pytest.fixture(scope="module")
def gateway():
    with scripted_gateway({}, signals={"verdicts": VERDICTS}) as served:
        yield served


def floors(*arguments):
    done = RUN.invoke(app, ["floors", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_audited_by_whom_and_what_still_lacks_is_listed(gateway):
    assert "nothing graded yet" in floors("--url", gateway.url)
    body = {"model": "middle", "messages": [{"role": "user", "content": "Which town?"}]}
    for _ in range(3):
        asked = body | {"pointsman": {"task": "town"}}
        assert httpx.post(gateway.url + "/v1/chat/completions", json=asked, timeout=10).status_code == 200
    anyio.run(gateway.router.signals.settle)
    listed = floors("--url", gateway.url)
    assert "middle@beta" in listed
    assert "none: 347 audits to go" in listed
    assert "empty, 100%" in listed
    (floor,) = json.loads(floors("--url", gateway.url, "--json"))["data"]
    assert (floor["grader"], floor["n_graded"], floor["certificates"]) == ("empty", 3, [])
