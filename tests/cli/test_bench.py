"""`pointsman bench decide`: the rows of http-api, on prompts that are all different."""

from __future__ import annotations

import json
from itertools import islice

from typer.testing import CliRunner

from pointsman.cli import app, bench
from pointsman.cli.bench_prompts import prompts


def test_prompts_have_their_size_and_never_repeat() -> None:
    for n_bytes in (200, 1024, 5000):
        texts = list(islice(prompts(n_bytes), 200))
        assert len(set(texts)) == len(texts)
        assert all(n_bytes - 3 <= len(text.encode()) <= n_bytes for text in texts)
    assert any(not text.isascii() for text in islice(prompts(1024), 20))


def test_new_words_are_of_the_same_shape_and_never_repeat() -> None:
    known, new = next(prompts(1024)), list(islice(prompts(1024, are_words_new=True), 50))
    assert [c if not ("a" <= c <= "z") else "x" for c in new[0]] == [
        c if not ("a" <= c <= "z") else "x" for c in known
    ]
    long_words = [
        word for text in new for word in text.split() if word.isascii() and len(word) > 7 and word.islower()
    ]
    assert len(set(long_words)) == len(long_words)


def test_json_is_a_row_for_each_size_and_number_of_deployments(monkeypatch) -> None:
    monkeypatch.setattr(bench, "N_TIMED", {200: 20, 1024: 20})
    result = CliRunner().invoke(app, ["bench", "decide", "--quick", "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [(row["prompt_bytes"], row["n_deployments"]) for row in rows] == [
        (n_bytes, n) for n_bytes in (200, 1024) for n in (1, 8, 32, 128)
    ]
    for row in rows:
        assert row["cache_entries"] == 0
        assert 0 < row["p50_us"] <= row["p90_us"] <= row["p99_us"]
        assert row["per_second"] > 0


def test_people_get_a_table_with_the_machine(monkeypatch) -> None:
    monkeypatch.setattr(bench, "N_TIMED", {200: 20})
    result = CliRunner().invoke(app, ["bench", "decide", "--quick"])
    assert result.exit_code == 0, result.output
    assert "p99" in result.stdout
    assert "commit" in result.stdout
