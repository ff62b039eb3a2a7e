"""Small tables of graded answers with a known truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

TOPICS = {
    "history": "Which year did the {} treaty of the old kingdom end the war between duke and bishop number {}?",
    "algebra": "Solve for x: {}x + {} = 7x - 12, and show each step of the equation.",
    "cooking": "Give a recipe for soup with {} carrots and {} onions, simmered slowly with herbs.",
}


def topic_world(n: int = 450, seed: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Three topics, each with a model of its own that is right in 9 of 10 of its prompts and 3 of 10 of others'."""
    rng = np.random.default_rng(seed)
    experts = dict(zip(TOPICS, ("ada", "bob", "cyd"), strict=True))
    prompts, outcomes = [], []
    for index in range(n):
        topic = list(TOPICS)[index % 3]
        text = TOPICS[topic].format(*rng.integers(2, 99, size=2))
        prompts.append(_prompt(index, topic, f"{text} ({index})"))
        for model in experts.values():
            p = 0.9 if experts[topic] == model else 0.3
            outcomes.append(_outcome(index, model, float(rng.random() < p), 0.001))
    return prompts, outcomes


def noise_world(n: int = 450, seed: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Prompts say nothing of the answers: one model is right in 8 of 10, three others in 7 of 10."""
    rng = np.random.default_rng(seed)
    rates = {"dear": 0.8, "one": 0.7, "two": 0.7, "three": 0.7}
    prompts, outcomes = [], []
    for index in range(n):
        topic = list(TOPICS)[int(rng.integers(3))]
        prompts.append(
            _prompt(index, topic, TOPICS[topic].format(*rng.integers(2, 99, size=2)) + f" ({index})")
        )
        for model, p in rates.items():
            cost = 0.01 if model == "dear" else 0.001
            outcomes.append(_outcome(index, model, float(rng.random() < p), cost))
    return prompts, outcomes


def _prompt(index: int, task: str, text: str) -> dict[str, Any]:
    split = "train" if index // 3 % 3 else "test"
    return {"prompt_id": f"p{index}", "dataset": "made", "task": task, "prompt": text, "split": split}


def _outcome(index: int, model: str, quality: float, cost_usd: float) -> dict[str, Any]:
    return {
        "prompt_id": f"p{index}",
        "model": model,
        "quality": quality,
        "cost_usd": cost_usd,
        "input_tokens": 30.0,
        "output_tokens": 100.0,
    }


def write(
    folder: Path, prompts: list[dict[str, Any]], outcomes: list[dict[str, Any]], models: object = None
) -> Path:
    """The folder, with the tables in it."""
    folder.mkdir(exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(prompts), folder / "prompts.parquet")
    parquet.write_table(pa.Table.from_pylist(outcomes), folder / "outcomes.parquet")
    if models is not None:
        (folder / "models.json").write_text(json.dumps(models))
    return folder
