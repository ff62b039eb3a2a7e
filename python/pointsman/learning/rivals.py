"""What needs no router, to be reported beside every claim: length alone, a table of tasks, single models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pointsman.learning.data import Floats, OutcomeTable, Places

_N_PRIOR = 5.0
"""Pseudo-counts of a model's mean in its mean of a task (chosen: rare tasks say little)."""


def model_means(table: OutcomeTable, places: Places) -> Floats:
    """Mean quality of each model, f64[m]; the mean of all where a model has no outcome."""
    quality = table.quality[places]
    n_graded = (~np.isnan(quality)).sum(axis=0)
    overall = np.nanmean(quality)
    return np.where(n_graded > 0, np.nansum(quality, axis=0) / np.maximum(n_graded, 1), overall)


def mean_costs(table: OutcomeTable, places: Places) -> Floats:
    """Mean cost of each model in US dollars, f64[m]; of all where a model has no outcome."""
    cost = table.cost_usd[places]
    n_known = (~np.isnan(cost)).sum(axis=0)
    return np.where(n_known > 0, np.nansum(cost, axis=0) / np.maximum(n_known, 1), np.nanmean(cost))


def by_task(table: OutcomeTable, train: Places, test: Places) -> Floats:
    """Each model's mean on the prompt's task, f64[len(test), m], drawn a little to its mean on all."""
    means = model_means(table, train)
    predicted = np.tile(means, (len(test), 1))
    for task in np.unique(table.tasks[train].astype(str)):
        quality = table.quality[train[table.tasks[train] == task]]
        n_graded = (~np.isnan(quality)).sum(axis=0)
        mean = (np.nansum(quality, axis=0) + _N_PRIOR * means) / (n_graded + _N_PRIOR)
        predicted[table.tasks[test] == task] = mean
    return predicted


def by_length(table: OutcomeTable, train: Places, test: Places) -> Floats:
    """A line through quality over the logarithm of the prompt's bytes for each model, f64[len(test), m]."""
    sizes = np.log([1.0 + len(prompt.encode()) for prompt in table.prompts])
    means = model_means(table, train)
    predicted = np.tile(means, (len(test), 1))
    for column in range(len(table.models)):
        graded = train[~np.isnan(table.quality[train, column])]
        if len(graded) < 2:
            continue
        deviation = sizes[graded] - sizes[graded].mean()
        spread = float(deviation @ deviation)
        slope = float(deviation @ table.quality[graded, column]) / spread if spread > 0 else 0.0
        predicted[:, column] += slope * (sizes[test] - sizes[graded].mean())
    return np.clip(predicted, 0.0, 1.0)
