"""An export holds what the log holds, day by day, and reads back the same."""

from __future__ import annotations

import pyarrow.dataset as ds
import pytest

from pointsman.errors import ConfigError
from pointsman.store.parquet import export_log
from pointsman.store.rows import decision_rows

from ..native.conftest import NOW_S
from .conftest import labelled, served
from .test_store import given

DAY_S = 86_400.0


def filled(open_store, n=6, **options):
    store = open_store(**options)
    for i in range(n):
        one = served(at_s=NOW_S + i * DAY_S / 2, seed=i, request=labelled(f"What is {i}?", tags=("a", "ö")))
        store.log(one)
        store.log_feedback(given(one.decision.decision_id, i / n))
    store.flush()
    return store


def test_what_is_exported_reads_back_as_the_log(open_store, url, tmp_path, monkeypatch):
    monkeypatch.setattr("pointsman.store.parquet._ROWS_A_GROUP", 1)
    filled(open_store, prompts="full")
    written = export_log(url, tmp_path / "out")
    assert written == {"2023-11-14": 1, "2023-11-15": 2, "2023-11-16": 2, "2023-11-17": 1}
    assert list(decision_rows(tmp_path / "out")) == list(decision_rows(url))
    since_s, until_s = NOW_S + DAY_S, NOW_S + 2 * DAY_S
    some = list(
        decision_rows(tmp_path / "out", since_s=since_s, until_s=until_s, model="m0", tenant="default")
    )
    assert some == list(decision_rows(url, since_s=since_s, until_s=until_s))
    assert len(some) == 2
    assert list(decision_rows(tmp_path / "out", tenant="ann")) == []


def test_others_read_it_as_a_partitioned_data_set(open_store, url, tmp_path):
    filled(open_store)
    export_log(url, tmp_path / "out")
    table = ds.dataset(tmp_path / "out", partitioning="hive").to_table(filter=ds.field("day") == "2023-11-15")
    assert table.num_rows == 2
    assert table["reward"].to_pylist() == pytest.approx([1 / 6, 2 / 6])


def test_a_day_exported_again_replaces_what_was_there(open_store, url, tmp_path):
    store = filled(open_store, n=2)
    export_log(url, tmp_path / "out")
    store.log(served(at_s=NOW_S + 1, seed=99))
    store.flush()
    export_log(url, tmp_path / "out")
    assert len(list(decision_rows(tmp_path / "out"))) == 3


def test_what_is_no_export_is_named(tmp_path):
    with pytest.raises(ConfigError, match="holds no export; `pointsman export"):
        list(decision_rows(tmp_path))
    (tmp_path / "day=2023-11-14").mkdir()
    (tmp_path / "day=2023-11-14" / "decisions-00000.parquet").write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match="is no file of an export"):
        list(decision_rows(tmp_path))
