"""Feedback and the decision log over HTTP, against a real gateway on the loopback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.keys import KeyFolder
from pointsman.providers import Answer, Failure
from pointsman.types import Usage

from .conftest import scripted_gateway

USAGE = Usage(n_input_tokens=100, n_output_tokens=10)


@contextmanager
def logging_gateway(tmp_path, scripts=None, **sections):
    store = {"store": {"url": str(tmp_path / "log.db"), "flush_every_s": 0}}
    with scripted_gateway(scripts or {}, **store | sections) as served:
        yield served
    anyio.run(served.router.aclose)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with logging_gateway(tmp_path_factory.mktemp("log"), {"beta": [Failure(500)]}) as served:
        yield served


@pytest.fixture(scope="module")
def client():
    # One for all: making one takes longer than an answer.
    with httpx.Client(timeout=10) as shared:
        yield shared


def post(gateway, text="What is the capital of Norway?", **changes):
    body = {"model": "nano", "messages": [{"role": "user", "content": text}]} | changes
    return httpx.post(gateway.url + "/v1/chat/completions", json=body, timeout=10)


def decision_id(reply):
    return reply.headers["x-pointsman-decision-id"]


def say(gateway, **body):
    return httpx.post(gateway.url + "/v1/feedback", json=body, timeout=10)


def look(gateway, path="", **query):
    return httpx.get(f"{gateway.url}/v1/decisions{path}", params=query, timeout=10)


def test_a_thumb_is_learned_by_either_id_and_once(gateway):
    answered = post(gateway)
    first = say(gateway, decision_id=decision_id(answered), name="thumbs", value=True, source="ann")
    assert (first.status_code, first.json()) == (
        200,
        {"object": "feedback", "target": "decision", "decision_id": decision_id(answered), "is_learned": True,
         "reward": 1.0, "entry_id": None, "is_deleted": False},
    )  # fmt: skip
    again = say(gateway, response_id=answered.json()["id"], name="thumbs", value=True, source="ann")
    assert (again.json()["decision_id"], again.json()["is_learned"]) == (decision_id(answered), False)
    other = say(gateway, response_id=answered.json()["id"], name="thumbs", value=0, source="bob").json()
    assert (other["is_learned"], other["reward"]) == (True, 0.5)


def test_streams_have_their_id_in_every_chunk(gateway):
    reply = post(gateway, stream=True)
    assert (
        reply.text.count(f"chatcmpl-{decision_id(reply)}") == reply.text.count('"chat.completion.chunk"') > 0
    )
    assert say(gateway, response_id=f"chatcmpl-{decision_id(reply)}", value=0.7).status_code == 200


def test_a_preference_needs_no_other_id(gateway):
    one, other = decision_id(post(gateway)), decision_id(post(gateway, model="frontier"))
    taken = say(gateway, value={"chosen": other, "rejected": one}, name="arena")
    assert (taken.status_code, taken.json()["decision_id"], taken.json()["is_learned"]) == (200, other, True)
    shown = look(gateway, f"/{other}").json()
    assert [(each["name"], each["rejected_id"]) for each in shown["feedback"]] == [("arena", one)]


WRONG = [
    ({"value": False}, 400, "give one of decision_id, response_id, entry_id, got none"),
    ({"decision_id": "d", "response_id": "e", "value": False}, 400, "got decision_id and response_id"),
    ({"decision_id": "dec_0", "value": {"chosen": "a", "rejected": "b"}}, 400, "drop decision_id"),
    ({"value": {"chosen": "dec_0", "rejected": "dec_1"}}, 404, "there is no decision 'dec_0'"),
    ({"decision_id": "d"}, 400, "value must be true, false, a number in [0, 1]"),
    ({"decision_id": "d", "value": "good"}, 400, "got a string"),
    ({"decision_id": "d", "value": 1.01}, 400, "got 1.01"),
    ({"decision_id": "d", "value": {"chosen": "a"}}, 400, "got an object of other fields"),
    ({"decision_id": "d", "value": True, "nme": "x"}, 400, "did you mean name?"),
    ({"decision_id": "d", "value": True, "source": 3}, 400, "source must be a non-empty string"),
    (
        {"decision_id": "d", "value": True, "name": "x" * 257},
        400,
        "name must be a non-empty string of at most 256",
    ),
    (
        {"decision_id": "dec_0", "value": True},
        404,
        "there is no decision 'dec_0'; give the x-pointsman-decision-id",
    ),
    ({"entry_id": "0" * 16, "value": True}, 404, "there is no entry"),
    ([], 400, "the body must be a JSON object, got a list"),
]


@pytest.mark.parametrize(("body", "status", "message"), WRONG)
def test_wrong_feedback_is_named(gateway, body, status, message):
    reply = httpx.post(gateway.url + "/v1/feedback", json=body)
    assert (reply.status_code, message in reply.json()["error"]["message"]) == (status, True), reply.text
    if status == 404:
        assert reply.json()["error"]["code"].startswith("caller_unknown_")


def test_what_nobody_answered_is_no_answer_to_grade(gateway):
    failed = post(gateway, model="middle")
    assert failed.status_code >= 500
    reply = say(gateway, decision_id=decision_id(failed), value=True)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "caller_nothing_to_grade")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["decision_id", "response_id", "entry_id", "name", "value", "source"]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), JSON, max_size=4) | JSON)
def test_no_feedback_breaks_the_gateway(gateway, client, body):
    reply = client.post(gateway.url + "/v1/feedback", json=body)
    assert reply.status_code in (400, 404)
    assert reply.json()["error"]["code"].startswith("caller_")


def test_64_clients_grading_at_once_are_each_taken(gateway):
    ids = [decision_id(post(gateway, f"What is {i}?")) for i in range(8)]
    with httpx.Client(limits=httpx.Limits(max_connections=64)) as client, ThreadPoolExecutor(64) as pool:

        def grade(i):
            body = {"decision_id": ids[i % 8], "value": i % 2, "source": f"s{i}"}
            return client.post(gateway.url + "/v1/feedback", json=body, timeout=20)

        assert {reply.status_code for reply in pool.map(grade, range(64))} == {200}
    for one in ids:
        shown = look(gateway, f"/{one}").json()
        assert len(shown["feedback"]) == 8
        assert shown["outcome"]["reward"] == ids.index(one) % 2


# ---- the log


def test_a_decision_is_shown_as_it_was_routed_with_what_became_of_it(gateway):
    reply = post(gateway, pointsman={"tags": ["t"], "explain": True})
    shown = look(gateway, f"/{decision_id(reply)}").json()
    told = reply.json()["pointsman_metadata"]
    for name in (
        "decision_id",
        "candidates",
        "plan",
        "propensity",
        "task_profile",
        "deployment",
        "predicted",
    ):
        assert shown[name] == told[name]
    outcome = shown["outcome"]
    assert (outcome["model"], outcome["tags"], outcome["error_code"]) == ("nano", ["t"], None)
    assert outcome["attempts"][0]["deployment"] == outcome["deployment"]
    assert "Norway" not in str(shown)


def test_decisions_are_listed_page_by_page_and_filtered(gateway):
    ids = [decision_id(post(gateway, model=("nano", "frontier")[i % 2])) for i in range(5)]
    first = look(gateway, limit=3).json()
    assert [each["decision_id"] for each in first["data"]] == ids[:1:-1]
    assert first["has_more"]
    rest = look(gateway, limit=2, cursor=first["next_cursor"]).json()
    assert [each["decision_id"] for each in rest["data"]] == ids[1::-1]
    of_model = look(gateway, model="frontier", limit=2).json()["data"]
    assert [each["decision_id"] for each in of_model] == [ids[3], ids[1]]
    since = first["data"][1]["decided_at_s"]
    assert len(look(gateway, since=since).json()["data"]) == 2
    assert look(gateway, since="2999-01-01").json() == {
        "object": "list", "data": [], "has_more": False, "next_cursor": None,
    }  # fmt: skip
    assert look(gateway, tenant="nobody").json()["data"] == []


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/dec_0", 404, "there is no decision 'dec_0'"),
        ("/dec_0?x=1", 400, "unknown query parameter 'x'"),
        ("?limit=0", 400, "limit must be an integer in [1, 1000]"),
        ("?since=yesterday", 400, "since must be Unix seconds or a date"),
        ("?since=nan", 400, "since must be Unix seconds or a date"),
        ("?cursor=x", 400, "give next_cursor of the page before"),
        ("?tennant=x", 400, "did you mean tenant?"),
    ],
)
def test_wrong_questions_are_named(gateway, path, status, message):
    reply = httpx.get(gateway.url + "/v1/decisions" + path)
    assert (reply.status_code, message in reply.json()["error"]["message"]) == (status, True), reply.text


def test_without_a_log_feedback_is_of_this_process_and_decisions_are_not_shown():
    with scripted_gateway({}) as gateway:
        answered = post(gateway)
        assert say(gateway, decision_id=decision_id(answered), value=1).json()["is_learned"]
        unknown = say(gateway, decision_id="dec_0", value=1).json()["error"]["message"]
        assert "without a `store:` in the config, only the last 10,000" in unknown
        shown = look(gateway, f"/{decision_id(answered)}")
        assert (shown.status_code, shown.json()["error"]["code"]) == (404, "caller_no_store")


def test_a_dead_log_fails_only_who_asks_for_it():
    section = {"url": "postgresql://nobody@127.0.0.1:1/none", "flush_every_s": 0}
    with scripted_gateway({}, store=section) as gateway:
        answered = post(gateway)
        assert answered.status_code == 200
        assert say(gateway, decision_id=decision_id(answered), value=1).json()["is_learned"]
        for reply in (say(gateway, decision_id="dec_0", value=1), look(gateway, "/dec_0"), look(gateway)):
            assert (reply.status_code, reply.json()["error"]["code"]) == (503, "pointsman_store_unavailable")
            assert reply.headers["retry-after"] == "1"


def test_feedback_on_a_kept_answer_is_the_cache_s_and_logged(tmp_path):
    scripts = {"alpha": [Answer("Oslo", usage=USAGE), Answer("Oslo again", usage=USAGE)]}
    with logging_gateway(tmp_path, scripts, cache={"audit_rate": 0}) as gateway:
        post(gateway)
        hit = post(gateway)
        assert hit.headers["x-pointsman-cache"] == "exact"
        taken = say(gateway, response_id=hit.json()["id"], value=False).json()
        assert (taken["target"], taken["is_deleted"], taken["is_learned"]) == ("cache", True, True)
        assert post(gateway).json()["choices"][0]["message"]["content"] == "Oslo again"
        assert look(gateway, f"/{decision_id(hit)}").json()["feedback"][0]["value"] == 0.0


def test_late_feedback_after_a_restart_changes_a_later_decision(tmp_path):
    """The gateway's whole memory is the log: no state of the first process is left but its decisions."""

    def chosen(gateway):
        return post(gateway, model="auto:floor").json()["model"]

    policy = {"policies": {"floor": {"min_quality": 0.7}}}
    with logging_gateway(tmp_path, **policy) as gateway:
        assert chosen(gateway) == "middle"
        ids = [decision_id(post(gateway, f"What is the capital of {i}?", model="middle")) for i in range(15)]
    with logging_gateway(tmp_path, **policy) as gateway:
        assert chosen(gateway) == "middle"
        for one in ids:
            assert say(gateway, decision_id=one, value=False).json()["is_learned"]
        assert chosen(gateway) == "frontier"
    with logging_gateway(tmp_path, **policy) as gateway:  # and what was learned outlives it too
        assert chosen(gateway) == "frontier"


def test_a_tenant_sees_and_grades_its_own_decisions_only(tmp_path):
    folder = KeyFolder(tmp_path / "keys")
    ann, bob = (folder.create(tenant=name)[1] for name in ("ann", "bob"))
    _, admin = folder.create(tenant="ops", is_admin=True)
    with logging_gateway(tmp_path, keys={"path": str(folder.path)}) as gateway:

        def call(secret, method, path, **body):
            headers = {"authorization": f"Bearer {secret}"}
            sent = {"json": body} if body else {}
            return httpx.request(method, gateway.url + path, headers=headers, timeout=10, **sent)

        asked = {"model": "nano", "messages": [{"role": "user", "content": "hi"}]}
        ids = {
            name: decision_id(call(secret, "POST", "/v1/chat/completions", **asked))
            for name, secret in (("ann", ann), ("bob", bob))
        }
        foreign = call(bob, "GET", f"/v1/decisions/{ids['ann']}")
        unknown = call(bob, "GET", "/v1/decisions/dec_0")
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.json()["error"]["code"] == unknown.json()["error"]["code"] == "caller_unknown_decision"
        for body in (
            {"decision_id": ids["ann"], "value": False},
            {"value": {"chosen": ids["bob"], "rejected": ids["ann"]}},
        ):
            assert call(bob, "POST", "/v1/feedback", **body).status_code == 404
        assert call(ann, "GET", f"/v1/decisions/{ids['ann']}").json()["feedback"] == []
        assert call(ann, "POST", "/v1/feedback", decision_id=ids["ann"], value=True).status_code == 200
        listed = call(bob, "GET", "/v1/decisions").json()["data"]
        assert [each["decision_id"] for each in listed] == [ids["bob"]]
        assert call(bob, "GET", "/v1/decisions?tenant=ann").status_code == 404
        assert {each["tenant"] for each in call(admin, "GET", "/v1/decisions").json()["data"]} == {
            "ann",
            "bob",
        }
        assert len(call(admin, "GET", "/v1/decisions?tenant=ann").json()["data"]) == 1
        assert call(admin, "GET", f"/v1/decisions/{ids['ann']}").json()["outcome"]["key_id"]


def test_an_answer_drawn_for_an_audit_says_what_feedback_it_waits_for_and_that_makes_a_verdict(tmp_path):
    verdicts = [{"task": "coding", "grader": "feedback", "name": "tests", "audit_share": 1.0}]
    with logging_gateway(tmp_path, signals={"verdicts": verdicts}) as gateway:
        assert "x-pointsman-audit" not in post(gateway).headers
        whole = post(gateway, pointsman={"task": "coding"})
        streamed = post(gateway, pointsman={"task": "coding"}, stream=True)
        assert whole.headers["x-pointsman-audit"] == streamed.headers["x-pointsman-audit"] == "tests"
        anyio.run(gateway.router.signals.settle)
        for reply, value in ((whole, True), (streamed, False)):
            said = {"decision_id": decision_id(reply), "name": "tests", "value": value}
            assert httpx.post(gateway.url + "/v1/feedback", json=said).status_code == 200
        (floor,) = httpx.get(gateway.url + "/v1/certificates").json()["data"]
        assert (floor["grader"], floor["audit_share"]) == ("feedback tests", 1.0)
        assert (floor["n_graded"], floor["risk"]) == (2, 0.5)
