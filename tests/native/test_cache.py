"""The cache through Python: what it serves, what it refuses, threads, and saved state."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman._native import Cache, Hit, InvalidInput, InvalidState, Miss

NOW_S = 1_700_000_000.0
ONE, OTHER = bytes(16), b"\x01" * 16
CAPITAL = "What is the capital of Oman?"


def insert(cache: Cache, text: str, answer: bytes = b"Muscat", partition: bytes = ONE, **options) -> str:
    return cache.insert(partition, text, answer, **{"now_s": NOW_S, "namespace": "acme", **options})


def look(cache: Cache, text: str, partition: bytes = ONE, **options) -> Hit | Miss:
    return cache.lookup(partition, text, **{"now_s": NOW_S, **options})


def test_a_hit_tells_what_found_it():
    cache = Cache()
    entry_id = insert(cache, CAPITAL)
    hit = look(cache, CAPITAL, now_s=NOW_S + 5)
    assert isinstance(hit, Hit)
    assert (hit.layer, hit.answer, hit.entry_id) == ("exact", b"Muscat", entry_id)
    assert (hit.similarity, hit.p_correct, hit.age_s, hit.wants_audit) == (1.0, 1.0, 5.0, False)
    assert look(cache, "what is the capital of OMAN").layer == "normalised"
    assert repr(hit) == f"Hit({entry_id}, exact, similarity 1.000)"


def test_a_miss_tells_why():
    cache = Cache()
    assert look(cache, CAPITAL).reason == "empty"
    entry_id = insert(cache, CAPITAL)
    near = look(cache, "What is the capital of Peru?")
    assert isinstance(near, Miss)
    assert near.entry_id == entry_id
    assert near.reason in {"guard", "below_bound"}
    assert (near.veto is not None) == (near.reason == "guard")
    assert 0.5 < near.similarity < 1.0
    assert look(cache, CAPITAL, partition=OTHER).reason == "empty"
    assert look(cache, CAPITAL, now_s=NOW_S + 1e6).reason == "expired"
    assert look(cache, CAPITAL, now_s=NOW_S + 60, max_age_s=30.0).reason == "expired"
    assert look(cache, "What's the weather today?").veto == "time_sensitive"
    assert repr(near) == f"Miss({near.reason})"


def test_entries_are_shown_replaced_deleted_and_cleared():
    cache = Cache()
    entry_id = insert(cache, CAPITAL, cost_usd=0.5, ttl_s=60)
    look(cache, CAPITAL)
    entry = cache.get(entry_id)
    assert (entry.entry_id, entry.namespace, entry.partition, entry.text) == (entry_id, "acme", ONE, CAPITAL)
    assert (entry.created_s, entry.expires_s) == (NOW_S, NOW_S + 60)
    assert (entry.n_hits, entry.cost_saved_usd, entry.n_right, entry.n_wrong) == (1, 0.5, 0.0, 0.0)
    assert entry.answer == b"Muscat"
    assert entry.n_bytes > 300
    assert cache.replace(entry_id, b"Masqat", now_s=NOW_S)
    assert look(cache, CAPITAL).answer == b"Masqat"
    assert [entry.entry_id for entry in cache.entries("acme")] == [entry_id]
    assert cache.entries("acme", after=entry_id) == []
    assert cache.delete(entry_id)
    assert not cache.delete(entry_id)
    insert(cache, CAPITAL)
    assert cache.clear("zeta") == 0
    assert cache.clear("acme") == 1


def test_a_wrong_hit_is_evicted():
    cache = Cache()
    entry_id = insert(cache, CAPITAL)
    graded = cache.observe(entry_id, CAPITAL, similarity=1.0, is_right=False)
    assert graded is None
    assert cache.get(entry_id) is None


def test_stats_count_hits_by_layer_and_misses_by_reason():
    cache = Cache(max_bytes=1 << 20)
    look(cache, CAPITAL)
    insert(cache, CAPITAL)
    cache.lookup_many(ONE, [CAPITAL, CAPITAL.upper(), "Write a limerick on frogs"], now_s=NOW_S)
    stats = cache.stats()
    assert stats.hits == {"exact": 1, "normalised": 1, "canonical": 0, "semantic": 0}
    assert {reason for reason, n in stats.misses.items() if n} == {"empty", "nothing_near"}
    assert (stats.n_entries, stats.n_partitions, stats.max_bytes) == (1, 1, 1 << 20)
    assert 300 < stats.n_bytes < 1 << 17
    assert (stats.n_evicted, stats.n_expired, stats.n_alarms, stats.n_dropped_bytes) == (0, 0, 0, 0)
    assert stats.aim == 0.01


def test_arguments_out_of_range_name_themselves():
    cache = Cache()
    for field, call in [
        ("partition", lambda: look(cache, CAPITAL, partition=b"short")),
        ("entry_id", lambda: cache.get("+123456789abcdef")),
        ("ttl_s", lambda: insert(cache, CAPITAL, ttl_s=0.0)),
        ("cost_usd", lambda: insert(cache, CAPITAL, cost_usd=float("nan"))),
        ("answer", lambda: insert(Cache(max_bytes=1 << 16), CAPITAL, b"x" * (1 << 15))),
        ("max_bytes", lambda: Cache(max_bytes=1)),
        ("target_error", lambda: Cache(target_error=0.0)),
        ("audit_rate", lambda: Cache(audit_rate=1.5)),
    ]:
        with pytest.raises(InvalidInput, match=field):
            call()


def test_saved_state_comes_back_and_damage_is_dropped_or_refused():
    cache = Cache()
    insert(cache, CAPITAL)
    journal = cache.take_journal()
    insert(cache, "What is the capital of Peru?", b"Lima")
    journal += cache.take_journal()
    assert cache.take_journal() == b""
    whole = Cache.restore(b"", journal, now_s=NOW_S)
    assert look(whole, "What is the capital of Peru?").answer == b"Lima"
    torn = Cache.restore(b"", journal[:-1], now_s=NOW_S)
    assert torn.stats().n_entries == 1
    assert torn.stats().n_dropped_bytes > 100
    again = Cache.restore(cache.snapshot(), journal, now_s=NOW_S, max_bytes=1 << 20)
    assert (again.stats().n_entries, again.stats().max_bytes) == (2, 1 << 20)
    with pytest.raises(InvalidState, match="damaged"):
        Cache.restore(b"\x00" * 100, b"", now_s=NOW_S)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.text(min_size=1, max_size=60)), min_size=2))
def test_a_hit_never_crosses_a_partition(pairs):
    cache = Cache()
    for partition, text in pairs:
        insert(cache, text, partition, partition)
    for partition, _ in pairs:
        for _, text in pairs:
            found = look(cache, text, partition)
            assert isinstance(found, Miss) or found.answer == partition


def test_32_threads_read_write_and_evict():
    cache = Cache(max_bytes=400_000)
    clock = count()
    failures: list[str] = []

    def text_of(number: int) -> str:
        return f"Explain {('tides', 'comets', 'glaciers')[number % 3]} to {number} children"

    def work(worker: int) -> None:
        for step in range(150):
            number, partition = (worker * 31 + step * 17) % 90, bytes([(worker + step) % 2]) * 16
            own = partition + text_of(number).encode()
            now_s = float(next(clock))
            if step % 3 == 0:
                insert(cache, text_of(number), own + b"x" * 800, partition, now_s=now_s, ttl_s=1e6)
            else:
                found = cache.lookup(partition, text_of(number), now_s=now_s, seed=step)
                if isinstance(found, Hit) and not found.answer.startswith(own):
                    failures.append(f"{own!r} got {found.answer[:60]!r}")
            if cache.stats().n_bytes > 400_000:
                failures.append("above the bound")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(work, range(32)))
    finally:
        sys.setswitchinterval(interval)
    assert not failures
    assert sum(cache.stats().hits.values()) > 50
