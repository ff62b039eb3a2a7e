"""Fit what the cache's posterior believes before it has seen a request, and report how it does on data it has not.

    cargo run --release -p pointsman-core --example cache_pairs < PAIRS > FEATURES   (this script does it)
    python tools/cache/fit.py [--data ../shared/data/cache] [--check]

Learns from the first 70 % of `pairs_qqp`, from the train half of `benches/cache_adversarial` and from the pairs of
`rust/pointsman-core/tests/cache_pairs.tsv` (own texts); the rest of `pairs_qqp`, the test half, `pairs_paws` and
`pairs_adversarial` are only scored. Writes weights, never text.

Labels of `pairs_qqp` are noisy: of pairs that differ by nothing but articles and case, some are labelled different. That share is
the label noise; P(labelled same) = (1 - noise) P(right), and P(right) is what is fitted (maximum a posteriori,
Gaussian prior, Laplace covariance).
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

ROOT = Path(__file__).resolve().parents[2]
PRIOR_FILE = ROOT / "rust/pointsman-core/src/cache/prior.rs"
GENERATOR = ROOT / "benches/cache_adversarial/generate.py"
OWN_PAIRS = ROOT / "rust/pointsman-core/tests/cache_pairs.tsv"
TRAIN_SHARE = 0.7
# Chosen: right with P 0.99 unless something was changed; more similar is righter, every change is a doubt.
PRIOR_MEAN = np.array([4.6, 1.0, -1.0, -1.0, -1.0, 0.0, -1.0, -1.0])
PRIOR_SD = np.array([1.0, 1.0, 2.0, 2.0, 1.0, 0.5, 2.0, 2.0])

Rows = list[list[object]]


def main() -> int:
    """Fit, report, and write the prior (or, with --check, say whether the written one differs)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/cache")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the prior would change"
    )
    options = parser.parse_args()
    if not (options.data / "pairs_qqp.jsonl.gz").exists():
        print(f"{options.data}: no pairs_qqp.jsonl.gz there; give --data", file=sys.stderr)
        return 2
    qqp = read(options.data / "pairs_qqp.jsonl.gz")
    n_train = int(TRAIN_SHARE * len(qqp))
    x, y = served(features(qqp[:n_train]))
    own_x, own_y = served(features(own_pairs() + generated("train")))
    noise = label_noise(x, y)
    noises = np.concatenate([np.full(len(y), noise), np.zeros(len(own_y))])
    mean, covariance = fit(np.concatenate([x, own_x]), np.concatenate([y, own_y]), noises)
    print(
        f"{len(y)} pairs of pairs_qqp pass the guard, {np.mean(y):.3f} labelled same, label noise {noise:.3f}"
    )
    print(f"{len(own_y)} pairs of our own pass the guard, {np.mean(own_y):.3f} same")
    report("pairs_qqp, first 70 % (learnt from)", qqp[:n_train], mean, covariance)
    report("pairs_qqp, the rest", qqp[n_train:], mean, covariance)
    report("cache_adversarial, test half", generated("test"), mean, covariance)
    for name in ("pairs_paws", "pairs_adversarial"):
        report(name, read(options.data / f"{name}.jsonl.gz"), mean, covariance)
    text = rust(mean, covariance)
    if options.check:
        return int(PRIOR_FILE.read_text() != text)
    PRIOR_FILE.write_text(text)
    return 0


def read(path: Path) -> Rows:
    """The rows of a gzipped JSON lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def own_pairs() -> Rows:
    """The pairs written for the tests: `[stored, asked, same]`."""
    rows = [line.split("\t") for line in OWN_PAIRS.read_text().splitlines() if not line.startswith("#")]
    return [[stored, asked, int(same)] for same, _, stored, asked in rows]


def generated(half: str) -> Rows:
    """The adversarial pairs made from one half of our templates."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            str(GENERATOR),
            "--half",
            half,
            "--seed",
            "1",
            "--n",
            "20000",
            "--out",
            folder,
        ]
        subprocess.run(command, check=True, capture_output=True)
        lines = (Path(folder) / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def features(rows: Rows) -> list[list[str]]:
    """What the core makes of the pairs: same, layer, veto, similarity, features."""
    command = ["cargo", "run", "--quiet", "--release", "-p", "pointsman-core", "--example", "cache_pairs"]
    document = "".join(json.dumps(row) + "\n" for row in rows)
    run = subprocess.run(command, cwd=ROOT, input=document, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in run.stdout.splitlines()]


def served(rows: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of the pairs that pass the guard."""
    rows = [row for row in rows if row[4] and row[1] != "normalised"]
    x = np.array([[float(value) for value in row[4].split(",")] for row in rows])
    return x, np.array([float(row[0]) for row in rows])


def label_noise(x: np.ndarray, y: np.ndarray) -> float:
    """Share labelled different among pairs without any change of a word."""
    is_plain = (x[:, 2:5].sum(axis=1) + x[:, 6:].sum(axis=1) == 0) & (x[:, 1] > 0)
    return float(1.0 - y[is_plain].mean())


def fit(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean of the weights and its Laplace covariance."""
    precision = PRIOR_SD**-2.0

    def loss(w: np.ndarray) -> float:
        q = (1 - noise) / (1 + np.exp(-x @ w))
        data = y * np.log(q) + (1 - y) * np.log1p(-np.minimum(q, 1 - 1e-12))
        return float(-data.sum() + 0.5 * (precision * (w - PRIOR_MEAN) ** 2).sum())

    w = minimize(loss, PRIOR_MEAN, method="BFGS", options={"gtol": 1e-3}).x
    p = 1 / (1 + np.exp(-x @ w))
    q = (1 - noise) * p
    information = (q * (1 - p) ** 2 / np.maximum(1 - q, 1e-12))[:, None] * x
    return w, np.linalg.inv(x.T @ information + np.diag(precision))


def report(name: str, rows: Rows, mean: np.ndarray, covariance: np.ndarray) -> None:
    """Print recall and false share by target error."""
    read_rows = features(rows)
    same = np.array([row[0] == "1" for row in read_rows])
    for target in (0.005, 0.01, 0.02, 0.05):
        serves = np.array(
            [row[1] != "semantic" or decide(row[4], mean, covariance, target) for row in read_rows]
        )
        recall, false = serves[same].mean(), serves[~same].mean()
        print(f"{name:38} target {target:5}: recall {recall:.3f}, false {false:.4f}")


def decide(row: str, mean: np.ndarray, covariance: np.ndarray, target: float) -> bool:
    """Whether the lower bound reaches the target."""
    if not row:
        return False
    x = np.array([float(value) for value in row.split(",")])
    z = x @ mean - 1.28 * np.sqrt(x @ covariance @ x)
    return bool(1 / (1 + np.exp(-z)) >= 1 - target)


def rust(mean: np.ndarray, covariance: np.ndarray) -> str:
    """The source file with the prior."""

    def line(values: np.ndarray) -> str:
        return ", ".join(f"{value:.5f}" for value in values)

    matrix = "\n".join(f"    [{line(values)}]," for values in covariance)
    return f"""//! What the posterior believes before it has seen a request: written by `tools/cache/fit.py`, see there.

use super::pair::N_PAIR_FEATURES;

/// Mean of each weight, in the order of `PAIR_FEATURES`.
#[rustfmt::skip]
pub(super) const MEAN: [f64; N_PAIR_FEATURES] = [{line(mean)}];
/// Covariance of the weights.
#[rustfmt::skip]
pub(super) const COVARIANCE: [[f64; N_PAIR_FEATURES]; N_PAIR_FEATURES] = [
{matrix}
];
"""


if __name__ == "__main__":
    raise SystemExit(main())
