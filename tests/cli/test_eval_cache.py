"""`pointsman eval-cache`: what it counts and how it refuses files it cannot score."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from pointsman.cli import app

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = [
    ["What is the capital of Oman?", "What's the capital of Oman", 1, "own", "country"],
    ["What is the capital of Oman?", "What is the capital of Peru?", 0, "own", "country"],
    ["List 3 facts about Mars.", "List 5 facts about Mars.", 0, "own", "number"],
]
STREAM = [
    ["How do I boil an egg?", 0, "new"],
    ["how do I boil an egg", 0, "norm"],
    ["How do I boil an egg?", 1, "exact"],
    ["How do I fry an egg?", 2, "new"],
]
FOLLOW_UPS = [
    ["Tell me about Mars.", "How big is it?", "d1"],
    ["Tell me about Venus.", "How big is it?", "d1"],
    ["Tell me about Mars.", "How big is it?", "d1"],
]


def write(path: Path, rows: list[Any]) -> str:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


def scores(path: str, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["eval-cache", path, "--json", *options])
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_pairs_are_scored_by_family(tmp_path: Path) -> None:
    got = scores(write(tmp_path / "pairs.jsonl.gz", PAIRS), "--target-error", "0.02")
    assert (got["n"], got["recall"], got["false_rate"]) == (3, 1.0, 0.0)
    assert got["by_family"]["number"] == {"n": 1, "recall": None, "false_rate": 0.0}


def test_a_hit_of_another_class_is_false(tmp_path: Path) -> None:
    got = scores(write(tmp_path / "stream.jsonl", STREAM))
    assert (got["n"], got["hit_rate"], got["false_hit_rate"], got["false_per_hit"]) == (4, 0.5, 0.25, 0.5)
    assert got["by_layer"] == {"exact": 0.25, "normalised": 0.25, "canonical": 0.0, "semantic": 0.0}
    assert 0 < got["lookup_us"]["p50"] <= got["lookup_us"]["p99"]


def test_follow_ups_hit_only_in_their_own_conversation(tmp_path: Path) -> None:
    got = scores(write(tmp_path / "followups.jsonl", FOLLOW_UPS))
    assert (got["hit_rate"], got["false_hit_rate"]) == (pytest.approx(1 / 3), 0.0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no rows"),
        (b'["a", "b", 1]\n{"a": 1}\n', "line 2"),
        (b'["a", "b", 1]\n["a", 3, "new"]\n', "line 2: expected a pair"),
        (b'["a", "b", 2]\n', "line 1"),
        (b"not json\n", "line 1: not JSON"),
        (b"\x1f\x8bbroken", "broken.jsonl"),
        (b'["\xff", "b", 1]\n', "broken.jsonl"),
    ],
)
def test_a_file_that_cannot_be_scored_is_named_with_its_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["eval-cache", str(path)])
    assert result.exit_code == 1
    assert said in result.stderr
    assert "broken.jsonl" in result.stderr


def test_people_get_a_table(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["eval-cache", write(tmp_path / "pairs.jsonl", PAIRS)])
    assert result.exit_code == 0
    assert "false_rate" in result.stdout


def test_a_target_outside_its_range_is_a_usage_error(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", PAIRS)
    assert CliRunner().invoke(app, ["eval-cache", path, "--target-error", "2"]).exit_code == 2
