"""The held-out set of the task classifier: shape, labels, and that neither the dev set nor the corpus holds its texts."""

import json
import re
from collections import Counter
from pathlib import Path

from test_axes_dev_is_well_formed import LABELS, OPTIONAL, REQUIRED, ROLES, content_text

HERE = Path(__file__).parent
CORPUS = HERE.parents[1] / "tools/axes/corpus"


def load(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


ROWS = load(HERE / "axes_held.jsonl")


def whole_text(row):
    return "\n".join(content_text(message).strip().lower() for message in row["messages"])


def test_rows_have_the_shape_of_a_labelled_request():
    assert len(ROWS) == 320
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert REQUIRED <= set(row) <= REQUIRED | OPTIONAL, row["id"]
        assert re.fullmatch(r"held-\d{4}", row["id"])
        assert {name: row["labels"][name] in LABELS[name] for name in LABELS} == dict.fromkeys(LABELS, True)
        assert {message["role"] for message in row["messages"]} <= ROLES, row["id"]


def test_every_label_is_there_to_be_measured():
    for axis, names in LABELS.items():
        counts = Counter(row["labels"][axis] for row in ROWS)
        assert set(counts) == names
        assert min(counts.values()) >= 15, axis


def test_nothing_that_is_trained_or_chosen_on_is_held_out():
    known = {whole_text(row) for row in load(HERE / "axes_dev.jsonl")}
    for path in CORPUS.glob("*.jsonl"):
        known |= {whole_text(row) for row in load(path)}
    assert [row["id"] for row in ROWS if whole_text(row) in known] == []
