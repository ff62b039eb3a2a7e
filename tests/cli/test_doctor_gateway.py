"""What `pointsman doctor` says is on."""

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from pointsman.cli import app
from pointsman.keys import KeyFolder

from ..gateway.conftest import config


def findings(tmp_path, monkeypatch, **sections):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pointsman.yaml").write_text(yaml.safe_dump(config() | sections))
    done = CliRunner().invoke(app, ["doctor", "--offline", "--json"])
    return {each["check"]: each for each in orjson.loads(done.stdout)["findings"]}


def test_nothing_is_on(tmp_path, monkeypatch):
    found = findings(tmp_path, monkeypatch)
    assert "loopback only" in found["keys"]["seen"]
    assert "nothing bounds" in found["budgets"]["seen"]
    assert "/metrics" in found["metrics"]["seen"]


def test_keys_and_budgets_are_counted(tmp_path, monkeypatch):
    budgets = {"total": {"usd": 5, "period": "month"}, "tenants": {"a": {"usd": 1, "window_s": 60}}}
    sections = {"keys": {"path": "k"}, "budgets": budgets}
    assert findings(tmp_path, monkeypatch, **sections)["keys"]["state"] == "warn"
    KeyFolder(tmp_path / "k").create(tenant="a")
    found = findings(tmp_path, monkeypatch, **sections)
    assert found["keys"]["seen"].startswith("1 of 1 may be used")
    assert found["budgets"]["seen"] == "total $5 a month; of 1 tenants and 0 keys"
    assert "admin" in found["metrics"]["seen"]
    (tmp_path / "k" / "keys.json").write_text("{")
    assert findings(tmp_path, monkeypatch, **sections)["keys"]["state"] == "fail"


def test_what_a_restart_forgets_is_a_warning(tmp_path, monkeypatch):
    found = findings(tmp_path, monkeypatch, budgets={"total": {"usd": 5, "period": "day"}})
    assert found["budgets"]["state"] == "warn"


@pytest.mark.parametrize("has_sdk", [False, True])
def test_an_endpoint_without_an_sdk_is_a_warning(tmp_path, monkeypatch, has_sdk):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setattr("pointsman.cli.doctor_gateway.find_spec", lambda name: object() if has_sdk else None)
    assert findings(tmp_path, monkeypatch)["traces"]["state"] == ("ok" if has_sdk else "warn")
