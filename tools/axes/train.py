"""Train the four heads of the task classifier and write their weights.

    python tools/axes/train.py --features MODULE:FUNCTION [--public ../shared/data/routing] --out axes.npz

`FUNCTION(request) -> (dense, hashed)`: a vector of floats of fixed length and the indices of the hashed
n-grams, each below `--buckets`; a repeated index counts. Every head is a multinomial logistic regression
with L2 and class weights, fitted on dense features scaled to unit variance next to hashed counts of unit
length. Its temperature is fitted on written requests held out of the fit. What a fact of the request
decides (`settled`) is left to that rule, as in the native code. Needs numpy, scipy and scikit-learn, all
for development only; same seed, same weights.

The file holds, for an axis A with K classes: `A.dense` f32 [K, D] (scaling folded in), `A.hashed` int8
[buckets, K], `A.hashed_scale` f32 [K], `A.bias` f32 [K], `A.temperature` f32 [1]. A request's logits are
`bias + dense @ x + (sum of hashed rows) * hashed_scale / sqrt(sum of squared counts)`, its probabilities
softmax(logits / temperature).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize, sparse
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
AXES = {
    "complexity": ("lookup", "generation", "reasoning"),
    "domain": ("code", "math", "legal", "medical", "finance", "science", "general"),
    "structure": ("text", "json", "sql", "code", "label"),
    "latency": ("interactive", "batch"),
}
# A written prompt is worth several composed ones: it is how people write, not how templates do.
ORIGIN_WEIGHTS = {"written": 4.0, "composed": 1.0, "rule": 0.5}
SIZE_LIMIT_BYTES = 3_000_000
# How much a hashed feature may say before L2 holds it back, next to a dense one of unit variance.
HASHED_GAIN = 8.0

Request = dict[str, Any]
Features = tuple["np.ndarray[Any, Any]", list[int]]


def load_corpus(folder: Path, public: Path | None) -> list[Request]:
    """The committed corpus, and the public prompts if their folder is given."""
    requests: list[Request] = []
    for path in sorted(folder.glob("*.jsonl*")):
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode().split("\n")
        requests.extend(json.loads(line) for line in lines if line)
    if public is not None:
        sys.path.insert(0, str(HERE))
        import public as rules

        requests.extend(rules.read(public))
    return requests


def matrix(
    requests: list[Request], features: Callable[[Request], Features], buckets: int
) -> tuple[np.ndarray[Any, Any], sparse.csr_matrix]:
    """Dense rows, and hashed counts with rows of unit length."""
    dense, indices, starts = [], [], [0]
    for request in requests:
        row, hashed = features({key: value for key, value in request.items() if key != "labels"})
        dense.append(np.asarray(row, dtype=np.float64))
        indices.extend(hashed)
        starts.append(len(indices))
    if indices and not 0 <= min(indices) <= max(indices) < buckets:
        raise SystemExit(f"hashed index {max(indices)} (least {min(indices)}) is outside --buckets {buckets}")
    counts = sparse.csr_matrix(
        (np.ones(len(indices)), np.asarray(indices, dtype=np.int64), starts), (len(requests), buckets)
    )
    counts.sum_duplicates()
    norms = np.sqrt(counts.multiply(counts).sum(axis=1)).A1 if counts.nnz else np.ones(len(requests))
    return np.vstack(dense), sparse.diags(1.0 / np.maximum(norms, 1e-9)) @ counts


def settled(request: Request, axis: str) -> bool:
    """True if a fact of the request decides the axis: its text then says nothing and must not be learnt."""
    if axis == "structure":
        return "response_format" in request
    if axis == "latency":
        tier = request.get("service_tier") in ("flex", "batch", "priority")
        return tier or "deadline_s" in request or bool(request.get("stream"))
    return False


def held_out(requests: list[Request], share: float, seed: int) -> np.ndarray[Any, Any]:
    """True for the written requests kept for calibration; equal first 60 characters stay together."""

    def bucket(request: Request) -> float:
        text = request["messages"][-1]["content"][:60]
        digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32

    return np.array([request["origin"] == "written" and bucket(request) < share for request in requests])


def class_weights(
    labels: np.ndarray[Any, Any], weights: np.ndarray[Any, Any], classes: int
) -> np.ndarray[Any, Any]:
    """The square root of inverse frequency: rare classes are heard, common ones not drowned."""
    mass = np.array([weights[labels == k].sum() for k in range(classes)])
    factor = np.sqrt(mass.sum() / (classes * np.maximum(mass, 1e-9)))
    return weights * factor[labels]


def fit_temperature(logits: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> float:
    """The temperature with the least negative log-likelihood."""

    def loss(log_t: float) -> float:
        scaled = logits / np.exp(log_t)
        top = scaled.max(axis=1)
        lse = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float((lse - scaled[np.arange(len(labels)), labels]).mean())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def fit_head(
    dense: np.ndarray[Any, Any],
    hashed: sparse.csr_matrix,
    labels: np.ndarray[Any, Any],
    weights: np.ndarray[Any, Any],
    classes: int,
    strength: float,
    seed: int,
) -> dict[str, np.ndarray[Any, Any]]:
    """One multinomial head: weights of the raw dense features, int8 weights of the hashed ones, biases."""
    mean, spread = dense.mean(axis=0), dense.std(axis=0)
    spread = np.where(spread < 1e-9, 1.0, spread)
    scaled = sparse.hstack([sparse.csr_matrix((dense - mean) / spread), hashed * HASHED_GAIN]).tocsr()
    model = LogisticRegression(C=strength, max_iter=400, tol=1e-3, random_state=seed)
    model.fit(scaled, labels, sample_weight=class_weights(labels, weights, classes))
    coef, bias = model.coef_, model.intercept_
    if classes == 2:  # scikit-learn keeps one row for two classes
        coef, bias = np.vstack([-coef[0] / 2, coef[0] / 2]), np.array([-bias[0] / 2, bias[0] / 2])
    by_dense = coef[:, : dense.shape[1]] / spread
    by_hash = coef[:, dense.shape[1] :] * HASHED_GAIN
    step = np.maximum(np.abs(by_hash).max(axis=1), 1e-12) / 127
    return {
        "dense": by_dense.astype(np.float32),
        "hashed": np.rint(by_hash / step[:, None]).astype(np.int8).T.copy(),
        "hashed_scale": step.astype(np.float32),
        "bias": (bias - by_dense @ mean).astype(np.float32),
    }


def logits(
    head: dict[str, np.ndarray[Any, Any]], dense: np.ndarray[Any, Any], hashed: sparse.csr_matrix
) -> np.ndarray[Any, Any]:
    """What the exported weights say, as the native code computes it."""
    return np.asarray(
        head["bias"]
        + dense @ head["dense"].T
        + (hashed @ head["hashed"].astype(np.float32)) * head["hashed_scale"]
    )


def report(axis: str, said: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], temperature: float) -> None:
    """Accuracy, macro F1 and calibration error on the requests that also gave the temperature."""
    classes = AXES[axis]
    scaled = said / temperature
    p = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    guess, sure = p.argmax(axis=1), p.max(axis=1)
    right = guess == labels
    f1 = [
        2 * (right & (labels == k)).sum() / max((guess == k).sum() + (labels == k).sum(), 1)
        for k in range(len(classes))
        if (labels == k).any()
    ]
    bins = np.minimum((sure * 10).astype(int), 9)
    ece = sum(abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in set(bins))
    print(
        f"{axis:11} n {len(labels):4}  accuracy {right.mean():.3f}  macro-F1 {np.mean(f1):.3f}  ECE {ece:.3f}"
    )


def train(
    requests: list[Request], features: Callable[[Request], Features], options: argparse.Namespace
) -> dict[str, np.ndarray[Any, Any]]:
    """All four heads, ready to be saved."""
    dense, hashed = matrix(requests, features, options.buckets)
    kept = held_out(requests, options.held_out, options.seed)
    origin = np.array([ORIGIN_WEIGHTS[request["origin"]] for request in requests])
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for axis, classes in AXES.items():
        place = {name: k for k, name in enumerate(classes)}
        labels = np.array(
            [-1 if settled(request, axis) else place.get(request["labels"][axis], -1) for request in requests]
        )
        fit, test = ~kept & (labels >= 0), kept & (labels >= 0)
        arguments = (len(classes), options.strength, options.seed)
        head = fit_head(dense[fit], hashed[fit], labels[fit], origin[fit], *arguments)
        said = logits(head, dense[test], hashed[test])
        temperature = fit_temperature(said, labels[test])
        report(axis, said, labels[test], temperature)
        if options.refit:  # the temperature stays: it was fitted on what the head had not seen
            every = labels >= 0
            head = fit_head(dense[every], hashed[every], labels[every], origin[every], *arguments)
        tensors |= {f"{axis}.{name}": tensor for name, tensor in head.items()}
        tensors[f"{axis}.temperature"] = np.float32(temperature)[None]
    return tensors


def save(path: Path, tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    """Write `.safetensors` (header, then little-endian tensors) or `.npz`, and refuse more than the limit."""
    ordered = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    if path.suffix == ".npz":
        np.savez(path, **ordered)
    else:
        names = {"float32": "F32", "int8": "I8"}
        header: dict[str, Any] = {}
        offset = 0
        for name, tensor in ordered.items():
            end = offset + tensor.nbytes
            header[name] = {
                "dtype": names[tensor.dtype.name],
                "shape": tensor.shape,
                "data_offsets": [offset, end],
            }
            offset = end
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        path.write_bytes(
            len(text).to_bytes(8, "little") + text + b"".join(t.tobytes() for t in ordered.values())
        )
    size = path.stat().st_size
    if size >= SIZE_LIMIT_BYTES:
        path.unlink()
        raise SystemExit(
            f"{path} would have {size} bytes, the limit is {SIZE_LIMIT_BYTES}: use fewer --buckets"
        )
    print(f"{path}: {size / 1e6:.2f} MB")


def simple_features(request: Request, buckets: int = 2**16) -> Features:
    """A stand-in for the native features: a few counts, words, word pairs and character trigrams."""
    text = "\n".join(message["content"] for message in request["messages"])
    text = text if len(text) <= 4000 else text[:2000] + text[-2000:]
    last = request["messages"][-1]["content"]
    dense = [
        np.log1p(len(text)), np.log1p(len(last)), float(len(request["messages"])),
        float(bool(request.get("tools"))), float("```" in text),
        float(last.rstrip().endswith("?")), sum(c.isdigit() for c in text) / (1 + len(text)),
        sum(c in "{}();=<>[]" for c in text) / (1 + len(text)),
        sum(ord(c) > 0x2E80 for c in text) / (1 + len(text)),
    ]  # fmt: skip
    words = text.lower().split()
    grams = [*words, *(" ".join(pair) for pair in pairwise(words))]
    flat = " ".join(words)
    grams += [flat[k : k + 3] for k in range(len(flat) - 2)]
    hashed = [
        int.from_bytes(hashlib.blake2b(g.encode(), digest_size=4).digest(), "big") % buckets for g in grams
    ]
    return np.array(dense), hashed


def main() -> int:
    """Train, report, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", default="train:simple_features", help="MODULE:FUNCTION")
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus")
    parser.add_argument("--public", type=Path, help="folder with NAME/prompts.parquet")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--buckets", type=int, default=2**16)
    parser.add_argument("--strength", type=float, default=1.0, help="inverse of the L2 penalty")
    parser.add_argument(
        "--held-out", type=float, default=0.2, help="share of the written requests for calibration"
    )
    parser.add_argument(
        "--refit", action="store_true", help="fit the final weights on the held-out requests too"
    )
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    sys.path.insert(0, str(HERE))
    module, _, name = options.features.partition(":")
    features = getattr(importlib.import_module(module), name)
    save(options.out, train(load_corpus(options.corpus, options.public), features, options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
