"""Turns `prompts.parquet` and `outcomes.parquet` of a folder into the JSON lines `examples/routing_data` reads.

`python tools/routing_table.py FOLDER OUT.jsonl [--dataset NAME]`; needs pyarrow.
A line a prompt: `prompt`, `task`, `is_test`, and by model (in the order of `models`) `quality` and `cost_usd`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def table(folder: Path, dataset: str | None) -> list[dict[str, Any]]:
    """Rows of the prompts that every model was graded on."""
    from pyarrow import parquet

    outcomes = parquet.read_table(folder / "outcomes.parquet").to_pylist()
    prompts = parquet.read_table(folder / "prompts.parquet").to_pylist()
    models = sorted({outcome["model"] for outcome in outcomes})
    graded = {(outcome["prompt_id"], outcome["model"]): outcome for outcome in outcomes}
    rows = []
    for prompt in prompts:
        found = [graded.get((prompt["prompt_id"], model)) for model in models]
        if dataset not in (None, prompt["dataset"]) or None in found:
            continue
        rows.append(
            {
                "prompt": prompt["prompt"],
                "task": prompt["task"],
                "is_test": prompt["split"] == "test",
                "models": models,
                "quality": [outcome["quality"] for outcome in found if outcome],
                "cost_usd": [outcome["cost_usd"] for outcome in found if outcome],
            }
        )
    return rows


def main() -> None:
    """Write the table that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dataset", help="keep only the prompts of this data set")
    arguments = parser.parse_args()
    rows = table(arguments.folder, arguments.dataset)
    arguments.out.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
