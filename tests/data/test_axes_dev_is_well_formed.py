"""The dev set of the task classifier: shape, labels, and that it stays as varied as its README says."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LABELS = {
    "complexity": {"lookup", "generation", "reasoning"},
    "domain": {"code", "math", "legal", "medical", "finance", "science", "general"},
    "structure": {"text", "json", "sql", "code", "label"},
    "latency": {"interactive", "batch"},
}
REQUIRED = {"id", "messages", "labels", "lang"}
OPTIONAL = {"response_format", "tools", "stream", "service_tier", "deadline_s", "note"}
ROLES = {"system", "developer", "user", "assistant", "tool"}
MIN_ROWS = 600
MIN_BY_LABEL = {
    "complexity": {"lookup": 150, "generation": 200, "reasoning": 150},
    "domain": {
        "code": 60, "math": 60, "legal": 60, "medical": 60, "finance": 60, "science": 60, "general": 150,
    },
    "structure": {"text": 250, "json": 75, "code": 75, "sql": 35, "label": 70},
    "latency": {"interactive": 400, "batch": 70},
}  # fmt: skip
LONG_BYTES = 1000
BATCH_DEADLINE_S = 600


def load():
    text = (HERE / "axes_dev.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


ROWS = load()


def content_text(message):
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    return content or ""


def share(predicate):
    return sum(map(predicate, ROWS)) / len(ROWS)


def test_rows_have_the_shape_of_a_labelled_request():
    for row in ROWS:
        assert REQUIRED <= set(row) <= REQUIRED | OPTIONAL, row["id"]
        assert re.fullmatch(r"(axes|agent)-\d{4}", row["id"])
        assert re.fullmatch(r"[a-z]{2}", row["lang"]), row["id"]
        assert set(row["labels"]) == set(LABELS), row["id"]
        assert all(row["labels"][axis] in names for axis, names in LABELS.items()), row["id"]


def test_messages_are_valid_openai_chats():
    for row in ROWS:
        messages = row["messages"]
        assert {message["role"] for message in messages} <= ROLES, row["id"]
        assert messages[-1]["role"] in {"user", "tool"}, row["id"]
        assert all(content_text(m).strip() or m.get("tool_calls") for m in messages), row["id"]
        calls = [call["id"] for message in messages for call in message.get("tool_calls", [])]
        answers = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
        assert calls == answers, row["id"]


def test_deterministic_facts_agree_with_the_labels():
    for row in ROWS:
        labels, deadline_s = row["labels"], row.get("deadline_s")
        if row.get("response_format", {}).get("type") in {"json_object", "json_schema"}:
            assert labels["structure"] == "json", row["id"]
        if labels["structure"] == "sql":
            assert labels["domain"] == "code", row["id"]
        slow = deadline_s is not None and deadline_s >= BATCH_DEADLINE_S
        offline = slow or row.get("service_tier") in {"flex", "batch"}
        online = row.get("stream") is True or (deadline_s is not None and not slow)
        assert not (offline and online), row["id"]
        assert not offline or labels["latency"] == "batch", row["id"]
        assert not online or labels["latency"] == "interactive", row["id"]


def test_ids_and_texts_are_unique():
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    texts = Counter("\n".join(content_text(m).strip().lower() for m in row["messages"]) for row in ROWS)
    assert [text for text, n in texts.items() if n > 1] == []


@pytest.mark.parametrize("axis", LABELS)
def test_every_label_is_common_enough_to_be_measured(axis):
    counts = Counter(row["labels"][axis] for row in ROWS)
    assert len(ROWS) >= MIN_ROWS
    assert [label for label, least in MIN_BY_LABEL[axis].items() if counts[label] < least] == []


def test_kinds_of_requests_keep_their_share():
    def turns(row):
        return sum(message["role"] == "user" for message in row["messages"])

    def n_bytes(row):
        return sum(len(content_text(message).encode()) for message in row["messages"])

    assert share(lambda row: row["lang"] != "en") >= 0.22
    assert share(lambda row: row["messages"][0]["role"] in {"system", "developer"}) >= 0.30
    assert share(lambda row: turns(row) > 1) >= 0.15
    assert share(lambda row: row["id"].startswith("agent-")) >= 0.05
    assert share(lambda row: n_bytes(row) >= LONG_BYTES) >= 0.06


def test_readme_states_the_counts_of_the_file():
    stated = dict(re.findall(r"^\| `([a-z]+\.[a-z]+)` \| (\d+) \|$", (HERE / "README.md").read_text(), re.M))
    counted = Counter(f"{axis}.{label}" for row in ROWS for axis, label in row["labels"].items())
    assert {name: int(n) for name, n in stated.items()} == dict(counted)
