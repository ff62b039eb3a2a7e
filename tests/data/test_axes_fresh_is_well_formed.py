"""The fresh sets of the task classifier: shape, labels, and that their texts stand nowhere else."""

import re
from collections import Counter

import pytest
from test_axes_dev_is_well_formed import LABELS, OPTIONAL, REQUIRED, content_text
from test_axes_held_is_well_formed import CORPUS, HERE, load, whole_text

SETS = {half: load(HERE / f"axes_fresh_{half}.jsonl") for half in "abc"}
SIZES = {"a": 130, "b": 128, "c": 109}


@pytest.mark.parametrize("half", SETS)
def test_rows_have_the_shape_of_a_labelled_request(half):
    rows = SETS[half]
    assert len(rows) == SIZES[half]
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert REQUIRED <= set(row) <= REQUIRED | OPTIONAL, row["id"]
        assert re.fullmatch(rf"fresh-{half}\d{{3}}", row["id"])
        assert all(row["labels"][axis] in names for axis, names in LABELS.items()), row["id"]
        assert row["messages"][-1]["role"] == "user"
        assert all(content_text(message).strip() for message in row["messages"]), row["id"]


def test_every_domain_is_as_common_in_both_halves():
    counts = [Counter(row["labels"]["domain"] for row in SETS[half]) for half in "ab"]
    assert set(counts[0]) == set(counts[1]) == LABELS["domain"]
    assert min(min(count.values()) for count in counts) >= 15
    assert all(abs(counts[0][name] - counts[1][name]) <= 2 for name in LABELS["domain"])


@pytest.mark.parametrize("half", ["b", "c"])
def test_nothing_that_is_trained_or_chosen_on_is_in_what_is_not_read(half):
    known = {whole_text(row) for row in load(HERE / "axes_dev.jsonl") + SETS["a"]}
    for path in CORPUS.glob("*.jsonl"):
        known |= {whole_text(row) for row in load(path)}
    assert [row["id"] for row in SETS[half] if whole_text(row) in known] == []


def test_nothing_that_is_trained_on_is_in_half_a():
    known = {whole_text(row) for path in CORPUS.glob("*.jsonl") for row in load(path)}
    assert [row["id"] for row in SETS["a"] if whole_text(row) in known] == []
