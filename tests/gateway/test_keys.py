"""Keys over HTTP: every route asks for one, tenants see nothing of each other, changes are live."""

import time
from contextlib import contextmanager

import httpx
import pytest
from starlette.routing import Route

from pointsman.config import parse_config
from pointsman.errors import ConfigError
from pointsman.gateway.app import create_app
from pointsman.gateway.guard import ADMIN_PATHS, OPEN_PATHS
from pointsman.keys import KeyFolder
from pointsman.providers import Answer
from pointsman.registry import registry_from_config
from pointsman.router import Router
from pointsman.spend import Allowance, Window

from .conftest import PROVIDERS, config, scripted_gateway


@contextmanager
def keyed(folder, scripts=None, **sections):
    with scripted_gateway(scripts or {}, keys={"path": str(folder.path)}, **sections) as served:
        yield served


@pytest.fixture
def folder(tmp_path):
    return KeyFolder(tmp_path / "keys")


def bearer(secret):
    return {"authorization": f"Bearer {secret}"}


def ask(gateway, secret, text="hi", path="/v1/chat/completions", **changes):
    body = {"model": "auto", "messages": [{"role": "user", "content": text}]} | changes
    return httpx.post(gateway.url + path, json=body, headers=bearer(secret), timeout=10)


def every_route(folder):
    settings = config() | {"keys": {"path": str(folder.path)}, "cache": {}}
    app = create_app(router=Router(registry_from_config(parse_config(settings))))
    routes = [route for route in app._app.routes if isinstance(route, Route)]
    assert {route.path for route in routes} >= {
        "/v1/chat/completions",
        "/v1/models",
        "/v1/cache",
        "/v1/feedback",
    }
    return sorted((method, route.path) for route in routes for method in route.methods)


def test_every_route_needs_a_key_but_those_of_health(folder):
    _, secret = folder.create(tenant="a")
    with keyed(folder, cache={}) as gateway:
        for method, path in [*every_route(folder), ("GET", "/nowhere"), ("PUT", "/v1/models")]:
            url = gateway.url + path.replace("{entry_id}", "0" * 16).replace("{name:path}", "nano")
            answer = httpx.request(method, url, headers=bearer("pm_0_0"))
            if path in OPEN_PATHS:
                assert answer.status_code == 200, path
                continue
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            if method != "HEAD":
                error = answer.json()["error"]
                is_anthropics = path.startswith("/v1/messages")
                kind = "authentication_error" if is_anthropics else "invalid_request_error"
                assert (error["code"], error["type"]) == ("caller_key_invalid", kind)
            known = httpx.request(method, url, headers=bearer(secret)).status_code
            assert known == (403 if path in ADMIN_PATHS else known)
            assert known != 401, path


def test_the_key_comes_as_bearer_or_as_anthropic_sends_it(folder):
    _, secret = folder.create(tenant="a")
    with keyed(folder) as gateway:
        url = gateway.url + "/v1/models"
        for headers in (bearer(secret), {"x-api-key": secret}, {"authorization": f"bearer {secret}"}):
            assert httpx.get(url, headers=headers).status_code == 200
        none = httpx.get(url)
        assert none.json()["error"]["code"] == "caller_key_missing"
        assert "authorization" in none.json()["error"]["message"].lower()
        basic = httpx.get(url, headers={"authorization": f"Basic {secret}"})
        assert (basic.status_code, secret in basic.text) == (401, False)


def test_keys_come_and_go_while_the_gateway_runs(folder):
    key, secret = folder.create(tenant="a")
    with keyed(folder) as gateway:
        assert ask(gateway, secret).status_code == 200
        _, second = folder.create(tenant="b")
        eventually(lambda: ask(gateway, second).status_code == 200)
        folder.revoke(key.key_id)
        eventually(lambda: ask(gateway, secret).status_code == 401)
        assert ask(gateway, secret).json()["error"]["code"] == "caller_key_revoked"
        kept = folder.file.read_bytes()
        folder.file.write_bytes(b"{")  # the keys of before hold
        eventually(lambda: httpx.get(gateway.url + "/health/ready").json()["config"]["state"] == "rejected")
        assert ask(gateway, second).status_code == 200
        assert httpx.get(gateway.url + "/health/ready").json()["config"]["problems"] == []
        folder.file.write_bytes(kept)
        eventually(lambda: httpx.get(gateway.url + "/health/ready").json()["config"]["state"] == "current")


def eventually(is_so, within_s=10.0):
    end_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_a_key_is_kept_to_its_models(folder):
    _, small = folder.create(tenant="a", models=("middle", "nano", "gone"))
    _, all_of_them = folder.create(tenant="a")
    with keyed(folder, cache={"audit_rate": 0}) as gateway:
        listed = httpx.get(gateway.url + "/v1/models", headers=bearer(small)).json()["data"]
        assert {"nano", "middle"} <= {model["id"] for model in listed}
        assert "frontier" not in {model["id"] for model in listed}
        assert httpx.get(gateway.url + "/v1/models/frontier", headers=bearer(small)).status_code == 404
        best = {"model": "auto:best"}
        assert ask(gateway, all_of_them, **best).headers["x-pointsman-model"] == "frontier"
        # What another key of the tenant may use answers nothing here, and the order of the list says nothing.
        assert ask(gateway, small, **best).headers["x-pointsman-model"] == "middle"
        assert ask(gateway, small, model="auto:cheap").headers["x-pointsman-model"] == "nano"
        pinned = ask(gateway, small, model="frontier")
        assert (pinned.status_code, pinned.json()["error"]["code"]) == (403, "caller_model_not_allowed")
        assert ask(gateway, small, models=["nano", "frontier"]).status_code == 403
        assert ask(gateway, small, model="nano").status_code == 200
        assert ask(gateway, small, model="nosuch").status_code == 403
        assert ask(gateway, small, path="/v1/route", model="frontier").status_code == 403


def test_a_key_is_told_of_no_candidate_that_it_may_not_use(folder):
    _, secret = folder.create(tenant="a", models=("middle", "nano"))
    _, all_of_them = folder.create(tenant="a")

    def named(candidates):
        return {candidate["model"] for candidate in candidates}

    with keyed(folder) as gateway:
        never = {"pointsman": {"min_quality": 1.0}}
        refused = ask(gateway, secret, **never)
        assert refused.status_code == 422
        assert named(refused.json()["error"]["candidates"]) == {"middle", "nano"}
        assert "frontier" in named(ask(gateway, all_of_them, **never).json()["error"]["candidates"])
        route = ask(gateway, secret, path="/v1/route").json()
        assert named(route["candidates"]) == {"middle", "nano"}
        assert "frontier" in named(ask(gateway, all_of_them, path="/v1/route").json()["candidates"])
        for path, asked in (("/v1/chat/completions", {}), ("/v1/messages", {"max_tokens": 9})):
            explained = ask(gateway, secret, path=path, pointsman={"explain": True}, **asked).json()
            assert named(explained["pointsman_metadata"]["candidates"]) == {"middle", "nano"}


def test_a_key_for_models_that_are_gone_is_told(folder):
    _, secret = folder.create(tenant="a", models=("gone",))
    with keyed(folder) as gateway:
        answer = ask(gateway, secret)
        assert answer.status_code == 422
        assert "permitted" in answer.json()["error"]["message"]


def test_a_tenant_sees_only_its_own_cache_over_http(folder):
    secrets = {tenant: folder.create(tenant=tenant)[1] for tenant in ("a", "default")}
    with keyed(folder, cache={"audit_rate": 0}) as gateway:
        for secret in secrets.values():
            replies = [ask(gateway, secret, "What is the capital of Norway?", model="nano") for _ in range(2)]
            assert [reply.headers["x-pointsman-cache"] for reply in replies] == ["miss", "exact"]
        for tenant, secret in secrets.items():
            check_own_entry(gateway, secret, [secrets[other] for other in secrets.keys() - {tenant}])


def check_own_entry(gateway, secret, others):
    url = gateway.url + "/v1/cache/entries"
    (entry,) = httpx.get(url, headers=bearer(secret)).json()["data"]
    assert entry["namespace"] == "default"
    assert httpx.get(gateway.url + "/v1/cache", headers=bearer(secret)).json()["n_entries"] == 1
    one = f"{url}/{entry['id']}"
    assert httpx.get(one, headers=bearer(secret)).status_code == 200
    graded = {"entry_id": entry["id"], "name": "right", "value": False}
    for headers in map(bearer, others):
        assert httpx.get(one, headers=headers).status_code == 404
        assert httpx.patch(one, json={"answer": "no"}, headers=headers).status_code == 404
        assert httpx.delete(one, headers=headers).status_code == 404
        assert httpx.post(gateway.url + "/v1/feedback", json=graded, headers=headers).status_code == 404


def test_clearing_everything_clears_ones_own(folder):
    secrets = {tenant: folder.create(tenant=tenant)[1] for tenant in ("a", "b")}
    with keyed(folder, cache={"audit_rate": 0}) as gateway:
        for secret in secrets.values():
            ask(gateway, secret, "What is the capital of Norway?", model="nano")
        url = gateway.url + "/v1/cache"
        for _ in range(2):
            gone = httpx.delete(url, params={"namespace": "*"}, headers=bearer(secrets["a"])).json()
        assert gone["n_deleted"] == 0
        assert httpx.get(url, headers=bearer(secrets["b"])).json()["n_entries"] == 1
        named = httpx.delete(url, params={"namespace": "default"}, headers=bearer(secrets["b"])).json()
        assert named["n_deleted"] == 1


def test_a_scope_cannot_be_spelt_as_a_tenants(folder):
    _, secret = folder.create(tenant="default")
    with keyed(folder, cache={}) as gateway:
        answer = ask(gateway, secret, pointsman={"cache": {"scope": "a\ndefault"}})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "pointsman.cache.scope")


# ---- what a key may spend, and how fast


def test_a_key_without_money_is_told_what_when_and_why(folder):
    _, secret = folder.create(tenant="a", budgets=(Allowance(1e-6, Window(period="day")),))
    _, rich = folder.create(tenant="a", budgets=(Allowance(1, Window(period="day")),))
    with keyed(folder) as gateway:
        answer = ask(gateway, secret, max_tokens=100)
        assert answer.status_code == 402
        error = answer.json()["error"]
        assert (error["code"], error["type"]) == ("policy_budget", "policy_error")
        assert error["budget"]["limit_usd"] == 1e-6
        assert error["budget"]["scope"].startswith("key:")
        assert 0 < int(answer.headers["retry-after"]) <= 86_400
        anthropic = httpx.post(
            gateway.url + "/v1/messages",
            json={"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]},
            headers={"x-api-key": secret},
        )
        assert (anthropic.status_code, anthropic.json()["type"]) == (402, "error")
        with httpx.stream(
            "POST",
            gateway.url + "/v1/chat/completions",
            json={"model": "auto", "stream": True, "messages": [{"role": "user", "content": "hi"}]},
            headers=bearer(secret),
        ) as stream:
            assert stream.status_code == 402
        assert gateway.calls() == 0
        assert ask(gateway, rich).status_code == 200
        (budget,) = httpx.get(gateway.url + "/v1/budgets", headers=bearer(rich)).json()["data"]
        assert (budget["limit_usd"], budget["window"]) == (1, "day")
        assert 0 < budget["used_usd"] < 1


def test_a_dear_first_choice_gives_way_to_what_fits(folder):
    _, secret = folder.create(tenant="a", budgets=(Allowance(0.0002, Window(period="day")),))
    with keyed(folder) as gateway:
        answer = ask(gateway, secret, model="auto:best", max_tokens=50)
        assert answer.headers["x-pointsman-model"] == "middle"
        assert answer.headers["x-pointsman-reason"].startswith("fallback from frontier@gamma (policy_budget)")


def test_rate_limits_are_the_keys_and_told_on_every_answer(folder):
    script = {name: [Answer("ok", headers={"x-ratelimit-limit-requests": "9"})] for name in PROVIDERS}
    _, secret = folder.create(tenant="a", requests_per_min=2, tokens_per_min=100_000)
    _, free = folder.create(tenant="b")
    with keyed(folder, script) as gateway:
        answers = [ask(gateway, secret) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        left = [answer.headers["x-ratelimit-remaining-requests"] for answer in answers]
        assert left == ["1", "0", "0"]
        assert answers[0].headers.get_list("x-ratelimit-limit-requests") == ["2"]
        assert answers[0].headers["x-ratelimit-limit-tokens"] == "100000"
        error = answers[2].json()["error"]
        assert (error["code"], error["type"]) == ("caller_rate_limited", "rate_limit_error")
        assert 25 <= int(answers[2].headers["retry-after"]) <= 30
        # Upstream's stand where the key has none of its own.
        assert ask(gateway, free).headers["x-ratelimit-limit-requests"] == "9"


def test_a_second_process_on_one_budget_does_not_start(folder):
    def second():
        admission = Router.from_config(config() | {"keys": {"path": str(folder.path)}}).admission
        admission.accounts.open()
        admission.close()

    with keyed(folder):
        second()  # no key has a budget: any number of processes may serve
    folder.create(tenant="a", budgets=(Allowance(1, Window(period="day")),))
    with keyed(folder), pytest.raises(ConfigError, match="another process"):
        second()
