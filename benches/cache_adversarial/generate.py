"""Writes the adversarial set: `python benches/cache_adversarial/generate.py --seed 1 --n 6000 --out DIR`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from random import Random

from pairs import Bank, Pair, make_pairs
from streams import Request, Turn, make_followups, make_stream
from templates import languages

N_PAIRS = 6000
N_FOLLOWUPS = 600
REPEATS = 0.2


def generate(
    seed: int = 1,
    n: int = N_PAIRS,
    half: str = "all",
    chosen: list[str] | None = None,
    repeats: float = REPEATS,
) -> tuple[list[Pair], list[Request], list[Turn]]:
    """Pairs, a stream of as many requests, and a tenth as many follow-ups; equal for equal arguments."""
    bank = Bank(chosen or languages(), half)
    pairs = make_pairs(bank, n, Random(f"pairs {seed} {half}"))
    stream = make_stream(bank, n, repeats, Random(f"stream {seed} {half}"))
    followups = make_followups(bank, max(n // 10, 1), Random(f"followups {seed} {half}"))
    return pairs, stream, followups


def main() -> None:
    """The command line."""
    options = arguments()
    chosen = options.languages.split(",") if options.languages else None
    pairs, stream, followups = generate(options.seed, options.n, options.half, chosen, options.repeats)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("pairs", pairs), ("stream", stream), ("followups", followups)):
        lines = (json.dumps(_row(row, options.wide), ensure_ascii=False) for row in rows)
        (options.out / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        print(f"{len(rows):6} rows  {options.out / name}.jsonl")
    if options.summary:
        print_summary(pairs)


def arguments() -> argparse.Namespace:
    """The parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=N_PAIRS, help="pairs, and requests of the stream (6000)")
    parser.add_argument("--half", choices=["all", "train", "test"], default="all", help="which templates")
    parser.add_argument("--languages", help="comma separated; all that have banks when left out")
    parser.add_argument("--repeats", type=float, default=REPEATS, help="share of repeats in the stream (0.2)")
    parser.add_argument(
        "--wide", action="store_true", help="language, template, kind as further columns of pairs"
    )
    parser.add_argument("--summary", action="store_true", help="print the pairs by family and language")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    return parser.parse_args()


def _row(item: Pair | Request | Turn, wide: bool) -> list[object]:
    if wide and isinstance(item, Pair):
        return item.wide_row()
    return item.row()


def print_summary(pairs: list[Pair]) -> None:
    """Pairs by family and language, one line a family."""
    found = sorted({pair.language for pair in pairs})
    count = Counter((pair.family, pair.language) for pair in pairs)
    print(f"{'family':14}" + "".join(f"{language:>6}" for language in [*found, "all"]))
    for family in sorted({pair.family for pair in pairs}):
        row = [count[family, language] for language in found]
        print(f"{family:14}" + "".join(f"{n:6}" for n in [*row, sum(row)]))


if __name__ == "__main__":
    main()
