"""`pointsman explain`, `feedback` and `export`, as a user types them, on a log and a running gateway."""

from __future__ import annotations

import json

import httpx
import pytest
from typer.testing import CliRunner

from pointsman.cli import app
from pointsman.store.rows import decision_rows

from ..gateway.conftest import scripted_gateway

RUN = CliRunner()


def run(*arguments, status=0):
    done = RUN.invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    return done


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "log.db"


@pytest.fixture(scope="module")
def gateway(path):
    with scripted_gateway({}, store={"url": str(path), "flush_every_s": 0}) as served:
        yield served


def ask(gateway, model="nano"):
    body = {"model": model, "messages": [{"role": "user", "content": "What is the capital of Norway?"}]}
    reply = httpx.post(gateway.url + "/v1/chat/completions", json=body, timeout=10)
    return reply.headers["x-pointsman-decision-id"]


def test_explain_shows_the_decision_and_what_became_of_it(gateway, path):
    decision_id = ask(gateway)
    gateway.router.store.flush()
    run("feedback", decision_id, "good", "--name", "thumbs", "--source", "ann", "--url", gateway.url)
    gateway.router.store.flush()
    for where in (("--store", path), ("--url", gateway.url)):
        shown = json.loads(run("explain", decision_id, *where, "--json").output)
        assert (shown["decision_id"], shown["outcome"]["model"]) == (decision_id, "nano")
        assert shown["feedback"][0]["value"] == 1.0
        said = run("explain", f"chatcmpl-{decision_id}", *where).output
        for word in ("nano@alpha", "frontier@gamma", "baseline", "thumbs of ann", "reward"):
            assert word in said


def test_feedback_takes_words_numbers_and_comparisons(gateway):
    one, other = ask(gateway), ask(gateway, "frontier")
    said = json.loads(run("feedback", one, "0.25", "--url", gateway.url, "--json").output)
    assert (said["reward"], said["is_learned"]) == (0.25, True)
    assert "changes nothing" in run("feedback", one, "0.25", "--url", gateway.url).output
    assert "learned" in run("feedback", other, "--over", one, "--url", gateway.url).output


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("dec_0", "good"), 1, "there is no decision 'dec_0'"),
        (("dec_0", "great"), 2, "is no grade"),
        (("dec_0", "7"), 1, "got 7"),
        (("dec_0",), 2, "either a value or --over"),
        (("dec_0", "good", "--over", "dec_1"), 2, "either a value or --over"),
    ],
)
def test_wrong_feedback_is_named(gateway, arguments, status, message):
    assert message in run("feedback", *arguments, "--url", gateway.url, status=status).output


def test_nobody_there_is_a_message(path, tmp_path):
    nobody = ("--url", "http://127.0.0.1:1")
    assert "is it running?" in run("feedback", "dec_0", "good", *nobody, status=1).output
    assert "is it running?" in run("explain", "dec_0", *nobody, status=1).output
    absent = tmp_path / "log.db"
    assert "no such decision log" in run("explain", "dec_0", "--store", absent, status=1).output
    assert not absent.exists()


def test_export_writes_the_days_that_are_asked_for(gateway, path, tmp_path):
    decision_id = ask(gateway)
    gateway.router.store.flush()
    told = json.loads(run("export", tmp_path / "out", "--store", path, "--json").output)
    rows = list(decision_rows(tmp_path / "out"))
    assert told["n_decisions"] == len(rows)
    assert decision_id in {row["decision_id"] for row in rows}
    later = run("export", tmp_path / "none", "--store", path, "--since", "2999-01-01").output
    assert later.startswith("0 decisions of 0 days")
    assert "is no date" in run("export", tmp_path / "x", "--store", path, "--since", "soon", status=2).output


def test_export_finds_the_log_of_the_config(gateway, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "give --store PATH" in run("export", "out", status=1).output
