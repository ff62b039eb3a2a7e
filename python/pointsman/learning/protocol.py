"""Which prompts are learned from and which are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pointsman.learning.data import TableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pointsman.learning.data import OutcomeTable, Places

    Part = tuple[Places, Places]

MAX_TASK_FOLDS = 30
"""Tasks beyond this number share folds in `kfold-task`."""
_N_SHUFFLES = 5
"""Runs of `first:N`, unless it is said."""
_SHAPES = "split, kfold:5, kfold-task or first:1500"


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a table is parted: `split`, `kfold:K`, `kfold-task` or `first:N`.

    Attributes:
        kind: `split` (the table's own), `kfold` (by prompt), `kfold-task` (every task is scored by a router
            that saw none of it) or `first` (N prompts of a random order are learned from, the rest scored).
        n: Folds, or prompts learned from; 0 where it has no meaning.
        n_runs: How often, in another random order each time.
    """

    kind: str
    n: int = 0
    n_runs: int = 1

    @classmethod
    def parse(cls, text: str, n_runs: int | None = None) -> Protocol:
        """The protocol a command line names.

        Raises:
            TableError: It names none.
        """
        kind, _, number = text.partition(":")
        if text in {"split", "kfold-task"}:
            return cls(text, 0, 1)
        least = {"kfold": 2, "first": 1}.get(kind)
        if least is None:
            raise TableError(f"--protocol {text}: is no protocol: give {_SHAPES}")
        if not number.isdecimal() or int(number) < least:
            raise TableError(f"--protocol {text}: needs a whole number >= {least}: give {_SHAPES}")
        return cls(kind, int(number), n_runs or (_N_SHUFFLES if kind == "first" else 1))

    @classmethod
    def default(cls, table: OutcomeTable) -> Protocol:
        """The table's own split if it has one, else `kfold:5`."""
        return cls("split") if {"train", "test"} <= set(table.splits) else cls("kfold", 5)

    def parts(self, table: OutcomeTable, run: int) -> list[Part]:
        """Rows to learn from and rows to score, a pair a part; what is scored is scored once.

        Raises:
            TableError: A part would be empty.
        """
        order = np.random.default_rng(run).permutation(len(table))
        if self.kind == "first":
            parts = [(order[: self.n], order[self.n :])]
        elif self.kind == "split":
            parts = [(order[table.splits[order] == "train"], order[table.splits[order] == "test"])]
        elif self.kind == "kfold":
            parts = _apart(order, np.arange(len(order)) % self.n)
        else:
            parts = _apart(order, _task_folds(table)[order])
        for train, test in parts:
            if not len(train) or not len(test):
                raise TableError(self._empty(table, len(train), len(test)))
        return parts

    def _empty(self, table: OutcomeTable, n_train: int, n_test: int) -> str:
        seen = f"{n_train} prompts to learn from and {n_test} to score"
        if self.kind == "split":
            splits = ", ".join(sorted({str(one) or "none" for one in table.splits}))
            return (
                f"prompts.parquet, column split: holds {splits}, so --protocol split leaves {seen}: "
                "mark rows train and test, or give --protocol kfold:5"
            )
        if self.kind == "kfold-task":
            return (
                f"prompts.parquet, column task: names one task, which leaves {seen}: give --protocol kfold:5"
            )
        return f"--protocol {self.kind}:{self.n} leaves {seen} of {len(table)}: give a smaller number"


def _apart(order: Places, fold_of: NDArray[np.int64]) -> list[Part]:
    return [(order[fold_of != fold], order[fold_of == fold]) for fold in np.unique(fold_of)]


def _task_folds(table: OutcomeTable) -> NDArray[np.int64]:
    """A fold a task; the most frequent first, dealt round where there are many."""
    tasks, number, counts = np.unique(table.tasks.astype(str), return_inverse=True, return_counts=True)
    rank = np.empty(len(tasks), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(tasks))
    return rank[number] % MAX_TASK_FOLDS
