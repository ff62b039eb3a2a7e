"""The axes of the task classifier, and where the logits of each stand."""

from __future__ import annotations

from typing import Any

import numpy as np

AXES = {
    "complexity": ("lookup", "generation", "reasoning"),
    "domain": ("code", "math", "legal", "medical", "finance", "science", "general"),
    "structure": ("text", "json", "sql", "code", "label"),
    "latency": ("interactive", "batch"),
}
N_LOGITS = sum(len(classes) for classes in AXES.values())
# The last dense features are two embeddings of this length together; what stands before them is measured.
N_EMBEDDED = 512

Request = dict[str, Any]
Array = np.ndarray[Any, Any]


def columns() -> dict[str, slice]:
    """Where the logits of each axis stand."""
    places, start = {}, 0
    for axis, classes in AXES.items():
        places[axis] = slice(start, start + len(classes))
        start += len(classes)
    return places


def one_hot(labels: Array) -> Array:
    """What the probabilities of the rows should be, f32 [n, 17]; zeros where an axis says nothing."""
    truth = np.zeros((len(labels), N_LOGITS), dtype=np.float32)
    for column, place in enumerate(columns().values()):
        known = np.flatnonzero(labels[:, column] >= 0)
        truth[known, place.start + labels[known, column]] = 1.0
    return truth


def softmax(logits: Array) -> Array:
    """Probabilities axis by axis, [n, 17]."""
    probabilities = np.empty_like(logits)
    for place in columns().values():
        weights = np.exp(logits[:, place] - logits[:, place].max(axis=1, keepdims=True))
        probabilities[:, place] = weights / weights.sum(axis=1, keepdims=True)
    return probabilities
