"""Weak labels for the public routing prompts, read at training time; their text stays outside the repository.

    python tools/axes/public.py ../shared/data/routing     # counts per task and label

Reads `NAME/prompts.parquet` (columns `dataset`, `task`, `prompt`; needs pyarrow). A task not in the tables
is left out, and an axis that a task does not settle is `None`: the trainer skips it for that head only.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

Request = dict[str, Any]

# MMLU subject -> (domain, complexity); a multiple choice question is answered by a letter.
MMLU: dict[str, tuple[str | None, str | None]] = {
    "astronomy": ("science", "lookup"),
    "college_chemistry": ("science", None),
    "college_mathematics": ("math", "reasoning"),
    "college_medicine": ("medical", None),
    "computer_security": ("code", "lookup"),
    "conceptual_physics": ("science", None),
    "electrical_engineering": ("science", None),
    "formal_logic": (None, "reasoning"),
    "global_facts": ("general", "lookup"),
    "high_school_chemistry": ("science", None),
    "high_school_geography": ("general", "lookup"),
    "high_school_government_and_politics": ("general", "lookup"),
    "high_school_microeconomics": ("finance", None),
    "high_school_physics": ("science", "reasoning"),
    "high_school_us_history": ("general", "lookup"),
    "high_school_world_history": ("general", "lookup"),
    "human_sexuality": (None, "lookup"),
    "management": ("general", "lookup"),
    "medical_genetics": ("medical", "lookup"),
    "moral_scenarios": ("general", None),
    "nutrition": ("medical", "lookup"),
    "prehistory": ("general", "lookup"),
    "professional_law": ("legal", "reasoning"),
    "professional_medicine": ("medical", "reasoning"),
    "professional_psychology": (None, None),
    "security_studies": ("general", "lookup"),
    "sociology": ("general", "lookup"),
    "virology": ("medical", "lookup"),
}

# Any other task -> (complexity, domain, structure).
TASKS: dict[str, tuple[str | None, str | None, str | None]] = {
    "gsm8k": ("reasoning", "math", "text"),
    "agentverse-mgsm": ("reasoning", "math", "text"),
    "math": ("reasoning", "math", "text"),
    "bbh/multistep_arithmetic_two": ("reasoning", "math", None),
    "agentverse-logicgrid": ("reasoning", "general", None),
    "gpqa": ("reasoning", "science", None),
    "human_eval": (None, "code", "code"),
    "mbpp": ("generation", "code", "code"),
    "commongen": ("generation", "general", "text"),
    "natural_qa": ("lookup", None, "text"),
    "trivia_qa": ("lookup", "general", "text"),
    "truthful_qa": ("lookup", None, "text"),
    "commonsense_qa": ("lookup", "general", None),
    "openbook_qa": ("lookup", "science", None),
    "openbookqa": ("lookup", "science", None),
    "arc_challenge": (None, "science", None),
    "hellaswag": ("lookup", "general", None),
    "winogrande": ("lookup", "general", None),
}

# At most this many of a task, so that 1,534 bar exam questions do not drown the rest.
LIMIT_PER_TASK = 250

CALCULATES = re.compile(r"\d.*\d.*(?:\d|how many|what is the)|calculate|how much", re.IGNORECASE | re.DOTALL)
CHOICES = re.compile(r"(?:^|\n|\s)\(?A[.):]\s.*(?:^|\n|\s)\(?B[.):]\s|\(1\).*\(2\)|Option 1:", re.DOTALL)
EXPLAINS = re.compile(r"explain (?:why|your)|reasoning\.?$", re.IGNORECASE)


def form(prompt: str) -> str:
    """The form of the answer to a question that may carry its choices."""
    return "label" if CHOICES.search(prompt) and not EXPLAINS.search(prompt[-120:]) else "text"


def labels(dataset: str, task: str, prompt: str) -> dict[str, str | None] | None:
    """Weak labels of one prompt, or nothing if its task is not in the tables."""
    if task in MMLU:
        domain, complexity = MMLU[task]
        if complexity is None and domain in ("science", "medical", "finance"):
            complexity = "reasoning" if len(CALCULATES.findall(prompt)) else None
        structure: str | None = form(prompt)
    elif task in TASKS:
        complexity, domain, structure = TASKS[task]
        structure = structure or form(prompt)
    else:
        return None
    return {"complexity": complexity, "domain": domain, "structure": structure, "latency": "interactive"}


def read(root: Path, limit_per_task: int = LIMIT_PER_TASK) -> list[Request]:
    """The labelled requests of every data set under `root`, without the test split of one that has others."""
    import pyarrow.parquet as parquet

    requests: list[Request] = []
    seen: set[str] = set()
    taken: Counter[str] = Counter()
    for path in sorted(root.glob("*/prompts.parquet")):
        rows = parquet.read_table(path).to_pylist()
        has_split = len({row.get("split") for row in rows}) > 1
        for row in rows:
            found = labels(row["dataset"], row["task"], row["prompt"])
            key = row["prompt"].strip()
            if found is None or key in seen or taken[row["task"]] >= limit_per_task:
                continue
            if has_split and row["split"] == "test":
                continue
            seen.add(key)
            taken[row["task"]] += 1
            requests.append(
                {
                    "messages": [{"role": "user", "content": row["prompt"]}],
                    "labels": found,
                    "lang": "en",
                    "origin": "rule",
                    "group": f"{path.parent.name}/{row['task']}",
                }
            )
    return requests


def main() -> int:
    """Print what the tables make of the prompts."""
    if len(sys.argv) != 2:
        print("usage: public.py ROUTING_FOLDER", file=sys.stderr)
        return 2
    requests = read(Path(sys.argv[1]))
    print(f"{len(requests)} prompts")
    for axis in ("complexity", "domain", "structure"):
        print(axis, dict(Counter(request["labels"][axis] for request in requests).most_common()))
    for group, count in sorted(Counter(request["group"] for request in requests).items()):
        print(f"{count:5} {group}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
