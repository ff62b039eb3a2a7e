"""`pointsman train` and `pointsman eval` on worlds whose truth is known, and on folders that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pointsman._native import Core
from pointsman.cli import app
from pointsman.errors import InvalidState
from pointsman.learning.data import TableError
from pointsman.learning.train import Tariff, ask, catalog

from ..learning.tables import noise_world, topic_world, write

JUDGES = ("router", "zero_router", "length_only", "task_table")


def report(folder: Path, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["eval", str(folder), "--json", *options])
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_router_of_topics_beats_the_best_single_model(tmp_path: Path):
    got = report(write(tmp_path, *topic_world()), "--protocol", "split")
    assert (got["n_train"], got["n_test"], got["models"]) == (300, 150, ["ada", "bob", "cyd"])
    assert got["best_single"]["quality"] < 0.6 < 0.85 < got["router"]["quality"] < got["oracle"]["quality"]
    assert got["task_table"]["quality"] > 0.85
    assert got["router"]["auc"] > 0.75 > 0.6 > got["zero_router"]["auc"]
    assert got["router"]["saved_at"]["1.00"] >= 0.0
    assert got["random"]["quality"] == pytest.approx(0.5, abs=0.08)


def test_the_report_has_the_shape_of_the_contract(tmp_path: Path):
    got = report(write(tmp_path, *topic_world(60)), "--protocol", "kfold:3", "--pair", "bob,ada")
    for judge in JUDGES:
        assert {"quality", "cost_usd", "aiq", "saved_at", "cost_at_best", "auc", "brier", "ece"} <= set(
            got[judge]
        )
        assert set(got[judge]["saved_at"]) == {"1.00", "0.98", "0.95"}
    for point in ("oracle", "random"):
        assert set(got[point]) == {"quality", "cost_usd"}
    assert set(got["best_single"]) == {"model", "quality", "cost_usd"}
    assert set(got["pair"]) == {"weak", "strong", "apgr", "cpt50", "cpt80"}
    assert (got["pair"]["weak"], got["pair"]["strong"]) == ("bob", "ada")
    assert 0 < got["decision_us"]["p50"] <= got["decision_us"]["p99"]


def test_the_dial_is_also_set_without_a_look_at_what_is_scored(tmp_path: Path):
    got = report(write(tmp_path, *topic_world()), "--protocol", "split")
    settled = got["router"]["dial_from_training"]
    assert 0.85 < settled["quality"] <= got["router"]["quality"]
    assert settled["of_best_single"] == pytest.approx(settled["cost_usd"] / got["best_single"]["cost_usd"])


def test_where_prompts_say_nothing_no_harm_is_done(tmp_path: Path):
    worst, total = 0.0, 0.0
    for seed in range(4):
        got = report(write(tmp_path, *noise_world(seed=seed)), "--protocol", "kfold:3")
        harm = got["best_single"]["quality"] - got["router"]["quality_alone"]["quality"]
        worst, total = max(worst, harm), total + harm
    assert worst <= 0.05
    assert total / 4 <= 0.03


def test_runs_are_averaged_with_their_deviation(tmp_path: Path):
    got = report(write(tmp_path, *topic_world(90)), "--protocol", "first:60", "--runs", "3")
    assert (got["n_runs"], got["n_train"], got["n_test"]) == (3, 60, 30)
    assert got["sd"]["router"]["quality"] > 0
    assert "weak" not in got["sd"]["pair"]


def test_missing_outcomes_are_neither_chosen_nor_learned(tmp_path: Path):
    prompts, outcomes = topic_world(240)
    sparse = [row for index, row in enumerate(outcomes) if index % 7]
    got = report(write(tmp_path, prompts, sparse), "--protocol", "kfold:4")
    assert got["n_test"] == 240
    assert got["router"]["quality"] > got["best_single"]["quality"] + 0.1
    assert got["router"]["quality"] <= got["oracle"]["quality"] < 1


def test_one_table_can_be_learned_and_another_scored(tmp_path: Path):
    learned = write(tmp_path / "learned", *topic_world(300))
    scored = write(tmp_path / "scored", *topic_world(90, seed=1))
    got = report(scored, "--train", str(learned))
    assert (got["n_train"], got["n_test"]) == (300, 90)
    assert got["router"]["quality"] > got["best_single"]["quality"] + 0.2


def test_a_state_of_train_makes_a_core_choose_the_expert(tmp_path: Path):
    folder, state = write(tmp_path / "table", *topic_world(300)), tmp_path / "learned.state"
    result = CliRunner().invoke(app, ["train", str(folder), "-o", str(state)])
    assert result.exit_code == 0, result.output
    tariffs = {model: Tariff(1.0, 1.0, None) for model in ("cyd", "bob", "ada")}  # type: ignore[arg-type]
    core = Core(catalog(dict.fromkeys(tariffs, 0.5), tariffs))
    core.load(state.read_bytes())
    for text, expert in (
        ("Solve for x: 3x + 8 = 7x - 12, and show each step of the equation.", "bob"),
        ("Give a recipe for soup with 4 carrots and 9 onions, simmered slowly with herbs.", "cyd"),
    ):
        assert core.decide(ask(text), now_s=1.8e9, seed=0).model == expert


def test_a_state_of_models_that_are_not_here_is_refused_by_name(tmp_path: Path):
    folder, state = write(tmp_path / "table", *topic_world(60)), tmp_path / "learned.state"
    CliRunner().invoke(app, ["train", str(folder), "-o", str(state)])
    core = Core(catalog({"openai/ada": 0.5}, {"openai/ada": Tariff(1.0, 1.0, None)}))  # type: ignore[arg-type]
    with pytest.raises(InvalidState, match=r"learned of the models ada, bob, cyd, and here are openai/ada"):
        core.load(state.read_bytes())


def test_the_table_for_people_and_the_plot(tmp_path: Path):
    folder, plot = write(tmp_path, *topic_world(90)), tmp_path / "curve.png"
    result = CliRunner().invoke(app, ["eval", str(folder), "--plot", str(plot)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "length only" in result.stdout
    assert "APGR" in result.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--protocol", "first:999"), "first:999 leaves 60 prompts to learn from and 0 to score"),
        (("--pair", "ada,zoe"), "--pair: 'zoe' is no model of the table: give two of ada, bob, cyd"),
        (("--pair", "ada,ada"), "--pair: 'ada' is both"),
        (("--dataset", "mmlu"), "no prompt is of the data set 'mmlu': give one of made"),
        (("--plot", "curve.xyz"), "--plot curve.xyz: cannot be written"),
    ],
)
def test_options_that_cannot_be_met_say_why(tmp_path: Path, options: tuple[str, ...], said: str):
    folder = write(tmp_path, *topic_world(60))
    result = CliRunner().invoke(app, ["eval", str(folder), "--json", *options])
    assert isinstance(result.exception, TableError)
    assert said in str(result.exception)
    assert result.stdout == ""


def test_a_pair_of_one_is_wrong_usage(tmp_path: Path):
    folder = write(tmp_path, *topic_world(60))
    assert CliRunner().invoke(app, ["eval", str(folder), "--pair", "ada"]).exit_code == 2


def test_models_without_outcomes_to_learn_from_are_named(tmp_path: Path):
    prompts, outcomes = topic_world(60)
    few = write(tmp_path / "few", prompts, [row for row in outcomes if row["model"] != "bob"])
    result = CliRunner().invoke(
        app, ["eval", str(write(tmp_path / "all", prompts, outcomes)), "--train", str(few)]
    )
    assert "--train: has no outcomes of bob, which are to be scored: it knows ada, cyd" in str(
        result.exception
    )
