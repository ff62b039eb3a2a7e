"""A database that is full, locked or dead: requests go on, records wait or are counted, and all is well again."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time

import pytest
import sqlalchemy as sa

from pointsman.errors import StoreUnavailable
from pointsman.store.store import DecisionStore, StoreOptions
from pointsman.store.writer import Bounds, RowRefused, Writer

from .conftest import PostgresServer, served


def outages(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "pointsman.store"]


def eventually(is_so, within_s=5.0):
    end_s = time.monotonic() + within_s
    while not is_so() and time.monotonic() < end_s:
        time.sleep(0.005)
    return is_so()


def test_a_full_disk_costs_records_beyond_the_bound_and_no_request(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    options = StoreOptions(url=str(tmp_path / "log.db"), flush_every_s=0.001, bounds=Bounds(n=30))
    store = DecisionStore(options)
    limit = {"pages": 25}
    sa.event.listen(
        store.engine,
        "begin",
        lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={limit['pages']}"),
    )
    taken = [store.log(served(seed=seed)) and store.flush(0.2) for seed in range(30)]
    assert eventually(lambda: store.is_out)
    slowest_s, n_taken = 0.0, 0
    for seed in range(100, 200):
        begun_s = time.perf_counter()
        n_taken += store.log(served(seed=seed))
        slowest_s = max(slowest_s, time.perf_counter() - begun_s)
    assert taken[0]
    assert 0 < n_taken <= 30
    assert store.counts["dropped"] == 100 - n_taken
    assert slowest_s < 0.1
    limit["pages"] = 1_000_000
    assert eventually(lambda: store.flush(0.5))
    n_kept = len(store.page(limit=1000))
    assert n_kept == 30 + n_taken == store.counts["written"]
    assert eventually(lambda: any("written again" in line for line in outages(caplog)))
    said = outages(caplog)
    assert (
        sum("cannot be written" in line for line in said),
        sum("written again" in line for line in said),
    ) == (1, 1)
    assert "full" in said[0]
    assert store.counts["outages"] == 1 < store.counts["write_failures"]
    store.close()


def test_a_server_that_dies_and_comes_back_costs_nothing_that_fits(postgres_server, caplog):
    store = DecisionStore(StoreOptions(url=postgres_server.url, flush_every_s=0.001))
    store.log(served(seed=1))
    assert store.flush()
    postgres_server.stop()
    store.log(served(seed=2))
    assert not store.flush(0.5)
    assert store.is_out
    with pytest.raises(StoreUnavailable, match="cannot be read now"):
        store.page()
    with pytest.raises(StoreUnavailable):
        store.save_state("learned", b"x")
    postgres_server.start()
    assert eventually(lambda: store.flush(1), within_s=20)
    assert {row["decision_id"] for row in store.page()} >= {
        served(seed=seed).decision.decision_id for seed in (1, 2)
    }
    assert not store.is_out
    store.close()


def test_a_server_that_is_not_there_at_the_start_is_waited_for(postgres_server, caplog):
    postgres_server.stop()
    store = DecisionStore(StoreOptions(url=postgres_server.url, flush_every_s=0.001))
    assert "cannot be opened yet" in outages(caplog)[0]
    store.log(served(seed=3))
    assert not store.flush(0.3)
    postgres_server.start()
    assert eventually(lambda: store.flush(1), within_s=20)
    store.close()


@pytest.fixture(scope="module")
def postgres_server(postgres_programs):
    """A server that tests stop and start again."""
    with PostgresServer.running(postgres_programs) as server:
        yield server


def test_a_lock_of_another_process_is_waited_for(tmp_path):
    store = DecisionStore(StoreOptions(url=str(tmp_path / "log.db"), flush_every_s=0.001))
    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.log(served())
    assert not store.flush(0.1)
    other.execute("COMMIT")
    other.close()
    assert store.flush(5)
    assert store.counts["outages"] == 0
    store.close()


# ---- the writer alone


def writer_of(write, **settings):
    return Writer(lambda item: (item, 1), write, flush_every_s=0.001, **settings)


def test_one_bad_row_costs_no_other():
    written = []

    def write(rows):
        if 13 in rows:
            raise RowRefused("unlucky")
        written.extend(rows)

    writer = writer_of(write)
    for item in range(50):
        writer.put(item)
    assert writer.flush()
    assert written == [item for item in range(50) if item != 13]
    assert (writer.counts["refused"], writer.counts["written"]) == (1, 49)
    writer.close()


def test_an_item_that_makes_no_row_costs_no_other():
    written = []
    writer = Writer(lambda item: (1 // item, 1), written.extend, flush_every_s=0.001)
    for item in (1, 0, 1):
        writer.put(item)
    assert writer.flush()
    assert (len(written), writer.counts["refused"]) == (2, 1)
    writer.close()


def test_bytes_are_bounded_too():
    gate = threading.Event()
    writer = Writer(
        lambda item: (item, 1000),
        lambda rows: gate.wait(5),
        flush_every_s=0.0,
        bounds=Bounds(n=100, n_bytes=5_000),
    )
    for item in range(50):
        writer.put(item)
        time.sleep(0.001)
    gate.set()
    writer.flush()
    assert writer.counts["dropped"] + writer.counts["written"] == 50
    assert writer.counts["dropped"] > 0
    writer.close()


def test_closing_writes_what_waits_and_takes_no_more():
    written = []
    writer = writer_of(written.extend)
    writer.put(1)
    writer.close()
    assert written == [1]
    assert not writer.put(2)
    writer.close()


def test_closing_in_an_outage_says_what_is_lost(caplog):
    def write(rows):
        raise OSError("no disk")

    writer = writer_of(write)
    writer.put(1)
    assert eventually(lambda: writer.is_out)
    begun_s = time.monotonic()
    writer.close()
    assert time.monotonic() - begun_s < 1
    assert writer.counts["dropped"] == 1
    assert "1 records that could not be written" in outages(caplog)[-1]


def test_a_program_that_never_closes_writes_all_the_same(tmp_path):
    import subprocess
    import sys
    from pathlib import Path

    script = (
        "import sys; from tests.store.conftest import served; from pointsman.store.store import open_store\n"
        "open_store(sys.argv[1]).log(served())"
    )
    path = tmp_path / "log.db"
    subprocess.run(
        [sys.executable, "-c", script, path], cwd=Path(__file__).parents[2], check=True, timeout=30
    )
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM decisions").fetchone() == (1,)
    connection.close()
