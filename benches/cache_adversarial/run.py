"""Scores caches on the adversarial set: `python benches/cache_adversarial/run.py [--rivals] [--json]`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from caches import THRESHOLDS, CosineCache, ExactCache, Memo, PointsmanCache
from contest import Contestant, Report, play
from generate import N_PAIRS, generate
from static_embedding import StaticEmbedding

HERE = Path(__file__).parent
RIVALS = HERE / ".venv"


def main() -> None:
    """The command line."""
    options = arguments()
    pairs, stream, followups = generate(options.seed, options.n, options.half)
    rows = (
        [pair.wide_row() for pair in pairs],
        [request.row() for request in stream],
        [turn.row() for turn in followups],
    )
    reports = [play(contestant, *rows) for contestant in contestants(options.target_error)]
    if options.rivals:
        reports += rival_reports(rows)
    else:
        note("GPTCache and MiniLM left out: add --rivals, which installs them into .venv here")
    if options.json:
        print(json.dumps({"seed": options.seed, "n": len(pairs), "half": options.half, "caches": reports}))
    else:
        print_tables(reports)


def arguments() -> argparse.Namespace:
    """The parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=N_PAIRS, help="pairs, and requests of the stream (6000)")
    parser.add_argument(
        "--half", choices=["all", "train", "test"], default="test", help="which templates (test)"
    )
    parser.add_argument("--target-error", type=float, default=0.01, help="pointsman's dial (0.01)")
    parser.add_argument(
        "--rivals", action="store_true", help="install GPTCache and MiniLM into .venv if missing"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def contestants(target_error: float) -> list[Contestant]:
    """The caches that need no install; pointsman's only where the core has one."""
    found: list[Contestant] = [ExactCache()]
    try:
        found.append(PointsmanCache(target_error))
    except ImportError as missing:
        note(f"pointsman skipped: {missing}; `make build` builds the core with its cache")
    memo = Memo(StaticEmbedding())
    return found + [CosineCache("static", memo, threshold) for threshold in THRESHOLDS]


def rival_reports(rows: tuple[list, list, list]) -> list[Report]:
    """The reports of GPTCache and of cosine over MiniLM; none, with a note, where they cannot run."""
    python = RIVALS / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in zip(("pairs", "stream", "followups"), rows, strict=True):
            text = "".join(f"{json.dumps(line)}\n" for line in lines)
            (Path(folder) / f"{name}.jsonl").write_text(text, encoding="utf-8")
        try:
            if not python.exists():
                install(python)
            command = [python, HERE / "rivals.py", folder]
            places = os.environ | {"TMPDIR": folder}
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, env=places)
        except (OSError, subprocess.CalledProcessError) as failed:
            note(f"GPTCache and MiniLM skipped: {failed}\n{getattr(failed, 'stderr', '')[-1000:]}")
            return []
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def install(python: Path) -> None:
    """Makes the rivals' environment from `rivals.txt`."""
    note(f"installing {HERE.name}/rivals.txt into {HERE.name}/.venv")
    venv.create(RIVALS, with_pip=True, clear=True)
    try:
        pip = [python, "-m", "pip", "install", "--quiet", "--requirement", HERE / "rivals.txt"]
        subprocess.run(pip, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError:
        python.unlink()
        raise


def note(message: str) -> None:
    """A remark that is not part of the result."""
    print(message, file=sys.stderr)


def print_tables(reports: list[Report]) -> None:
    """One table of the whole, then recall and false rate by language and by family, in percent."""
    print(
        f"{'':3}{'pairs:':22}{'recall':>8}{'reworded':>10}{'false':>8} | "
        f"stream: {'hits':>6}{'false':>8}{'per hit':>8} | {'follow-ups: false per hit':>25} | "
        f"{'lookup p50':>10}{'p99 us':>8}"
    )
    for letter, report in zip(letters(reports), reports, strict=True):
        pairs, stream, turns = report["pairs"], report["stream"], report["followups"]
        print(
            f"{letter:3}{report['name']:22}{pairs['recall']:8.1%}{pairs['by_kind']['para']['recall']:10.1%}"
            f"{pairs['false_rate']:8.1%} | {stream['hit_rate']:14.1%}{stream['false_hit_rate']:8.1%}"
            f"{stream['false_per_hit']:8.1%} | {turns['false_per_hit']:25.1%} |"
            f"{stream['lookup_us']['p50']:11.1f}{stream['lookup_us']['p99']:8.0f}"
        )
    for grouping in ("by_language", "by_family"):
        print(f"\nrecall / false rate, % {grouping.replace('_', ' ')}")
        print(" " * 14 + "".join(f"{letter:>9}" for letter in letters(reports)))
        for group in reports[0]["pairs"][grouping]:
            cells = (report["pairs"][grouping][group] for report in reports)
            print(
                f"{group:14}"
                + "".join(f"{c['recall'] * 100:5.0f}/{c['false_rate'] * 100:3.0f}" for c in cells)
            )


def letters(reports: list[Report]) -> str:
    """A letter for each report."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(reports)]


if __name__ == "__main__":
    main()
