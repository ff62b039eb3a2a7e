"""Train the four heads of the task classifier and write their weights.

    make axes      # or: python tools/axes/train.py [--out heads.bin]

The features are the native ones (`pointsman._native.axis_features`), so what is trained is what is served:
dense features and hashed n-grams. Every head is a multinomial logistic regression with L2 and
class weights, all four fitted at once by L-BFGS. Its temperature is fitted on written requests held out of a
first fit; the weights written come from a second fit to everything. What a fact of the request decides
(`settled`) is left to that rule, as in the native code. Needs numpy and scipy;
same seed, same machine, same weights.

`heads.bin` is little-endian: f32 temperatures [4], f32 biases [17], f32 scales of the int8 columns [17],
f32 dense weights [D, 17], int8 weights of the n-grams [65536, 17]; the 17 columns are the labels of `AXES`
in order. Logits are `bias + x @ dense + (n-grams @ hashed) * scale`, probabilities
softmax(logits / temperature).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize, sparse

from pointsman import _native, types

HERE = Path(__file__).parent
WEIGHTS = HERE.parents[1] / "rust/pointsman-core/data/axes/heads.bin"
AXES = {
    "complexity": ("lookup", "generation", "reasoning"),
    "domain": ("code", "math", "legal", "medical", "finance", "science", "general"),
    "structure": ("text", "json", "sql", "code", "label"),
    "latency": ("interactive", "batch"),
}
N_LOGITS = sum(len(classes) for classes in AXES.values())
N_BUCKETS = 2**16
# The last dense features are two embeddings of this length.
N_EMBEDDED = 512
# A written prompt is worth several that only put one into another setting.
ORIGIN_WEIGHTS = {"written": 4.0, "wrapped": 0.5, "words": 0.25}
# How much each kind of feature may say on each axis before L2 holds it back; by held-out written requests and the
# dev set. What a request is about stands in its meaning more than in what is measured of it.
GAINS = {
    "complexity": {"measured": 0.1, "embedded": 1.0, "hashed": 5.0},
    "domain": {"measured": 0.05, "embedded": 2.0, "hashed": 5.0},
    "structure": {"measured": 0.1, "embedded": 1.0, "hashed": 5.0},
    "latency": {"measured": 0.1, "embedded": 1.0, "hashed": 5.0},
}
# Share of each class that a fit sees: what mixed traffic has, where the corpus has it otherwise.
SHARES = {
    "complexity": (0.31, 0.4, 0.29),
    "domain": (0.26, 0.105, 0.11, 0.105, 0.11, 0.11, 0.2),
    "structure": (0.46, 0.12, 0.06, 0.2, 0.16),
    "latency": (0.88, 0.12),
}

Request = dict[str, Any]
Array = np.ndarray[Any, Any]


def columns() -> dict[str, slice]:
    """Where the logits of each axis stand."""
    places, start = {}, 0
    for axis, classes in AXES.items():
        places[axis] = slice(start, start + len(classes))
        start += len(classes)
    return places


def load_corpus(folder: Path) -> list[Request]:
    """The committed corpus, file by file in the order of their names."""
    requests: list[Request] = []
    for path in sorted(folder.glob("*.jsonl*")):
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode().split("\n")
        requests.extend(json.loads(line) for line in lines if line)
    return requests


def features(requests: list[Request]) -> tuple[Array, sparse.csr_matrix]:
    """The native features: dense rows f32 [n, D], and n-grams [n, 65536]."""
    dense, buckets, weights, starts = [], [], [], [0]
    for request in requests:
        given = {key: request[key] for key in ("messages", "tools", "response_format") if request.get(key)}
        row, places, values = _native.axis_features(types.Request(**given))
        dense.append(np.array(row, dtype=np.float32))
        buckets.extend(places)
        weights.extend(values)
        starts.append(len(buckets))
    grams = sparse.csr_matrix(
        (np.array(weights, dtype=np.float32), np.array(buckets), starts), (len(requests), N_BUCKETS)
    )
    grams.sum_duplicates()
    return np.vstack(dense), grams


def settled(request: Request, axis: str) -> bool:
    """True if a fact of the request decides the axis: its text then says nothing and must not be learnt."""
    if axis == "structure":
        return "response_format" in request
    if axis == "latency":
        tier = request.get("service_tier") in ("flex", "batch", "priority")
        return tier or "deadline_s" in request or bool(request.get("stream"))
    return False


def label_indices(requests: list[Request]) -> Array:
    """Index of each request's label on each axis, int [n, 4]; -1 where it says nothing."""
    indices = np.full((len(requests), len(AXES)), -1)
    for column, (axis, classes) in enumerate(AXES.items()):
        for row, request in enumerate(requests):
            label = request["labels"].get(axis)
            if label in classes and not settled(request, axis):
                indices[row, column] = classes.index(label)
    return indices


def held_out(requests: list[Request], share: float, seed: int) -> Array:
    """True for the written requests kept for calibration; equal first 60 characters stay together."""

    def bucket(request: Request) -> float:
        text = str(request.get("source") or request["messages"][-1]["content"])[:60]
        digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32

    return np.array([r["origin"] in ("written", "wrapped") and bucket(r) < share for r in requests])


def row_weights(labels: Array, base: Array) -> Array:
    """Weight of each row on each axis, f32 [n, 4], so that the classes have their `SHARES`."""
    weights = np.zeros(labels.shape, dtype=np.float32)
    for column, shares in enumerate(SHARES.values()):
        mass = np.array([base[labels[:, column] == k].sum() for k in range(len(shares))])
        factor = np.array(shares) * mass.sum() / np.maximum(mass, 1e-9)
        known = labels[:, column] >= 0
        weights[known, column] = base[known] * factor[labels[known, column]]
    return weights


def gains(kind: str) -> Array:
    """The gain of a kind of feature for each logit, f32 [17]."""
    sizes = [len(classes) for classes in AXES.values()]
    return np.repeat([GAINS[axis][kind] for axis in AXES], sizes).astype(np.float32)


class Problem:
    """The penalised log loss of all heads over fixed rows, and its gradient; the penalty is on weights before gains."""

    def __init__(self, dense: Array, grams: sparse.csr_matrix, labels: Array, weights: Array) -> None:
        self.dense, self.grams, self.weights = dense, grams, weights
        n_measured = dense.shape[1] - N_EMBEDDED
        self.gain = np.vstack(
            [np.tile(gains("measured"), (n_measured, 1)), np.tile(gains("embedded"), (N_EMBEDDED, 1))]
        )
        self.gram_gain = gains("hashed")
        self.dense_t, self.grams_t = np.ascontiguousarray(dense.T), grams.T.tocsr()
        self.truth = np.zeros((len(labels), N_LOGITS), dtype=np.float32)
        for column, place in enumerate(columns().values()):
            known = np.flatnonzero(labels[:, column] >= 0)
            self.truth[known, place.start + labels[known, column]] = 1.0

    def split(self, theta: Array) -> tuple[Array, Array, Array]:
        """Weights of the dense features and of the n-grams, gains included, and biases."""
        table = theta.astype(np.float32).reshape(-1, N_LOGITS)
        n_dense = self.dense.shape[1]
        return table[:n_dense] * self.gain, table[n_dense:-1] * self.gram_gain, table[-1]

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Loss and gradient at these weights, flat, biases last."""
        by_dense, by_gram, bias = self.split(theta)
        logits = self.dense @ by_dense + self.grams @ by_gram + bias
        residual = np.empty_like(logits)
        loss = 0.0
        for column, place in enumerate(columns().values()):
            shifted = logits[:, place] - logits[:, place].max(axis=1, keepdims=True)
            p = np.exp(shifted)
            total = p.sum(axis=1, keepdims=True)
            weight, truth = self.weights[:, column : column + 1], self.truth[:, place]
            loss -= float((weight * truth * (shifted - np.log(total))).sum())
            residual[:, place] = (p / total - truth) * weight
        by_dense, by_gram = (self.dense_t @ residual) * self.gain, (self.grams_t @ residual) * self.gram_gain
        gradient = np.vstack([by_dense, by_gram, residual.sum(axis=0)])
        penalty = float((theta[:-N_LOGITS] ** 2).sum())
        flat = gradient.ravel().astype(np.float64)
        flat[:-N_LOGITS] += theta[:-N_LOGITS]
        return loss + 0.5 * penalty, flat


def fit(dense: Array, grams: sparse.csr_matrix, labels: Array, base: Array, steps: int) -> tuple[Array, ...]:
    """Weights [D, 17] and [65536, 17] of the features as they are, and biases [17]."""
    mean, spread = dense.mean(axis=0), dense.std(axis=0)
    spread = np.where(spread < 1e-6, 1.0, spread)
    mean[-N_EMBEDDED:], spread[-N_EMBEDDED:] = 0.0, 1.0
    scaled = ((dense - mean) / spread).astype(np.float32)
    problem = Problem(scaled, grams, labels, row_weights(labels, base))
    start = np.zeros((dense.shape[1] + N_BUCKETS + 1) * N_LOGITS)
    found = optimize.minimize(problem, start, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    by_dense, by_gram, bias = problem.split(found.x)
    by_dense = by_dense / spread[:, None]
    return by_dense, by_gram, bias - mean @ by_dense


def quantise(by_gram: Array) -> tuple[Array, Array]:
    """Int8 weights and the scale of each column."""
    scale = np.maximum(np.abs(by_gram).max(axis=0), 1e-12) / 127
    return np.rint(by_gram / scale).astype(np.int8), scale.astype(np.float32)


def fit_temperature(logits: Array, labels: Array) -> float:
    """The temperature with the least negative log-likelihood."""

    def loss(log_t: float) -> float:
        scaled = logits / np.exp(log_t)
        top = scaled.max(axis=1)
        lse = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float((lse - scaled[np.arange(len(labels)), labels]).mean())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def report(axis: str, logits: Array, labels: Array) -> None:
    """Accuracy, macro F1 and calibration error on held-out written requests."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    guess, sure = p.argmax(axis=1), p.max(axis=1)
    right = guess == labels
    f1 = [
        2 * (right & (labels == k)).sum() / max((guess == k).sum() + (labels == k).sum(), 1)
        for k in sorted(set(labels))
    ]
    bins = np.minimum((sure * 10).astype(int), 9)
    ece = sum(abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in set(bins))
    print(
        f"{axis:11} n {len(labels):4}  accuracy {right.mean():.3f}  macro-F1 {np.mean(f1):.3f}  ECE {ece:.3f}"
    )


def train(requests: list[Request], options: argparse.Namespace) -> bytes:
    """The weights as a file: temperatures from held-out requests, the rest from a fit to all."""
    dense, grams = features(requests)
    labels = label_indices(requests)
    base = np.array([ORIGIN_WEIGHTS[request["origin"]] for request in requests])
    kept = held_out(requests, options.held_out, options.seed)
    fitted = fit(dense[~kept], grams[~kept], labels[~kept], base[~kept], options.steps)
    said = dense[kept] @ fitted[0] + grams[kept] @ fitted[1] + fitted[2]
    by_hand = np.array([request["origin"] == "written" for request in requests])
    temperatures = []
    for column, (axis, place) in enumerate(columns().items()):
        known = (labels[kept][:, column] >= 0) & by_hand[kept]
        logits, truth = said[known][:, place], labels[kept][known, column]
        temperatures.append(fit_temperature(logits, truth))
        report(axis, logits / temperatures[-1], truth)
    by_dense, by_gram, bias = fit(dense, grams, labels, base, options.steps)
    hashed, scale = quantise(by_gram)
    floats = [np.array(temperatures), bias, scale, by_dense]
    return b"".join(array.astype("<f4").tobytes() for array in floats) + hashed.tobytes()


def main() -> int:
    """Train on the corpus and write the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--steps", type=int, default=50, help="steps of L-BFGS; few are a regulariser too")
    parser.add_argument(
        "--held-out", type=float, default=0.2, help="share of written requests to calibrate on"
    )
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    data = train(load_corpus(options.corpus), options)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_bytes(data)
    print(f"{options.out}: {len(data) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
