"""The cache through the library, under asyncio and trio."""

import logging
from dataclasses import replace

import anyio
import orjson
import pytest

from pointsman import ConfigError, ProviderTimeout, Router
from pointsman.config import parse_config
from pointsman.providers.scripted import Answer, BrokenStream, Failure, Hang, ScriptedProvider
from pointsman.registry import registry_from_config
from pointsman.types import Usage

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio
ASKED = "What is the capital of Norway?"
POLITE = "Hi, what is the capital of norway?"
USAGE = Usage(n_input_tokens=100, n_output_tokens=10)
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "Oslo"}'}}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def settings(policies=None, **cache):
    return config() | {"cache": {"audit_rate": 0, **cache}, "policies": policies or {}}


def router_with(cache=None, policies=None, **scripts):
    providers = {name: ScriptedProvider(name, scripts.get(name, [Answer("Oslo")])) for name in PROVIDERS}
    router = Router.from_config(settings(policies, **(cache or {})), providers=providers)
    return router, providers


def n_calls(providers):
    return sum(len(provider.calls) for provider in providers.values())


async def ask(router, text=ASKED, **arguments):
    return await router.complete(text, model="nano", **arguments)


async def stream_text(stream):
    chunks = [chunk async for chunk in stream]
    return "".join(
        choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices") or ()
    )


async def test_the_same_question_is_answered_once_and_then_kept():
    router, providers = router_with(alpha=[Answer("Oslo", usage=USAGE)])
    async with router:
        first, second = await ask(router), await ask(router)
    assert n_calls(providers) == 1
    assert (first.cache.is_hit, first.cache.reason) == (False, "empty")
    assert (second.cache.layer, second.cache.status) == ("exact", "exact")
    assert (second.text, second.cost_usd) == ("Oslo", 0.0)
    assert second.baseline_cost_usd == first.baseline_cost_usd > 0
    assert (second.model, second.deployment, second.provider) == ("nano", "nano@alpha", "alpha")
    assert second.usage == USAGE
    assert second.body["usage"]["total_tokens"] == 110


async def test_a_kept_answer_is_an_answer_of_its_own():
    router, _ = router_with()
    async with router:
        first, second, third = [await ask(router) for _ in range(3)]
    assert len({answer.body["id"] for answer in (first, second, third)}) == 3
    assert second.body["created"] > first.body["created"]
    second.body["choices"][0]["message"]["content"] = "changed by the caller"
    assert third.text == "Oslo"


async def test_the_decision_says_what_the_cache_did():
    router, _ = router_with()
    async with router:
        first, second = await ask(router), await ask(router)
    missed, hit = orjson.loads(first.decision.to_json()), orjson.loads(second.decision.to_json())
    assert missed["cache"] == {"status": "miss", "similarity": None, "entry_id": None}
    assert hit["cache"] == {"status": "exact", "similarity": 1.0, "entry_id": second.cache.entry_id}
    assert (hit["strategy"], hit["plan"]["steps"]) == ("cache", [])
    assert second.decision.strategy == "cache"
    assert "kept answer" in second.decision.reason
    assert len(hit["candidates"]) == len(missed["candidates"])


async def test_without_a_cache_nothing_is_kept():
    providers = {name: ScriptedProvider(name) for name in PROVIDERS}
    async with Router.from_config(config(), providers=providers) as router:
        answers = [await ask(router) for _ in range(2)]
        assert router.cache is None
    assert n_calls(providers) == 2
    assert answers[1].cache.reason == "off"


async def test_a_question_worded_politely_is_the_same_question():
    router, providers = router_with()
    async with router:
        await ask(router)
        answer = await ask(router, POLITE)
        only_equal = router_with({"semantic": False})[0]
    await only_equal.aclose()
    assert n_calls(providers) == 1
    assert answer.cache.is_hit


async def test_another_city_is_another_question():
    router, providers = router_with()
    async with router:
        await ask(router)
        answer = await ask(router, "What is the capital of Sweden?")
    assert n_calls(providers) == 2
    assert not answer.cache.is_hit


@pytest.mark.parametrize("is_live_first", [True, False])
async def test_streams_and_whole_answers_serve_each_other(is_live_first):
    router, providers = router_with(alpha=[Answer("Oslo it is", usage=USAGE, n_chunks=4)])
    async with router:
        if is_live_first:
            await stream_text(router.stream(ASKED, model="nano"))
            answer = await ask(router)
            assert (answer.text, answer.body["usage"]["completion_tokens"]) == ("Oslo it is", 10)
        else:
            await ask(router)
        stream = router.stream(ASKED, model="nano")
        text = await stream_text(stream)
    assert n_calls(providers) == 1
    assert (text, stream.cost_usd, stream.usage) == ("Oslo it is", 0.0, USAGE)
    assert (stream.cache.status, stream.decision.strategy) == ("exact", "cache")
    assert stream.baseline_cost_usd > 0
    assert stream.target.deployment == "nano@alpha"


NOT_KEPT = {
    "cut by its limit": Answer("Os", finish_reason="length"),
    "calls a tool": Answer(tool_calls=(CALL,), finish_reason="tool_calls"),
    "empty": Answer(""),
}


@pytest.mark.parametrize("name", NOT_KEPT)
async def test_what_is_not_whole_is_not_kept(name):
    router, providers = router_with(alpha=[NOT_KEPT[name], Answer("Oslo")])
    async with router:
        await ask(router)
        assert (await ask(router)).text == "Oslo"
    assert n_calls(providers) == 2


@pytest.mark.parametrize("step", [Answer("Os", finish_reason="length"), BrokenStream(after_chunks=2)])
async def test_a_stream_that_is_not_whole_is_not_kept(step):
    router, providers = router_with(alpha=[step, Answer("Oslo")])
    async with router:
        try:
            await stream_text(router.stream(ASKED, model="nano"))
        except Exception as error:
            assert isinstance(step, BrokenStream), error  # noqa: PT017
        assert (await ask(router)).text == "Oslo"
    assert n_calls(providers) == 2


async def test_a_stream_whose_reader_leaves_is_not_kept():
    router, providers = router_with(alpha=[Answer("Oslo it is", n_chunks=3), Answer("Oslo")])
    async with router:
        async with router.stream(ASKED, model="nano") as stream:
            await anext(stream)
        assert (await ask(router)).text == "Oslo"
    assert n_calls(providers) == 2


async def test_tool_calls_are_kept_by_wish():
    step = Answer(tool_calls=(CALL,), finish_reason="tool_calls")
    router, providers = router_with({"tool_calls": True}, alpha=[step])
    async with router:
        await ask(router, tools=TOOLS)
        kept = await ask(router, tools=TOOLS)
        deltas = [
            choice["delta"].get("tool_calls")
            async for chunk in router.stream(ASKED, model="nano", tools=TOOLS)
            for choice in chunk["choices"]
        ]
    assert n_calls(providers) == 1
    assert kept.body["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "look"
    assert [{"index": 0, **CALL}] in deltas


async def test_modes_read_write_and_leave_alone():
    router, providers = router_with(alpha=[Answer(text) for text in ("one", "two", "three", "four")])
    async with router:
        assert (await ask(router, cache={"mode": "read"})).text == "one"  # read only: nothing is kept
        assert (await ask(router)).text == "two"
        assert (await ask(router, cache={"mode": "read"})).text == "two"
        refreshed = await ask(router, cache={"mode": "write"})
        assert (refreshed.text, refreshed.cache.reason) == ("three", "write_only")
        assert (await ask(router)).text == "three"
        assert (await ask(router, cache="off")).text == "four"
        assert (await ask(router)).text == "three"
    assert n_calls(providers) == 4


async def test_a_policy_can_do_without():
    policies = {"private": {"cache": "off", "models": ["nano"]}}
    router, providers = router_with(policies=policies)
    async with router:
        for _ in range(2):
            answer = await router.complete(ASKED, model="auto:private", cache={"mode": "read-write"})
    assert n_calls(providers) == 2
    assert answer.cache.reason == "off"


async def test_an_answer_older_than_wanted_is_fetched_anew():
    router, providers = router_with()
    async with router:
        await ask(router)
        answer = await ask(router, cache={"max_age_s": 0})
        assert (await ask(router, cache={"max_age_s": 60})).cache.is_hit
    assert n_calls(providers) == 2
    assert answer.cache.reason == "expired"


async def test_scopes_never_see_each_other():
    router, providers = router_with()
    async with router:
        await ask(router, cache={"scope": "ann"})
        for other in ({"scope": "bob"}, {"scope": "default"}, {}):
            assert not (await ask(router, cache={"mode": "read"} | other)).cache.is_hit
        assert (await ask(router, cache={"scope": "ann"})).cache.is_hit
        namespaces = {entry.namespace for entry in router.cache.core.entries()}
    assert namespaces == {"ann"}
    assert n_calls(providers) == 4


@pytest.mark.parametrize("text", ["What is the weather in Oslo right now?", "Where is my order?"])
async def test_what_changes_by_the_hour_or_by_who_asks_is_never_kept(text):
    router, providers = router_with()
    async with router:
        for mode in ("read-write", "write", "read-write"):
            answer = await ask(router, text, cache={"mode": mode})
        assert router.cache.core.stats().n_entries == 0
    assert n_calls(providers) == 3
    assert answer.cache.reason == "unservable"


async def test_a_rule_of_identity_is_the_reason():
    router, providers = router_with()
    async with router:
        for _ in range(2):
            answer = await ask(router, temperature=1.5)
    assert answer.cache.reason == "temperature"
    assert n_calls(providers) == 2


async def asked_at_once(router, n, streams=False, **arguments):
    answers = []

    async def one():
        if streams:
            answers.append(await stream_text(router.stream(ASKED, model="nano", **arguments)))
        else:
            answers.append((await ask(router, **arguments)).text)

    async with anyio.create_task_group() as group:
        for _ in range(n):
            group.start_soon(one)
    return answers


@pytest.mark.parametrize("streams", [False, True])
async def test_a_hundred_at_once_make_one_call(streams):
    router, providers = router_with(alpha=[Answer("Oslo", latency_s=0.02)])
    async with router:
        answers = await asked_at_once(router, 100, streams)
        assert len(router.cache.flights) == 0
    assert (n_calls(providers), answers) == (1, ["Oslo"] * 100)


async def test_a_leader_that_fails_fails_nobody_else():
    script = [Failure(status=400, latency_s=0.01), Answer("Oslo", latency_s=0.01)]
    router, providers = router_with(alpha=script)
    results = []

    async def one():
        try:
            results.append((await ask(router)).text)
        except Exception as error:
            results.append(type(error).__name__)

    async with router, anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(one)
    assert sorted(results) == sorted(["ProviderError", *["Oslo"] * 19])
    assert n_calls(providers) == 2


@pytest.mark.parametrize("streams", [False, True])
async def test_a_leader_that_leaves_hands_over(streams):
    router, providers = router_with(alpha=[Hang(after_chunks=2), Answer("Oslo")])
    answers = []
    async with router:
        with anyio.move_on_after(0.03):
            async with anyio.create_task_group() as leading:
                if streams:
                    leading.start_soon(stream_text, router.stream(ASKED, model="nano"))
                else:
                    leading.start_soon(ask, router)
                await anyio.sleep(0.01)
                leading.start_soon(anyio.sleep_forever)
        answers += await asked_at_once(router, 5, streams)
    assert answers == ["Oslo"] * 5
    assert n_calls(providers) == 2


async def test_a_follower_keeps_its_own_deadline():
    quick = settings()
    for deployment in quick["deployments"]:  # predicted fast, so that the deadline is feasible
        deployment["latency"] = {"ttft_p50_ms": 1, "ttft_p95_ms": 2, "tokens_per_s": 100_000}
    providers = {name: ScriptedProvider(name, [Answer("Oslo", latency_s=0.3)]) for name in PROVIDERS}
    patient = []
    async with Router.from_config(quick, providers=providers) as router:

        async def lead():
            patient.append((await ask(router)).text)

        async with anyio.create_task_group() as group:
            group.start_soon(lead)
            await anyio.sleep(0.02)
            with pytest.raises(ProviderTimeout, match=r"deadline of 0\.05 s"):
                await ask(router, deadline=0.05)
    assert (patient, n_calls(providers)) == (["Oslo"], 1)


async def test_feedback_evicts_a_wrong_answer_by_decision_answer_or_entry():
    router, providers = router_with(
        alpha=[Answer("Bergen"), Answer("Stavanger"), Answer("Moss"), Answer("Oslo")]
    )
    async with router:
        for name in ("decision", "answer", "entry"):
            await ask(router)
            hit = await ask(router)
            assert hit.cache.is_hit
            hit_id = {
                "decision": hit.decision.decision_id,
                "answer": hit.body["id"],
                "entry": hit.cache.entry_id,
            }[name]
            assert router.feedback_cache(hit_id, is_right=False)
        assert (await ask(router)).text == "Oslo"
        assert not router.feedback_cache("dec_unknown", is_right=False)
        assert not router.feedback_cache("0" * 16, is_right=False)
    assert n_calls(providers) == 4


async def test_feedback_that_is_right_keeps_it():
    router, providers = router_with()
    async with router:
        await ask(router)
        hit = await ask(router)
        assert router.feedback_cache(hit.decision.decision_id, is_right=True)
        assert (await ask(router)).cache.is_hit
    assert n_calls(providers) == 1


async def settled_audit(first, second, **cache):
    """Ask, ask politely, and wait for the audit of that hit."""
    router, providers = router_with({"audit_rate": 1, **cache}, alpha=[Answer(first), Answer(second)])
    async with router:
        await ask(router)
        hit = await ask(router, POLITE)
        assert hit.text == first
        await router.cache.background.settle()
        counts, entry = dict(router.cache.counts), router.cache.core.get(hit.cache.entry_id)
    return counts, entry, providers


async def test_an_audit_calls_the_model_and_grades_the_hit():
    counts, entry, providers = await settled_audit("Oslo", "oslo.")
    assert (counts["audits"], counts["audits_right"]) == (1, 1)
    assert counts["audit_cost_nano_usd"] > 0
    assert n_calls(providers) == 2
    assert entry.n_right == pytest.approx(1.0)


async def test_an_audit_that_finds_another_answer_counts_against_the_entry():
    counts, entry, _ = await settled_audit("Oslo", "Bergen")
    assert counts["audits_wrong"] == 1
    assert entry is None or entry.n_wrong > 0


async def test_a_judge_decides_where_nothing_cheaper_can():
    long = "The capital is Oslo, a city on a fjord, where the king lives and the parliament meets each week."
    other = "Oslo. It has been so since the union with Denmark ended, and the government sits there as well."
    counts, _, _ = await settled_audit(long, other)
    assert counts["audits_undecided"] == 1
    providers = {"alpha": [Answer(long), Answer(other)], "gamma": [Answer("Yes.")]}
    router, made = router_with({"audit_rate": 1, "judge": "frontier"}, **providers)
    async with router:
        await ask(router)
        await ask(router, POLITE)
        await router.cache.background.settle()
        assert router.cache.counts["audits_right"] == 1
    asked = made["gamma"].calls[0].body["messages"][0]["content"]
    assert long in asked
    assert other in asked


async def test_an_audit_that_fails_harms_nobody():
    router, _ = router_with({"audit_rate": 1}, alpha=[Answer("Oslo"), Failure(status=500)])
    async with router:
        await ask(router)
        assert (await ask(router, POLITE)).text == "Oslo"
        await router.cache.background.settle()
        assert router.cache.counts["audits_failed"] == 1


async def test_alarms_are_counted_and_logged(caplog):
    router, _ = router_with({"audit_rate": 1}, alpha=[Answer("Oslo")])
    async with router:
        await ask(router)
        hit = (await ask(router, POLITE)).decision.decision_id
        recent = router.cache.hit_of(hit)
        with caplog.at_level(logging.WARNING, "pointsman.cache"):
            for _ in range(200):
                router.cache.graded(recent, is_right=False, weight=0.9, is_audit=True)
        assert router.cache.counts["alarms"] >= 1
        assert router.cache.core.stats().aim < 0.01
    assert "hits are wrong more often" in caplog.text


async def test_a_closed_router_leaves_no_audit_behind():
    router, providers = router_with({"audit_rate": 1}, alpha=[Answer("Oslo"), Hang()])
    await ask(router)
    with anyio.fail_after(5):
        assert (await ask(router, POLITE)).cache.is_hit
    await anyio.sleep(0.01)
    await router.aclose()
    assert providers["alpha"].n_cancelled == 1
    assert len(router.cache.background) == 0


async def test_a_folder_outlives_the_router(tmp_path):
    where = {"path": str(tmp_path / "cache")}
    router, _ = router_with(where)
    async with router:
        await ask(router)
    router, providers = router_with(where)
    async with router:
        assert (await ask(router)).cache.layer == "exact"
    assert n_calls(providers) == 0


async def test_other_settings_take_over_what_is_kept(tmp_path):
    router, providers = router_with()
    async with router:
        await ask(router)
        for changes in (
            {"target_error": 0.02},
            {"path": str(tmp_path)},
            {"path": str(tmp_path), "max_mb": 8},
        ):
            changed = parse_config(settings(**changes), source="test")
            await router.swap(registry_from_config(changed))
            answer = await ask(router)
            assert answer.cache.is_hit == ("path" not in changes or "max_mb" in changes)
        await router.swap(registry_from_config(parse_config(config(), source="test")))
        assert router.cache is None
        assert not (await ask(router)).cache.is_hit
    assert n_calls(providers) == 3


async def test_a_new_folder_that_cannot_be_used_costs_no_request(tmp_path, caplog):
    (tmp_path / "file").write_text("x")
    router, providers = router_with()
    async with router:
        changed = parse_config(settings(path=str(tmp_path / "file")), source="test")
        await router.swap(registry_from_config(changed))
        await ask(router)
        assert (await ask(router)).cache.is_hit
    assert "kept in memory only" in caplog.text
    assert n_calls(providers) == 1


def test_a_folder_that_cannot_be_used_is_told_at_the_start(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"^cache\.path: folder .*file cannot be used"):
        Router.from_config(settings(path=str(tmp_path / "file")))


async def test_hits_cost_the_budget_nothing():
    policies = {"default": {"budget": {"usd_per_request": 0.001}}}
    router, _ = router_with(policies=policies)
    async with router:
        for _ in range(3):
            answer = await ask(router)
    assert (answer.cache.is_hit, answer.cost_usd) == (True, 0.0)


async def test_a_kept_answer_that_is_not_ours_is_a_miss():
    router, providers = router_with()
    async with router:
        entry_id = (await ask(router) and await ask(router)).cache.entry_id
        assert router.cache.core.replace(entry_id, b"\xffnot ours", now_s=2e9)
        answer = await ask(router)
        assert (answer.text, answer.cache.reason) == ("Oslo", "unreadable")
        assert (await ask(router)).cache.is_hit
    assert n_calls(providers) == 2


async def test_a_replayed_stream_keeps_its_pace():
    router, _ = router_with({"replay_chars_per_s": 1000}, alpha=[Answer("x" * 48)])
    async with router:
        await ask(router)
        started_s = anyio.current_time()
        await stream_text(router.stream(ASKED, model="nano"))
        assert anyio.current_time() - started_s >= 0.04


def test_cache_use_names_its_status():
    from pointsman.types import CacheUse

    use = CacheUse(layer="canonical")
    assert (use.status, use.is_hit, use.is_exact) == ("semantic", True, False)
    assert replace(use, layer="flight").status == "exact"
    assert CacheUse().status == "miss"
