"""Tenants and their caches, whatever they ask in which order."""

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.cache import entries
from pointsman.keys import Key
from pointsman.providers import Answer, ScriptedProvider
from pointsman.router import Router

from ..gateway.conftest import PROVIDERS, config

TENANTS = (None, "a", "b", "default")
SCOPES = (None, "a", "x")
TEXTS = ("What is the capital of Norway?", "What is the capital of Sweden?")
ASKED = st.lists(st.tuples(*map(st.sampled_from, (TENANTS, SCOPES, TEXTS))), max_size=12)


def key_of(tenant):
    return Key(key_id=tenant + "1", digest=bytes(32), tenant=tenant) if tenant else None


async def ask(router, tenant, scope, text):
    body = {"model": "nano", "messages": [{"role": "user", "content": text}]}
    if scope:
        body["pointsman"] = {"cache": {"scope": scope}}
    chat = router.parse(body, {}, key=key_of(tenant))
    return await router.run(chat, router.decide_request(chat), 0.0)


@given(ASKED)
@settings(max_examples=40, deadline=None)
def test_a_tenant_meets_only_its_own_entries(asked):
    async def check():
        providers = {name: ScriptedProvider(name, [Answer("x")]) for name in PROVIDERS}
        router = Router.from_config(config() | {"cache": {"audit_rate": 0}}, providers=providers)
        known = set()
        for tenant, scope, text in asked:
            # Without keys there is one tenant, the default one.
            place = (tenant or "default", scope or "default", text)
            answer = await ask(router, tenant, scope, text)
            assert answer.cache.status == ("exact" if place in known else "miss")
            known.add(place)
        check_views(router.cache, known)
        await router.aclose()

    anyio.run(check)


def check_views(cache, known):
    cache.insert_waiting()
    ids = {entry["id"] for entry in entries.list_entries(cache, None, after=None, limit=100)["data"]}
    assert len(ids) == len(known)
    for tenant in ("a", "b", "default", "c"):
        listed = entries.list_entries(cache, None, after=None, limit=100, tenant=tenant)["data"]
        own = {place[1:] for place in known if place[0] == tenant}
        assert {(entry["namespace"], entry["text"]) for entry in listed} == own
        assert entries.count_owned(cache, tenant)["n_entries"] == len(own)
        for other in ids - {entry["id"] for entry in listed}:
            assert entries.show_entry(cache, other, tenant) is None
            assert not entries.delete_entry(cache, other, tenant)
            assert not entries.correct_entry(cache, other, "no", tenant)
    for tenant in ("a", "b", "default"):
        n_own = len({place for place in known if place[0] == tenant})
        assert entries.clear_entries(cache, None, tenant) == n_own
