"""Slice discovery: planted truths are found in words; where there is nothing to find, hardly anything is claimed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from pointsman.cli import app
from pointsman.learning.slices import Answers, benjamini_yekutieli, discover, length_label, of_log, plainest

MODELS = ("big-70b", "mid-34b", "small-13b")
COSTS = np.array([0.01, 0.004, 0.001])


def world(seed: int, n: int = 3_000, *, planted: float = 0.0, base=(0.75, 0.75, 0.75)) -> Answers:
    """Requests of random labels; `small-13b` is better by `planted` on short legal extraction."""
    draws = np.random.default_rng(seed)
    labels = {
        "task": draws.choice(["extraction", "summary", ""], n).tolist(),
        "domain": draws.choice(["legal", "code", "general"], n).tolist(),
        "structure": draws.choice(["text", "json"], n).tolist(),
        "length": draws.choice([length_label(100), length_label(300), length_label(5_000)], n).tolist(),
    }
    is_planted = np.array([task == "extraction" for task in labels["task"]])
    is_planted &= np.array([domain == "legal" for domain in labels["domain"]])
    chance = np.tile(np.array(base), (n, 1))
    chance[is_planted, 2] += planted
    quality = (draws.random((n, 3)) < chance).astype(float)
    return Answers(labels, MODELS, quality, np.ones(n), is_paired=True, cost_usd=COSTS)


def as_log(answers: Answers, seed: int) -> Answers:
    """The same, but each request answered by one model drawn with known chances."""
    draws = np.random.default_rng(seed)
    chances = np.array([0.2, 0.3, 0.5])
    drawn = draws.choice(3, len(answers.weights), p=chances)
    quality = np.full_like(answers.quality, np.nan)
    rows = np.arange(len(drawn))
    quality[rows, drawn] = answers.quality[rows, drawn]
    return Answers(answers.labels, MODELS, quality, 1 / chances[drawn], is_paired=False, cost_usd=COSTS)


def test_a_planted_truth_is_found_and_told_in_words() -> None:
    found = discover(world(1, n=9_000, planted=0.2, base=(0.77, 0.75, 0.74)))
    slices = [one for one in found if one.winner == "small-13b" and one.loser == "big-70b"]
    best = next(one for one in slices if dict(one.slice) == {"task": "extraction", "domain": "legal"})
    assert best.is_cheaper
    assert 0.1 < best.gain < 0.3
    assert best.words().startswith("small-13b beats big-70b on extraction legal: +")
    assert f"n={best.n}, q=" in best.words()
    assert best.words().endswith(", and is cheaper")
    # What a coarser slice says already is not said twice.
    coarse = replace(best, slice={"domain": "legal"})
    fine = replace(best, slice={"domain": "legal", "structure": "json"})
    other = replace(fine, winner="big-70b", loser="small-13b")
    assert plainest([fine, coarse, other]) == [coarse, other]


def test_a_log_of_one_model_a_request_tells_it_too() -> None:
    found = discover(as_log(world(2, n=9_000, planted=0.25), 5))
    slices = [dict(one.slice) for one in found if one.winner == "small-13b"]
    assert {"task": "extraction", "domain": "legal"} in slices


@pytest.mark.parametrize("is_log", [False, True])
def test_where_nothing_is_to_be_found_hardly_anything_is_claimed(is_log: bool) -> None:
    n_worlds = 60
    answers = (world(100 + seed, n=1_500) for seed in range(n_worlds))
    wrong = sum(bool(discover(as_log(one, seed) if is_log else one)) for seed, one in enumerate(answers))
    # The false discovery rate is the chance of any claim here: 5 %, and two standard errors.
    assert wrong / n_worlds <= 0.05 + 2 * (0.05 * 0.95 / n_worlds) ** 0.5


def test_without_correction_the_null_world_is_full_of_claims() -> None:
    """The check has power: plain p-values fail it in every world."""
    raw = [discover(world(100 + seed, n=1_500), max_q=1.0) for seed in range(10)]
    assert all(any(one.p <= 0.05 for one in tests) for tests in raw)


def test_of_what_is_claimed_little_is_false_where_much_is_true() -> None:
    n_claims = n_false = 0
    for seed in range(20):
        for one in discover(world(seed, planted=0.2)):
            n_claims += 1
            # The plant lifts every cell that meets legal extraction: only the others can be false claims.
            touches = (
                one.slice.get("task", "extraction") == "extraction"
                and one.slice.get("domain", "legal") == "legal"
            )
            n_false += one.winner != "small-13b" or not touches
    assert n_claims > 100
    assert n_false / n_claims <= 0.05


def test_q_values_are_those_of_benjamini_and_yekutieli() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    plain = np.array([0.02, 0.04, 0.04, 0.02])
    assert benjamini_yekutieli(p) == pytest.approx(np.minimum(1, plain * harmonic))
    assert benjamini_yekutieli(np.array([])).size == 0


def test_rows_of_a_log_become_answers_of_the_model_that_was_chosen() -> None:
    row = {
        "model": "a", "deployment": "d", "chosen": "d", "cache_layer": None, "reward": 0.5, "cost_usd": 0.1,
        "task": None, "domain": "code", "structure": "text", "n_expected_input_tokens": 600, "propensity": 0.25,
    }  # fmt: skip
    rows = [row, {**row, "model": "b"}, {**row, "reward": None}, {**row, "deployment": "other"}]
    answers = of_log(rows)
    assert answers.models == ("a", "b")
    assert answers.weights.tolist() == [4.0, 4.0]
    assert answers.labels["length"] == ["512 to 2,048 tokens"] * 2
    assert np.isnan(answers.quality[0, 1])
    assert not np.isnan(answers.quality[0, 0])


def test_the_command_reads_a_folder_of_graded_answers(tmp_path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    draws, n = np.random.default_rng(3), 400
    prompts = [f"Extract the parties of contract {i} as JSON." for i in range(n)]
    ids = [str(i) for i in range(n)]
    parquet.write_table(
        pa.table({"prompt_id": ids, "prompt": prompts, "task": ["extraction"] * n}),
        tmp_path / "prompts.parquet",
    )
    outcomes = {
        "prompt_id": ids * 2,
        "model": ["big-70b"] * n + ["small-13b"] * n,
        "quality": np.concatenate([draws.random(n) < 0.5, draws.random(n) < 0.8]).astype(float),
        "cost_usd": [0.01] * n + [0.001] * n,
    }
    parquet.write_table(pa.table(outcomes), tmp_path / "outcomes.parquet")
    result = CliRunner().invoke(app, ["slices", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["findings"]
    assert found[0]["winner"] == "small-13b"
    assert found[0]["is_cheaper"]
    assert "small-13b beats big-70b" in CliRunner().invoke(app, ["slices", str(tmp_path)]).stdout
