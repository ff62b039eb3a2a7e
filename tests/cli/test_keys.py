"""`pointsman keys` as a user runs it."""

from pathlib import Path

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from pointsman.cli import app
from pointsman.keys import KeyFolder

from ..gateway.conftest import config


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, ["keys", *arguments])


def test_create_list_revoke(run, tmp_path):
    (tmp_path / "pointsman.yaml").write_text(yaml.safe_dump(config() | {"keys": {"path": "secrets"}}))
    done = run(
        "create", "--tenant", "acme", "--name", "ci", "--model", "nano", "--budget", "20/day", "--budget", "1/3600s",
        "--requests-per-min", "60", "--expires", "90d",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    secret = done.stdout.split()[0]
    key = KeyFolder(tmp_path / "secrets").load().check(secret, 0.0)
    assert (key.tenant, key.models, key.requests_per_min) == ("acme", ("nano",), 60)
    assert [budget.to_json() for budget in key.budgets] == [
        {"usd": 20.0, "period": "day"},
        {"usd": 1.0, "window_s": 3600.0},
    ]
    listed = run("list", "--json")
    assert secret.split("_")[2] not in listed.stdout
    (row,) = orjson.loads(listed.stdout)["keys"]
    assert (row["id"], row["tenant"], "digest" in row) == (key.key_id, "acme", False)
    assert key.key_id in run("list").stdout
    assert run("revoke", key.key_id).exit_code == 0
    assert orjson.loads(run("list", "--json").stdout)["keys"][0]["state"] == "revoked"


def test_create_in_json_has_the_key_once(run):
    made = orjson.loads(run("create", "--folder", "k", "--admin", "--json").stdout)
    assert KeyFolder(Path("k")).load().check(made["key"], 0.0).is_admin


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["create", "--folder", "k", "--budget", "20/week"], 2, "DOLLARS/day"),
        (["create", "--folder", "k", "--budget", "lots/day"], 2, "DOLLARS/day"),
        (["create", "--folder", "k", "--tenant", "a b"], 2, "without spaces"),
        (["create", "--folder", "k", "--expires", "soon"], 2, "duration"),
        (["revoke", "--folder", "k", "nosuch"], 1, "no key 'nosuch'"),
    ],
)
def test_what_is_wrong_is_said(run, arguments, status, said):
    done = run(*arguments)
    assert done.exit_code == status
    assert said in done.stderr
    assert not KeyFolder(Path("k")).load().keys


def test_a_small_budget_is_listed_without_an_exponent(run):
    run("create", "--folder", "k", "--budget", "0.00003/day")
    run("create", "--folder", "k", "--budget", "20/month")
    listed = run("list", "--folder", "k").output
    assert "$0.00003/day" in listed
    assert "$20/month" in listed


def test_without_a_section_the_remedy_is_named(run, tmp_path):
    (tmp_path / "pointsman.yaml").write_text(yaml.safe_dump(config()))
    assert "keys: {path: pointsman-keys}" in str(run("create").exception)
