"""`GET /metrics` and logs of a gateway: what it counts, who may see it, and that nothing secret gets in."""

import os
import subprocess
import sys

import httpx
import orjson
import yaml

from pointsman.cli.demo.processes import Children, free_port, wait_until_ready
from pointsman.keys import KeyFolder

from .conftest import config, scripted_gateway
from .test_keys import bearer


def ask(url, headers=None, text="hi", **changes):
    body = {"model": "auto", "messages": [{"role": "user", "content": text}]} | changes
    return httpx.post(url + "/v1/chat/completions", json=body, headers=headers or {}, timeout=10)


def test_metrics_tell_of_requests_refusals_and_how_things_stand():
    budgets = {"total": {"usd": 2, "period": "day"}, "tenants": {"acme": {"usd": 1, "window_s": 60}}}
    with scripted_gateway({}, cache={}, budgets=budgets) as gateway:
        ask(gateway.url)
        assert ask(gateway.url, pointsman={"min_quality": 1}).status_code == 422
        assert httpx.post(gateway.url + "/v1/feedback", json={"value": True}).status_code == 400
        told = httpx.get(gateway.url + "/metrics")
        assert told.headers["content-type"].startswith("text/plain")
        lines = told.text.splitlines()
    assert any(line.startswith("pointsman_requests_total{") and line.endswith(" 1.0") for line in lines)
    assert 'pointsman_refused_requests_total{code="no_feasible_deployment"} 1.0' in lines
    assert 'pointsman_feedback_total{outcome="refused"} 1.0' in lines
    assert 'pointsman_deployment_state{deployment="nano@alpha",state="well"} 1.0' in lines
    assert 'pointsman_deployment_calls{deployment="nano@alpha"} 0.0' in lines
    assert 'pointsman_deployment_calls_limit{deployment="nano@alpha"} 200.0' in lines
    assert 'pointsman_budget_limit_usd{scope="tenant:acme",window="60.0s"} 1.0' in lines
    assert "pointsman_cache_entries 1.0" in lines
    assert {"pointsman_cache_expired_total 0.0", "pointsman_cache_target_error 0.01"} <= set(lines)
    assert "pointsman_deployments 4.0" in lines


def test_only_an_admin_sees_metrics_where_there_are_keys(tmp_path):
    folder = KeyFolder(tmp_path / "keys")
    _, plain = folder.create(tenant="a")
    _, admin = folder.create(tenant="a", is_admin=True)
    with scripted_gateway({}, keys={"path": str(folder.path)}) as gateway:
        url = gateway.url + "/metrics"
        assert httpx.get(url).status_code == 401
        refused = httpx.get(url, headers=bearer(plain))
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "caller_not_admin")
        text = httpx.get(url, headers=bearer(admin)).text
    assert 'pointsman_refused_requests_total{code="caller_key_missing"} 1.0' in text


def test_the_gateways_json_log_has_decisions_and_no_secrets(tmp_path):
    folder = KeyFolder(tmp_path / "keys")
    _, secret = folder.create(tenant="acme")
    path = tmp_path / "pointsman.yaml"
    path.write_text(yaml.safe_dump(config() | {"keys": {"path": str(folder.path)}, "cache": {}}))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    serve = [sys.executable, "-m", "pointsman", "serve", "--log-format", "json", "--config", str(path)]
    with Children() as children:
        child = children.start("gateway", [*serve, "--port", str(port), "--with-parent"])
        wait_until_ready(child, url + "/health/ready", 30)
        # Nobody listens at the providers' port, so every call fails.
        answer = ask(url, bearer(secret), text="my password is swordfish-7731")
        assert answer.status_code == 502
        ask(url, bearer(secret + "x"))
        decision_id = answer.headers["x-pointsman-decision-id"]
        child.process.terminate()
        child.process.wait(10)
        output = child.output()
    logged = [orjson.loads(line) for line in output.splitlines() if line.startswith("{")]
    (request,) = [line for line in logged if line["logger"] == "pointsman.requests"]
    assert (request["decision_id"], request["code"]) == (decision_id, "provider_exhausted")
    assert "swordfish" not in output
    assert secret.split("_")[2] not in output


def test_import_of_the_library_brings_no_telemetry():
    code = "import sys, pointsman, pointsman.router; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert not {"prometheus_client", "opentelemetry"} & set(done.stdout.split())
