"""A cascade over real models, SmolLM2 135M -> Qwen2.5-Coder 0.5B -> 1.5B: accuracy and cost, step by step.

    python benches/real_cascade.py [MODELS_DIR] [ladder|extraction]

Each model answers the calibration questions first, and each answer is graded by `Router.feedback`: how good a
model is and what its token probabilities are worth is learned from that alone. Then each model alone and the
cascade answer the ladder; the extractions while no extraction was graded yet, and again when eight were.
Models that are not in MODELS_DIR (gguf files, default `.realparts/models`) are left out with a message; with
fewer than two the bench is skipped. Prices are made up, and 1 : 3 : 12.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from pointsman import Router
from pointsman.cli.demo.processes import Children, free_port, wait_until_ready
from pointsman.cli.demo.realmodel import RealModel
from real_questions import CALIBRATION, CALIBRATION_EXTRACTION, EXTRACTION, LADDER, SCHEMA

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".realparts" / "llama-venv" / "bin" / "python"
MODELS = {
    "smollm2-135m": ("smollm2-135m-instruct-q4_1.gguf", 0.04),
    "qwen-0.5b": ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 0.12),
    "qwen-1.5b": ("qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", 0.48),
}
WORTH_USD = 4e-4
"""What a right answer is worth: ten extractions by the largest model."""
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}


def document(ports: dict[str, int]) -> dict:
    return {
        "providers": {name: {"base_url": f"http://127.0.0.1:{port}/v1"} for name, port in ports.items()},
        "models": {
            name: {
                "quality": 0.5,
                "context_window": 4096,
                "capabilities": ["logprobs", "json_schema"],
            }
            for name in ports
        },
        "deployments": [
            {
                "name": name,
                "model": name,
                "provider": name,
                "price_usd_per_mtok": {"input": MODELS[name][1], "output": MODELS[name][1]},
            }
            for name in ports
        ],
        "policies": {"default": {"quality_value_usd": WORTH_USD}},
        "signals": {"add": ["token_probability"]},
    }


def is_right(text: str, wanted: str) -> bool:
    return wanted in text.casefold().replace(",", "")


def is_extracted(text: str, wanted: dict) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and {k: str(v).casefold() for k, v in found.items()} == {
        k: str(v) for k, v in wanted.items()
    }


async def ask(router: Router, text: str, model: str = "auto", **arguments):
    return await router.complete(text, model=model, temperature=0, deadline="10m", **arguments)


def is_good(text: str, wanted: str | dict) -> bool:
    return is_extracted(text, wanted) if isinstance(wanted, dict) else is_right(text, wanted)


async def calibrate(router: Router, names: list[str], title: str, tasks, **arguments) -> None:
    """Ask every model every task, and grade its answers."""
    shares = []
    for name in names:
        n_right = 0
        for text, wanted in tasks:
            answer = await ask(router, text, name, logprobs=True, **arguments)
            await router.signals.settle()
            n_right += is_good(answer.text, wanted)
            await router.feedback(answer.decision.decision_id, is_good(answer.text, wanted))
        shares.append(f"{name} {n_right} of {len(tasks)}")
    print(f"\ngraded, {title}: {', '.join(shares)}", flush=True)


async def score(router: Router, tasks, model: str, **arguments) -> tuple[float, float, list]:
    """Share of right answers, US dollars a question, and the answers."""
    answers, n_right, cost_usd = [], 0, 0.0
    for text, wanted in tasks:
        answer = await ask(router, text, model, **arguments)
        right = is_good(answer.text, wanted)
        answers.append((answer, right))
        n_right += right
        cost_usd += answer.cost_usd
    return n_right / len(tasks), cost_usd / len(tasks), answers


async def alone(router: Router, names: list[str], title: str, tasks, **arguments) -> None:
    print(f"\n{title}: {len(tasks)} tasks", flush=True)
    for name in names:
        right, cost_usd, _ = await score(router, tasks, name, **arguments)
        print(f"  {name:<14} alone    right {right:4.0%}   ${cost_usd * 1e6:6.2f} per million", flush=True)


async def together(router: Router, names: list[str], title: str, tasks, **arguments) -> None:
    right, cost_usd, answers = await score(router, tasks, "auto", strategy="cascade", **arguments)
    print(f"  {title:<23} right {right:4.0%}   ${cost_usd * 1e6:6.2f} per million", flush=True)
    for name in names:
        kept = [good for answer, good in answers if answer.deployment == name]
        rejected = sum(
            a.deployment == name and a.is_rejected for answer, _ in answers for a in answer.attempts
        )
        print(f"    step {name:<14} kept {len(kept):>2} (right {sum(kept):>2}), rejected {rejected:>2}")
    steps = " -> ".join(f"{n} ({t:.2f})" if t else n for n, t in answers[0][0].decision.steps)
    print(f"    first plan: {steps}", flush=True)


async def run(ports: dict[str, int], only: str | None) -> None:
    names = list(ports)
    words = {"max_tokens": 12}
    fields = {"max_tokens": 60, "response_format": FORMAT}
    graded, asked = (
        [(f"Extract name, city and age as JSON: {text}", wanted) for text, wanted in tasks]
        for tasks in (CALIBRATION_EXTRACTION, EXTRACTION)
    )
    async with Router.from_config(document(ports)) as router:
        await calibrate(router, names, "words", CALIBRATION, **words)
        if only != "extraction":
            await alone(router, names, "ladder", LADDER, **words)
            await together(router, names, "cascade", LADDER, **words)
        if only != "ladder":
            await alone(router, names, "extraction", asked, **fields)
            await together(router, names, "cascade, no JSON graded", asked, **fields)
            await calibrate(router, names, "JSON", graded, **fields)
            await together(router, names, "cascade", asked, **fields)


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".realparts" / "models"
    there = {name: directory / file for name, (file, _) in MODELS.items() if (directory / file).exists()}
    for name in MODELS.keys() - there.keys():
        print(f"left out: {name}, as {directory.name}/{MODELS[name][0]} is not there")
    if len(there) < 2 or not PYTHON.exists():
        print("skipped: a cascade takes two models and llama.cpp (make realparts)")
        return
    with Children() as children:
        ports = {name: free_port() for name in there}
        for name, path in there.items():
            child = children.start(name, RealModel(PYTHON, path).command(ports[name], name))
            wait_until_ready(child, f"http://127.0.0.1:{ports[name]}/health", 180)
        asyncio.run(run(ports, sys.argv[2] if len(sys.argv) > 2 else None))


if __name__ == "__main__":
    main()
