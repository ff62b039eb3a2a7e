"""What goes in comes out, of both databases: rows, feedback, pages, state; retention; releases that differ."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import sqlalchemy as sa

from pointsman.errors import ConfigError
from pointsman.store.database import MIGRATIONS, connect, database_url, migrate
from pointsman.store.rows import decision_rows, prompt_hash
from pointsman.types import Attempt, Usage

from ..native.conftest import NOW_S
from .conftest import CACHE_HIT, labelled, served

DAY_S = 86_400.0


def given(decision_id, value, name="thumbs", source="user", at_s=NOW_S, tenant="default", weight=1.0):
    return {
        "decision_id": decision_id, "name": name, "source": source, "rejected_id": "", "value": value,
        "weight": weight, "tenant": tenant, "given_at_s": at_s,
    }  # fmt: skip


def test_a_row_says_what_was_decided_and_what_became_of_it(open_store, url):
    store, one = open_store(), served(key_id="k1", tenant="ann")
    assert store.log(one)
    assert store.flush()
    [row] = decision_rows(url)
    decision = one.decision
    assert {name: row[name] for name in ("decision_id", "tenant", "key_id", "policy", "chosen", "deployment")} == {
        "decision_id": decision.decision_id, "tenant": "ann", "key_id": "k1", "policy": "default",
        "chosen": decision.deployment, "deployment": "p0/m0",
    }  # fmt: skip
    assert row["features"] == decision.features
    assert row["record"] == orjson.loads(decision.to_json(80.0))
    assert row["prompt_hash"] == prompt_hash(one.body)
    assert (row["n_input_tokens"], row["n_output_tokens"], row["n_reasoning_tokens"]) == (12, 3, None)
    assert (row["cost_usd"], row["baseline_cost_usd"], row["latency_ms"], row["ttft_ms"]) == (
        0.001,
        0.01,
        120.5,
        None,
    )
    [attempt] = row["attempts"]
    assert attempt == {
        "deployment": "p0/m0", "status": 200, "error_code": None, "latency_ms": 120.0, "is_rejected": False
    }  # fmt: skip
    assert (row["is_stream"], row["is_cut"], row["is_usage_estimated"]) == (False, False, False)
    assert (row["prompt"], row["answer"], row["reward"], row["error_code"]) == (None, None, None, None)
    assert row["propensity"] == decision.propensity == 1.0
    assert row["predicted_quality"] == decision.predicted_quality


@pytest.mark.parametrize(
    ("prompts", "is_hashed", "is_kept"), [("off", False, False), ("hash", True, False), ("full", True, True)]
)
def test_prompts_are_kept_only_when_asked_for(open_store, url, prompts, is_hashed, is_kept):
    store = open_store(prompts=prompts)
    store.log(served("My password is hunter2"))
    store.flush()
    [row] = decision_rows(url)
    assert (row["prompt_hash"] is not None) == is_hashed
    assert (row["prompt"] is not None) == is_kept
    text = repr(row)
    assert ("hunter2" in text) == is_kept
    assert ("Oslo" in text) == is_kept


def test_hashes_tell_conversations_apart_and_nothing_else(open_store):
    body = {"model": "a", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
    assert prompt_hash(body) == prompt_hash(body | {"model": "b", "temperature": 1})
    assert prompt_hash(body) == prompt_hash(body | {"messages": [{"content": "hi", "role": "user"}]})
    assert prompt_hash(body) != prompt_hash(body | {"messages": [{"role": "user", "content": "hi!"}]})
    assert prompt_hash(body) != prompt_hash(body | {"tools": [{"type": "function"}]})


def test_requests_that_nobody_answered_are_logged_too(open_store, url):
    store = open_store()
    failed = Attempt(deployment="p0/m0", status=503, error_code="provider_unavailable", latency_ms=9.0)
    nobody = {"deployment": None, "model": None, "provider": None, "usage": None, "answer": None}
    store.log(served(attempts=(failed,), error_code="provider_exhausted", **nobody))
    store.log(served(seed=2, cache=CACHE_HIT, attempts=()))
    store.flush()
    rows = {row["cache_layer"]: row for row in decision_rows(url)}
    assert rows[None]["error_code"] == "provider_exhausted"
    assert (rows[None]["n_input_tokens"], rows[None]["deployment"]) == (None, None)
    assert rows["exact"]["attempts"] == []


def test_hostile_texts_and_numbers_are_kept_as_well_as_can_be(open_store, url):
    store = open_store(prompts="full")
    hostile = "zero \0, quote ' \" \\u0000 \\x00, 😀 ␀ \x1b[31m"
    request = labelled(hostile, task="t\0ask", session_id="';--", tags=("a\0", "b"))
    usage = Usage(n_input_tokens=10**30, n_output_tokens=-(10**30))
    assert store.log(served(request=request, usage=usage, error_code="pro\0vider", latency_ms=float("nan")))
    store.log(served(seed=2))
    assert store.flush()
    assert store.counts["written"] + store.counts["refused"] == 2
    rows = {row["task"]: row for row in decision_rows(url)}
    assert None in rows  # what is beside a row that is refused is written
    if row := rows.get("t�ask"):
        assert row["prompt"]["messages"][0]["content"] == hostile
        assert row["n_input_tokens"] == 2**53


def test_pages_are_newest_first_and_filtered(open_store):
    store = open_store()
    for i in range(7):
        store.log(served(at_s=NOW_S + i, seed=i, tenant=("ann", "bob")[i % 2], model=("m0", "m1")[i // 4]))
    store.flush()
    first = store.page(limit=3)
    assert [row["decided_at_s"] - NOW_S for row in first] == [6, 5, 4]
    last = first[-1]
    rest = store.page(limit=10, before=(last["decided_at_s"], last["decision_id"]))
    assert [row["decided_at_s"] - NOW_S for row in rest] == [3, 2, 1, 0]
    assert {row["tenant"] for row in store.page(tenant="ann")} == {"ann"}
    assert [row["decided_at_s"] - NOW_S for row in store.page(model="m1", since_s=NOW_S + 5)] == [6, 5]
    assert "record" not in first[0]
    assert store.find(last["decision_id"], tenant="ann")["decision_id"] == last["decision_id"]
    assert store.find(last["decision_id"], tenant="bob") is None
    assert store.find("dec_0") is None


def test_a_scan_reads_more_than_fits_a_page_in_order_and_once(open_store, url, monkeypatch):
    monkeypatch.setattr("pointsman.store.reader._N_AT_ONCE", 7)
    store = open_store()
    for i in range(40):
        store.log(served(at_s=NOW_S + i // 3, seed=i))  # times that repeat across pages
    store.flush()
    rows = list(decision_rows(url))
    assert len({row["decision_id"] for row in rows}) == len(rows) == 40
    assert [row["decided_at_s"] for row in rows] == sorted(row["decided_at_s"] for row in rows)
    assert len(list(decision_rows(url, since_s=NOW_S + 1, until_s=NOW_S + 3))) == 6


def test_feedback_given_again_replaces_and_the_reward_is_its_weighted_mean(open_store):
    store, one = open_store(), served()
    decision_id = one.decision.decision_id
    store.log(one)
    for value in (0.0, 1.0):
        store.log_feedback(given(decision_id, value))
    store.flush()
    store.log_feedback(given(decision_id, 0.5))
    store.log_feedback(given(decision_id, 0.2, name="judge", weight=2.0))
    store.flush()
    values = {row["name"]: row["value"] for row in store.feedback_on(decision_id)}
    assert values == {"thumbs": 0.5, "judge": 0.2}
    assert store.find(decision_id)["reward"] == pytest.approx((0.5 + 2 * 0.2) / 3)


def test_the_same_decision_twice_is_one_row(open_store):
    store = open_store()
    for _ in range(3):
        store.log(served())
        store.flush()
    assert len(store.page()) == 1


def test_64_threads_lose_nothing(open_store):
    store = open_store()
    entries = [served(seed=seed) for seed in range(640)]

    def log(thread):
        return [store.log(one) for one in entries[thread * 10 : thread * 10 + 10]]

    with ThreadPoolExecutor(64) as pool:
        assert all(all(taken) for taken in pool.map(log, range(64)))
    assert store.flush()
    assert len(store.page(limit=1000)) == len({one.decision.decision_id for one in entries}) == 640
    assert store.counts["written"] == 640


def test_old_and_surplus_decisions_go_with_their_feedback(open_store):
    store = open_store(keep_days=10, keep_rows=4)
    entries = [served(at_s=NOW_S - 2 * day * DAY_S, seed=day) for day in range(10)]
    for one in entries:
        store.log(one)
        store.log_feedback(given(one.decision.decision_id, 1.0))
    store.flush()
    store.tidy()
    kept = [row["decision_id"] for row in store.page()]
    assert kept == [one.decision.decision_id for one in entries[:4]]
    assert len(store.feedback_on(kept[0])) == 1
    assert store.feedback_on(entries[4].decision.decision_id) == []


def test_days_alone_are_kept_by_days(open_store):
    store = open_store(keep_days=10)
    for day in (0, 9, 11):
        store.log(served(at_s=NOW_S - day * DAY_S, seed=day))
    store.flush()
    store.tidy()
    assert [(NOW_S - row["decided_at_s"]) / DAY_S for row in store.page()] == [0, 9]


def test_state_is_kept_by_name(open_store):
    store = open_store()
    assert store.load_state("learned") is None
    for data in (b"one", bytes(range(256)) * 40):
        store.save_state("learned", data)
    assert store.load_state("learned") == bytes(range(256)) * 40


def test_schemas_are_brought_up_to_date_and_later_ones_refused(url):
    engine = connect(database_url(url))

    def add_mood(connection):
        connection.execute(sa.text("ALTER TABLE decisions ADD COLUMN mood TEXT"))

    assert migrate(engine) == len(MIGRATIONS)
    assert migrate(engine) == 0
    later = (*MIGRATIONS, add_mood)
    with ThreadPoolExecutor(8) as pool:  # processes that start at once: one of them does it
        assert sorted(pool.map(lambda _: migrate(engine, later), range(8))) == [0] * 7 + [1]
    with pytest.raises(ConfigError, match=r"has schema version 3, this release knows 2; upgrade pointsman"):
        migrate(engine)
    engine.dispose()


def test_a_log_of_the_first_release_gains_the_columns_of_versions_and_keeps_its_rows(open_store, url):
    store = open_store()
    store.log(served(seed=1))
    store.close()
    engine = connect(database_url(url))
    with engine.begin() as connection:
        for column in ("arm", "shadow"):
            connection.execute(sa.text(f"ALTER TABLE decisions DROP COLUMN {column}"))
        connection.execute(sa.text("UPDATE pointsman_schema SET version = 1"))
    engine.dispose()
    store = open_store()
    store.log(served(at_s=NOW_S + 1, seed=2))
    store.close()
    rows = list(decision_rows(url))
    assert [(row["arm"], row["shadow"]) for row in rows] == [(None, None)] * 2


def test_a_migration_that_fails_changes_nothing(url):
    engine = connect(database_url(url))
    migrate(engine)

    def break_off(connection):
        connection.execute(sa.text("ALTER TABLE decisions ADD COLUMN mood TEXT"))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        migrate(engine, (*MIGRATIONS, break_off))
    assert "mood" not in [column["name"] for column in sa.inspect(engine).get_columns("decisions")]
    assert migrate(engine) == 0
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://h/d", "'mysql' is not supported; give a path"),
        ("://", "is no URL|is not supported"),
        ("/proc/nowhere/log.db", "cannot be used"),
    ],
)
def test_databases_that_cannot_be_are_named(url, message):
    from pointsman.store.store import open_store

    with pytest.raises(ConfigError, match=message):
        open_store(url)


def test_a_log_that_is_not_there_is_named_and_not_made(tmp_path):
    with pytest.raises(ConfigError, match="no such decision log"):
        list(decision_rows(tmp_path / "log.db"))
    assert not (tmp_path / "log.db").exists()


def test_the_file_is_for_its_user_alone(tmp_path):
    from pointsman.store.store import open_store

    open_store(str(tmp_path / "state" / "log.db")).close()
    assert (tmp_path / "state" / "log.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
