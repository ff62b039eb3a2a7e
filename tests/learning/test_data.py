"""Tables as they should be, and every way in which they are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.learning.data import TableError, read_table
from pointsman.learning.protocol import MAX_TASK_FOLDS, Protocol

from .tables import topic_world, write

Rows = list[dict[str, Any]]


def test_missing_outcomes_are_nan_and_prompts_without_any_are_left_out(tmp_path: Path):
    prompts, outcomes = topic_world(30)
    del outcomes[0]  # Of p0 and ada.
    kept = [row for row in outcomes if row["prompt_id"] != "p7"]
    table = read_table(write(tmp_path, prompts, kept, {"ada": {"in": 1, "out": 2.5}, "note": "USD"}))
    assert (len(table), table.models) == (29, ("ada", "bob", "cyd"))
    assert math.isnan(table.quality[0, 0])
    assert math.isnan(table.cost_usd[0, 0])
    assert np.isnan(table.quality).sum() == 1
    assert table.prices == {"ada": (1, 2.5)}
    assert "bob, cyd" in table.notes[0]
    assert "1 prompts without" in table.notes[1]


def test_columns_that_are_optional_may_be_missing(tmp_path: Path):
    prompts, outcomes = topic_world(6)
    bare = [{"prompt_id": row["prompt_id"], "prompt": row["prompt"]} for row in prompts]
    few = [{key: row[key] for key in ("prompt_id", "model", "quality", "cost_usd")} for row in outcomes]
    table = read_table(write(tmp_path, bare, few))
    assert np.isnan(table.output_tokens).all()
    assert set(table.tasks) == {""}
    assert Protocol.default(table) == Protocol("kfold", 5)


def without(rows: Rows, column: str) -> None:
    for row in rows:
        del row[column]


def changed(row: int, column: str, value: object) -> Callable[[Rows], None]:
    return lambda rows: rows[row].update({column: value})


PROMPT_FAULTS = [
    (
        lambda rows: without(rows, "prompt"),
        "prompts.parquet, column prompt: is missing among prompt_id, dataset",
    ),
    (changed(3, "prompt", None), "prompts.parquet, column prompt, row 3: is None: give a text"),
    (changed(3, "prompt_id", "p1"), "column prompt_id, row 3: 'p1' is there already, in row 1"),
    (lambda rows: rows.clear(), "prompts.parquet"),
]
OUTCOME_FAULTS = [
    (
        lambda rows: without(rows, "cost_usd"),
        "outcomes.parquet, column cost_usd: is missing among prompt_id, model",
    ),
    (
        changed(4, "quality", math.nan),
        "outcomes.parquet, column quality, row 4: is nan: give a quality in [0, 1]",
    ),
    (changed(4, "quality", None), "column quality, row 4: is nan"),
    (changed(5, "quality", 1.5), "column quality, row 5: is 1.5: give a quality in [0, 1]"),
    (changed(5, "cost_usd", -1.0), "column cost_usd, row 5: is -1: give US dollars"),
    (changed(5, "cost_usd", math.inf), "column cost_usd, row 5: is inf: give US dollars"),
    (changed(2, "model", ""), "outcomes.parquet, column model, row 2: is '': give a text"),
    (changed(2, "prompt_id", "p99"), "row 2: 'p99' is no prompt of prompts.parquet"),
    (lambda rows: rows.append(dict(rows[1])), "rows 1 and 36: both are of prompt 'p0' and model 'bob'"),
    (
        lambda rows: [row.update(model="only") for row in rows],
        "outcomes.parquet, column model: 1 model, nothing to choose",
    ),
    (lambda rows: [row.update(quality="good") for row in rows], "column quality: of type string"),
]


@pytest.mark.parametrize(("fault", "said"), PROMPT_FAULTS)
def test_faulty_prompts_are_refused_with_file_column_row_and_remedy(
    tmp_path: Path, fault: Callable[[Rows], None], said: str
):
    prompts, outcomes = topic_world(12)
    fault(prompts)
    with pytest.raises(TableError) as caught:
        read_table(write(tmp_path, prompts, outcomes))
    assert said in str(caught.value)


@pytest.mark.parametrize(("fault", "said"), OUTCOME_FAULTS)
def test_faulty_outcomes_are_refused_with_file_column_row_and_remedy(
    tmp_path: Path, fault: Callable[[Rows], None], said: str
):
    prompts, outcomes = topic_world(12)
    fault(outcomes)
    with pytest.raises(TableError) as caught:
        read_table(write(tmp_path, prompts, outcomes))
    assert said in str(caught.value)


def test_files_that_are_missing_or_no_parquet_are_named(tmp_path: Path):
    with pytest.raises(TableError, match=r"prompts\.parquet is missing: give a folder"):
        read_table(tmp_path)
    write(tmp_path, *topic_world(6))
    (tmp_path / "outcomes.parquet").write_bytes(b"prompt_id,model\n")
    with pytest.raises(TableError, match=r"outcomes\.parquet cannot be read as Parquet"):
        read_table(tmp_path)
    write(tmp_path, *topic_world(6))
    (tmp_path / "models.json").write_text("{")
    with pytest.raises(TableError, match=r"models\.json is no JSON"):
        read_table(tmp_path)


def test_every_protocol_scores_no_prompt_it_learned_from(tmp_path: Path):
    table = read_table(write(tmp_path, *topic_world(60)))
    for text, n_parts, n_scored in (
        ("split", 1, 21),
        ("kfold:5", 5, 60),
        ("kfold-task", 3, 60),
        ("first:15", 1, 45),
    ):
        parts = Protocol.parse(text).parts(table, run=0)
        assert len(parts) == n_parts
        assert sum(len(test) for _, test in parts) == n_scored
        for train, test in parts:
            assert not set(train) & set(test)
            if text == "kfold-task":
                assert not set(table.tasks[train]) & set(table.tasks[test])
    assert Protocol.default(table) == Protocol("split")
    assert [Protocol.parse("first:15", n).n_runs for n in (None, 2)] == [5, 2]
    first, second = (Protocol.parse("first:15").parts(table, run)[0][0].tolist() for run in (0, 1))
    assert first != second


def test_many_tasks_share_folds(tmp_path: Path):
    prompts, outcomes = topic_world(90)
    for index, row in enumerate(prompts):
        row["task"] = f"t{index % 45}"
    parts = Protocol.parse("kfold-task").parts(read_table(write(tmp_path, prompts, outcomes)), run=0)
    assert len(parts) == MAX_TASK_FOLDS


@pytest.mark.parametrize("text", ["", "fold:5", "kfold", "kfold:1", "kfold:x", "first:0", "split:2"])
def test_a_protocol_that_is_none_is_refused(text: str):
    with pytest.raises(TableError, match="give split, kfold:5, kfold-task or first:1500"):
        Protocol.parse(text)


def test_a_part_without_prompts_is_refused(tmp_path: Path):
    prompts, outcomes = topic_world(12)
    for row in prompts:
        row.update(split="test", task="one")
    table = read_table(write(tmp_path, prompts, outcomes))
    with pytest.raises(TableError, match=r"column split: holds test, so --protocol split leaves 0 prompts"):
        Protocol.parse("split").parts(table, run=0)
    with pytest.raises(TableError, match="names one task"):
        Protocol.parse("kfold-task").parts(table, run=0)
    with pytest.raises(TableError, match="first:12 leaves 12 prompts to learn from and 0 to score of 12"):
        Protocol.parse("first:12").parts(table, run=0)
