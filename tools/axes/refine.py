"""The second stage of the task classifier: a small network that corrects what the linear heads say.

Linear heads cannot say "a poem is general whatever it is about", nor that a sign counts for less beside another. One
hidden layer sees what was measured of a request, the logits of the heads and their probabilities, and adds to the
logits of all axes. It learns from logits of rows that the heads did not learn from: on rows they know they are
right too often to be corrected. It does not see the embeddings, by which it would know single rows again.

`refine.bin` is little-endian f32: the least and the greatest value of each measure that is listened to [M] and [M],
weights of the hidden layer [M + 17 + 17, 64] (measures, logits, probabilities) and its biases [64]; the share that the
logits of the heads keep [17], weights of the output [64, 17] and its biases [17]. The last three are divided by the
temperature of their axis: `softmax(share * logits + relu(inputs @ hidden + bias) @ output + bias)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from layout import AXES, N_EMBEDDED, N_LOGITS, Array, columns, one_hot, softmax

N_HIDDEN = 64
# Chosen by cross-validation and the dev set (README.md).
N_EPOCHS = 80
N_BATCH = 128
RATE = 2e-3
DECAY = 0.3
# Share of the inputs that a step does not see.
DROPPED = 0.5
# How much measures, in standard deviations, and logits say at first.
MEASURED_GAIN, LOGIT_GAIN = 0.4, 0.25
# Measures further from their mean than so many standard deviations say no more.
MAX_SPREADS = 4.0


@dataclass
class Range:
    """Mean and spread of each measure."""

    mean: Array
    spread: Array

    @classmethod
    def of(cls, dense: Array) -> Range:
        """Of these rows, f32 [n, D]."""
        measured = dense[:, :-N_EMBEDDED]
        spread = measured.std(axis=0)
        return cls(measured.mean(axis=0), np.where(spread < 1e-6, 1.0, spread).astype(np.float32))

    def inputs(self, dense: Array, logits: Array) -> Array:
        """What the network sees of the rows, f32 [n, M + 34]."""
        measured = (dense[:, :-N_EMBEDDED] - self.mean) / self.spread
        clipped = np.clip(measured, -MAX_SPREADS, MAX_SPREADS) * MEASURED_GAIN
        return np.hstack([clipped, LOGIT_GAIN * logits, softmax(logits)]).astype(np.float32)


class Network:
    """Hidden weights and biases, output weights and biases, and the share of the linear logits."""

    def __init__(self, n_inputs: int, dice: np.random.Generator) -> None:
        hidden = dice.normal(0, np.sqrt(2 / n_inputs), (n_inputs, N_HIDDEN))
        shapes = [np.zeros(N_HIDDEN), np.zeros((N_HIDDEN, N_LOGITS)), np.zeros(N_LOGITS), np.ones(N_LOGITS)]
        self.parts = [part.astype(np.float32) for part in (hidden, *shapes)]

    def say(self, inputs: Array, logits: Array) -> Array:
        """The corrected logits, f32 [n, 17]."""
        hidden, hidden_bias, output, bias, share = self.parts
        return logits * share + np.maximum(inputs @ hidden + hidden_bias, 0.0) @ output + bias

    def gradients(self, inputs: Array, logits: Array, truth: Array, weights: Array) -> list[Array]:
        """Of the weighted log loss of the rows, part by part."""
        hidden, hidden_bias, output, bias, share = self.parts
        active = np.maximum(inputs @ hidden + hidden_bias, 0.0)
        said = logits * share + active @ output + bias
        residual = (softmax(said) - truth) * weights / len(inputs)
        back = (residual @ output.T) * (active > 0)
        by_share = (residual * logits).sum(axis=0)
        for place in columns().values():
            by_share[place] = by_share[place].sum()
        return [inputs.T @ back, back.sum(axis=0), active.T @ residual, residual.sum(axis=0), by_share]

    def to_bytes(self, measures: Range, temperatures: Array) -> bytes:
        """The network as `refine.bin` has it."""
        hidden, hidden_bias, output, bias, share = (part.astype(np.float64) for part in self.parts)
        n_measures = len(measures.mean)
        scale = MEASURED_GAIN / measures.spread.astype(np.float64)
        hidden_bias = hidden_bias - (measures.mean * scale) @ hidden[:n_measures]
        hidden[:n_measures] *= scale[:, None]
        hidden[n_measures : n_measures + N_LOGITS] *= LOGIT_GAIN
        per_logit = np.repeat(temperatures, [len(classes) for classes in AXES.values()])
        far = MAX_SPREADS * measures.spread
        ends = [measures.mean - far, measures.mean + far]
        parts = [*ends, hidden, hidden_bias, share / per_logit, output / per_logit, bias / per_logit]
        return b"".join(part.astype("<f4").tobytes() for part in parts)


class Adam:
    """Steps of Adam with decoupled decay of the weights (Loshchilov & Hutter 2019, algorithm 2)."""

    def __init__(self, parts: list[Array]) -> None:
        self.means = [np.zeros_like(part) for part in parts]
        self.squares = [np.zeros_like(part) for part in parts]
        self.n_steps = 0

    def step(self, parts: list[Array], gradients: list[Array], rate: float) -> None:
        """Moves the parts; matrices decay, biases and shares do not."""
        self.n_steps += 1
        by_mean, by_square = 1 - 0.9**self.n_steps, 1 - 0.999**self.n_steps
        for part, gradient, mean, square in zip(parts, gradients, self.means, self.squares, strict=True):
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient * gradient - square)
            part -= (rate * (mean / by_mean) / (np.sqrt(square / by_square) + 1e-8)).astype(np.float32)
            if part.ndim == 2:
                part *= np.float32(1 - rate * DECAY)


def fit(inputs: Array, logits: Array, labels: Array, base: Array, seed: int) -> Network:
    """A network for these rows; labels int [n, 4], and a weight for each row."""
    dice = np.random.default_rng(seed)
    network = Network(inputs.shape[1], dice)
    known = np.repeat(labels >= 0, [len(classes) for classes in AXES.values()], axis=1)
    weights = known * base[:, None]
    weights = (weights * (len(inputs) / weights.sum(axis=0))).astype(np.float32)
    truth, adam = one_hot(labels), Adam(network.parts)
    for epoch in range(N_EPOCHS):
        rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / N_EPOCHS))
        order = dice.permutation(len(inputs))
        for rows in np.split(order, range(N_BATCH, len(order), N_BATCH)):
            seen = dice.random((len(rows), inputs.shape[1]), dtype=np.float32) > DROPPED
            kept = inputs[rows] * (seen * np.float32(1 / (1 - DROPPED)))
            adam.step(network.parts, network.gradients(kept, logits[rows], truth[rows], weights[rows]), rate)
    return network
