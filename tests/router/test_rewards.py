"""What the router learns from looking at answers, off the reply path."""

import logging

import anyio
import pytest

from pointsman import ConfigError, Router
from pointsman.config import parse_config
from pointsman.providers.scripted import Answer, Failure, ScriptedProvider
from pointsman.registry import registry_from_config
from pointsman.router import rewards

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio
ASKED = "Give me the town as JSON with its name"
JSON = {"type": "json_object"}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def routed(signals=None, **scripts):
    providers = {name: ScriptedProvider(name, scripts.get(name, [Answer("ok")])) for name in PROVIDERS}
    document = config() if signals is None else config() | {"signals": signals}
    router = Router.from_config(document, providers=providers)
    told = []
    if router.signals is not None:
        observe = router.observe
        router.signals._observe = lambda outcome: (told.append(outcome), observe(outcome))
    return router, told, providers


async def ask(router, text=ASKED, model="nano", **arguments):
    answer = await router.complete(text, model=model, **arguments)
    await router.signals.settle()
    return answer


async def test_without_the_section_no_answer_is_looked_at():
    router, _, _ = routed()
    async with router:
        await router.complete(ASKED, model="nano")
        assert router.signals is None


async def test_a_model_that_breaks_its_json_is_predicted_worse():
    router, told, _ = routed({}, alpha=[Answer("no json")])
    async with router:
        before = router.decide(ASKED, model="nano", response_format=JSON).predicted_quality
        for _ in range(60):
            await ask(router, response_format=JSON)
        after = router.decide(ASKED, model="nano", response_format=JSON).predicted_quality
        other = router.decide(ASKED, model="frontier", response_format=JSON).predicted_quality
    assert {outcome.reward for outcome in told} == {0.0}
    assert after < before - 0.2
    assert other > 0.8
    assert router.signals.counts["json"] == router.signals.counts["json_low"] == 60


async def test_a_stream_is_looked_at_too():
    router, _, _ = routed({}, alpha=[Answer("no json", n_chunks=3)])
    async with router:
        async for _ in router.stream(ASKED, model="nano", response_format=JSON):
            pass
        await router.signals.settle()
        assert router.signals.counts["json_low"] == 1


async def test_kept_answers_and_failures_teach_nothing():
    router, _, _ = routed({}, alpha=[Answer("ok"), Failure(status=400)])
    async with router:
        await ask(router)
        with pytest.raises(Exception, match="400"):
            await ask(router, "Another question")
        await router.signals.settle()
        assert router.signals.counts["empty"] == 1


async def test_a_question_asked_again_speaks_against_the_former_answer():
    router, told, _ = routed({})
    async with router:
        first = await ask(router, "What is the capital of Norway?", session_id="s")
        assert not told
        second = await ask(router, "What is the capital of Norway please?", session_id="s")
        signals = {
            signal.name: signal.value for signal in router.signals.signals_of(first.decision.decision_id)
        }
        assert signals["retry"] == 0.0
        router.signals.expire(now_s=9e9)
        signals = {
            signal.name: signal.value for signal in router.signals.signals_of(second.decision.decision_id)
        }
        assert signals["retry"] == 1.0


async def test_a_grade_comes_instead_of_what_signals_say():
    router, told, _ = routed({})
    async with router:
        answer = await ask(router, session_id="s")
        assert router.signals.graded(answer.decision.decision_id, 1.0) == 1.0
        router.signals.expire(now_s=9e9)
    assert not told
    assert router.signals.errors("refusal").tpr > 0.98


async def test_a_grade_after_the_signals_counts_what_they_left():
    router, told, _ = routed({}, alpha=[Answer("no json")])
    async with router:
        answers = [await ask(router, response_format=JSON) for _ in range(60)]
        assert len(told) > 10
        left = [router.signals.graded(each.decision.decision_id, 0.0) for each in answers]
        assert router.signals.graded("dec_unknown", 0.0) == 1.0
    assert all(0.0 <= share <= 1.0 for share in left)
    assert sum(share < 1.0 for share in left) == len(told)


async def test_a_judge_is_asked_about_its_share_and_never_about_itself():
    judge = {"model": "frontier", "rate": 1.0}
    router, told, providers = routed({"judge": judge}, gamma=[Answer("bad")])
    async with router:
        answer = await ask(router)
        await router.signals.settle()
        signals = {
            signal.name: signal.value for signal in router.signals.signals_of(answer.decision.decision_id)
        }
    assert signals["judge"] == 0.0
    assert len(providers["gamma"].calls) == 1
    assert "<answer>\nok\n</answer>" in providers["gamma"].calls[0].body["messages"][0]["content"]
    assert all(outcome.reward < 0.4 for outcome in told)


async def test_a_judge_that_fails_is_as_if_it_had_not_been_asked():
    router, _, _ = routed({"judge": {"model": "frontier", "rate": 1.0}}, gamma=[Failure(status=500)])
    async with router:
        answer = await ask(router)
        names = {signal.name for signal in router.signals.signals_of(answer.decision.decision_id)}
        assert "judge" not in names
        assert "empty" in names


async def test_slices_choose_what_runs():
    signals = {"drop": ["refusal"], "slices": [{"task": "chat", "add": ["refusal"], "drop": ["empty"]}]}
    router, _, _ = routed(signals)
    async with router:
        await ask(router)
        assert (router.signals.counts["empty"], router.signals.counts["refusal"]) == (1, 0)
        await ask(router, task="chat")
        assert (router.signals.counts["empty"], router.signals.counts["refusal"]) == (1, 1)


async def test_more_answers_than_can_be_looked_at_are_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(rewards, "_MAX_QUEUED", 2)
    router, _, _ = routed({})
    async with router:
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(router.complete, ASKED)
        await router.signals.settle()
        counts = router.signals.counts
    assert counts["empty"] + counts["dropped"] == 8


async def test_what_a_verifier_raises_fails_nobody(monkeypatch, caplog):
    router, _, _ = routed({})

    def broken(answer):
        raise ZeroDivisionError

    verifier = rewards.VERIFIERS[0]
    monkeypatch.setattr(rewards, "VERIFIERS", (type(verifier)("empty", broken), *rewards.VERIFIERS[1:]))
    with caplog.at_level(logging.ERROR, "pointsman.signals"):
        async with router:
            assert (await ask(router)).text == "ok"
    assert "verifier empty failed" in caplog.text


async def test_a_reload_switches_signals_on_over_and_off():
    router, _, _ = routed({})
    async with router:
        first = router.signals
        await router.swap(registry_from_config(parse_config(config() | {"signals": {"drop": ["empty"]}})))
        assert router.signals is first
        await ask(router)
        assert first.counts["empty"] == 0
        await router.swap(registry_from_config(parse_config(config())))
        assert router.signals is None
        await router.complete(ASKED, model="nano")


async def test_a_missing_package_is_named_at_the_start(monkeypatch, caplog):
    monkeypatch.setattr(rewards, "missing_packages", lambda names: {"code": ["sqlglot"]})
    with caplog.at_level(logging.WARNING, "pointsman.signals"):
        router, _, _ = routed({})
    await router.aclose()
    assert "signal code lacks sqlglot; pip install 'pointsman[signals]'" in caplog.text


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        ({"add": ["laguage"]}, "laguage"),
        ({"judge": {"model": "nono"}}, "unknown model 'nono'"),
        ({"judge": {"model": "nano", "tpr": 0.3, "fpr": 0.4}}, "choose another judge"),
        ({"slices": [{"add": ["judge"]}]}, "names none"),
    ],
)
def test_wrong_settings_are_named(signals, said):
    with pytest.raises(ConfigError, match=said):
        Router.from_config(config() | {"signals": signals})
