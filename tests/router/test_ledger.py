"""A router logs what it decides where its config says so, and no trouble of the log is a request's."""

import logging

import pytest

from pointsman import ConfigError, ProviderError, Router
from pointsman.config import parse_config
from pointsman.providers.scripted import Answer, Failure, ScriptedProvider
from pointsman.registry import registry_from_config
from pointsman.store.rows import decision_rows

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def router_of(document, **scripts):
    providers = {name: ScriptedProvider(name, scripts.get(name, [Answer("ok")])) for name in PROVIDERS}
    return Router.from_config(document, providers=providers)


async def test_answers_streams_and_failures_are_logged(tmp_path):
    path = tmp_path / "log.db"
    broken = [Failure(500)] * 9
    document = config() | {"store": {"url": str(path), "prompts": "full"}}
    async with router_of(document, beta=broken) as router:
        answer = await router.complete("Is water wet?", model="nano")
        async for _ in router.stream("Is it?", model="frontier"):
            pass
        with pytest.raises(ProviderError):
            await router.complete("Why?", model="middle")
    rows = list(decision_rows(path))
    assert [row["model"] for row in rows] == ["nano", "frontier", None]
    assert [row["is_stream"] for row in rows] == [False, True, False]
    assert rows[0]["decision_id"] == answer.decision.decision_id
    assert rows[1]["answer"]["choices"][0]["message"]["content"] == "ok"
    assert rows[2]["error_code"].startswith("provider_")
    assert rows[2]["attempts"][0]["status"] == 500


async def test_signals_and_feedback_on_an_answer_are_one_outcome(tmp_path):
    path = tmp_path / "log.db"
    sections = {"store": {"url": str(path)}, "signals": {"retry_window_s": 0}}
    wants_json = {"response_format": {"type": "json_object"}}
    async with router_of(config() | sections, alpha=[Answer("not json at all")]) as router:
        answer = await router.complete("Give me JSON.", model="nano", **wants_json)
        await router.signals.settle()
        decision_id = answer.decision.decision_id
        taken = await router.feedback(decision_id, True, name="thumbs")
        assert 0 < taken.reward < 1  # the failed gate said otherwise
        rows = router.store.feedback_on(decision_id) if router.store.flush() else []
    assert {row["name"]: row["value"] for row in rows} == {"signals": 0.0, "thumbs": 1.0}
    (row,) = decision_rows(path)
    assert row["reward"] == pytest.approx(taken.reward)


async def test_without_the_section_nothing_is_written_anywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with router_of(config()) as router:
        await router.complete("Is water wet?", model="nano")
        assert router.store is None
    assert list(tmp_path.iterdir()) == []


async def test_an_empty_section_logs_to_the_users_folder_for_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with router_of(config() | {"store": None}) as router:
        await router.complete("Is water wet?", model="nano")
    assert len(list(decision_rows(tmp_path / "pointsman" / "pointsman.db"))) == 1


async def test_a_dead_database_fails_no_request(caplog):
    document = config() | {"store": {"url": "postgresql://nobody@127.0.0.1:1/none", "flush_every_s": 0}}
    async with router_of(document) as router:
        for _ in range(5):
            await router.complete("Is water wet?", model="nano")
    said = [record.getMessage() for record in caplog.records if record.name == "pointsman.store"]
    assert sum("cannot be opened yet" in line for line in said) == 1
    assert sum("cannot be written" in line for line in said) <= 1
    assert router.store.counts["dropped"] == 5


async def test_a_reload_logs_elsewhere_or_nowhere(tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    async with router_of(config() | {"store": {"url": str(first)}}) as router:
        await router.complete("one", model="nano")
        for section in ({"url": str(second)}, {"url": "/proc/nowhere/log.db"}, None):
            document = config() | ({} if section is None else {"store": section})
            await router.swap(registry_from_config(parse_config(document)))
            await router.complete("two", model="nano")
        assert router.store is None
    assert (len(list(decision_rows(first))), len(list(decision_rows(second)))) == (1, 1)
    assert "decisions are not logged until the next reload" in caplog.text


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"url": "mysql://h/d"}, "of a database that is not supported"),
        ({"prompts": "ful"}, "prompts"),
        ({"retention": {"days": 0}}, "days"),
        ({"flush_every_s": 61}, "flush_every_s"),
        ({"ulr": "x"}, "did you mean"),
    ],
)
def test_wrong_sections_are_named(section, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(config() | {"store": section})


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@127.0.0.1:1/d", "mysql://u:hunter2@h/d"])
def test_a_password_is_in_no_text(url, caplog):
    said = ""
    try:
        section = parse_config(config() | {"store": {"url": url}}).store
        said += repr(section) + repr(Router.from_config(config() | {"store": {"url": url}}).registry.config)
    except ConfigError as error:
        said += str(error)
    assert said
    assert "hunter2" not in said + caplog.text
