"""Train the heads of the task classifier and the network that corrects them, and write their weights.

    make axes      # or: python tools/axes/train.py [--out folder]

The features are the native ones (`pointsman._native.axis_features`), so what is trained is what is served:
dense features and hashed n-grams. Every head is a multinomial logistic regression with L2 and
class weights, all four fitted at once by L-BFGS. The network (`refine.py`) learns from what heads say of a fold of the
corpus that they did not learn from. Temperatures are fitted on written requests of a fold that neither has seen; the
weights written come from a second fit to everything. What a fact of the request decides (`settled`) is left to that rule, as in the native
code. Needs numpy and scipy; same seed, same machine, same weights.

`heads.bin` is little-endian: f32 biases [17], f32 scales of the int8 columns [17],
f32 dense weights [D, 17], int8 weights of the n-grams [65536, 17]; the 17 columns are the labels of `AXES`
in order. Logits are `bias + x @ dense + (n-grams @ hashed) * scale`; `refine.bin` makes of them what a softmax is
taken of.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import folds
import numpy as np
import refine
from layout import AXES, N_EMBEDDED, N_LOGITS, Array, Request, columns, one_hot
from scipy import optimize, sparse

from pointsman import _native, types

HERE = Path(__file__).parent
WEIGHTS = HERE.parents[1] / "rust/pointsman-core/data/axes"
N_BUCKETS = 2**16
# Folds of the corpus; the network learns from what heads say of the fold they did not see.
N_FOLDS = 5
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
        self.truth = one_hot(labels)

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
    """Accuracy, macro F1 and calibration error on written requests that were not learnt from."""
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


@dataclass
class Corpus:
    """The rows to learn from: features, labels, weights, and the matters that they share with folds."""

    dense: Array
    grams: sparse.csr_matrix
    labels: Array
    base: Array
    shared: Array
    origins: Array

    @classmethod
    def of(cls, requests: list[Request], seed: int) -> Corpus:
        """Of these requests."""
        origins = np.array([request["origin"] for request in requests])
        base = np.array([ORIGIN_WEIGHTS[origin] for origin in origins])
        shared = folds.touched(requests, N_FOLDS, seed)
        return cls(*features(requests), label_indices(requests), base, shared, origins)

    def rows(self, kept: Array) -> Corpus:
        """Some of the rows."""
        return Corpus(*(getattr(self, field.name)[kept] for field in fields(self)))


@dataclass
class Classifier:
    """Heads, and the network that corrects them."""

    heads: tuple[Array, ...]
    measures: refine.Range
    network: refine.Network

    @classmethod
    def of(cls, corpus: Corpus, options: argparse.Namespace) -> Classifier:
        """Learns from all rows."""
        logits = logits_of_strangers(corpus, options.steps)
        # Lists of words are no requests: they teach the heads alone.
        rows = corpus.shared.any(axis=1) & (corpus.origins != "words")
        asked, said = corpus.rows(rows), logits[rows]
        measures = refine.Range.of(asked.dense)
        seen = measures.inputs(asked.dense, said)
        network = refine.fit(seen, said, asked.labels, asked.base, options.seed)
        return cls(heads_of(corpus, options.steps), measures, network)

    def say(self, corpus: Corpus) -> Array:
        """Logits before temperatures, f32 [n, 17]."""
        logits = linear(self.heads, corpus)
        return self.network.say(self.measures.inputs(corpus.dense, logits), logits)

    def files(self, temperatures: Array) -> dict[str, bytes]:
        """The weights by the names of their files."""
        by_dense, by_gram, bias = self.heads
        hashed, scale = quantise(by_gram)
        floats = b"".join(array.astype("<f4").tobytes() for array in (bias, scale, by_dense))
        return {
            "heads.bin": floats + hashed.tobytes(),
            "refine.bin": self.network.to_bytes(self.measures, temperatures),
        }


def heads_of(corpus: Corpus, steps: int) -> tuple[Array, ...]:
    """Heads that learned from all rows."""
    return fit(corpus.dense, corpus.grams, corpus.labels, corpus.base, steps)


def linear(heads: tuple[Array, ...], corpus: Corpus) -> Array:
    """What heads say, f32 [n, 17]."""
    by_dense, by_gram, bias = heads
    return corpus.dense @ by_dense + corpus.grams @ by_gram + bias


def logits_of_strangers(corpus: Corpus, steps: int) -> Array:
    """Logits of each row by heads that did not learn from its matter, f32 [n, 17]; zeros for rows of no fold."""
    logits = np.zeros((len(corpus.dense), N_LOGITS), dtype=np.float32)
    fold_of = np.where(corpus.shared.any(axis=1), corpus.shared.argmax(axis=1), -1)
    for fold in np.unique(fold_of[fold_of >= 0]):
        heads = heads_of(corpus.rows(~corpus.shared[:, fold]), steps)
        asked = fold_of == fold
        logits[asked] = linear(heads, corpus.rows(asked))
    return logits


def train(corpus: Corpus, options: argparse.Namespace) -> dict[str, bytes]:
    """The weights by their files: temperatures from the written rows of one fold, the rest from a fit to all."""
    kept = corpus.shared[:, 0]
    strangers = corpus.rows(kept & (corpus.origins == "written"))
    said = Classifier.of(corpus.rows(~kept), options).say(strangers)
    temperatures = []
    for column, (axis, place) in enumerate(columns().items()):
        known = strangers.labels[:, column] >= 0
        truth = strangers.labels[known, column]
        temperatures.append(fit_temperature(said[known, place], truth))
        report(axis, said[known, place] / temperatures[-1], truth)
    return Classifier.of(corpus, options).files(np.array(temperatures))


def main() -> int:
    """Train on the corpus and write the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--steps", type=int, default=50, help="steps of L-BFGS; few are a regulariser too")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    corpus = Corpus.of(load_corpus(options.corpus), options.seed)
    options.out.mkdir(exist_ok=True)
    for name, data in train(corpus, options).items():
        (options.out / name).write_bytes(data)
        print(f"{options.out / name}: {len(data) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
