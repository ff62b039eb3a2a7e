"""Tables of graded answers: `prompts.parquet`, `outcomes.parquet` and, where it is there, `models.json`.

`prompts`: prompt_id, prompt, and optionally dataset, task, split. `outcomes`: prompt_id, model, quality in
[0, 1], cost_usd, and optionally output_tokens. Not every model need have answered every prompt.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pointsman.errors import PointsmanError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]
    Texts = NDArray[np.object_]

_MARGIN = 1e-6
"""A quality this far outside [0, 1] is rounding of float32, and cut."""


class TableError(PointsmanError, ValueError):
    """A table of graded answers that cannot be used: what is wrong, where, and the remedy."""


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """Prompts with the quality and cost of every model's answer; NaN where a model has none.

    Attributes:
        prompts: Texts, n of them.
        datasets: Names of the data sets they are of, n; "" if not told.
        tasks: Names of their tasks, n; "" if not told.
        splits: `train`, `test` or others, n; "" if not told.
        models: Names of the models, m, sorted.
        quality: f64[n, m], in [0, 1].
        cost_usd: f64[n, m], >= 0.
        output_tokens: f64[n, m]; NaN where not told.
        prices: USD per 1M tokens of input and output, of the models that `models.json` lists.
        notes: What was left out or not used, for people.
    """

    prompts: list[str]
    datasets: Texts
    tasks: Texts
    splits: Texts
    models: tuple[str, ...]
    quality: Floats
    cost_usd: Floats
    output_tokens: Floats
    prices: dict[str, tuple[float, float]]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of prompts."""
        return len(self.prompts)

    def rows(self, places: Places) -> OutcomeTable:
        """The prompts at these places, in their order."""
        return replace(
            self,
            prompts=[self.prompts[place] for place in places],
            datasets=self.datasets[places],
            tasks=self.tasks[places],
            splits=self.splits[places],
            quality=self.quality[places],
            cost_usd=self.cost_usd[places],
            output_tokens=self.output_tokens[places],
        )

    def followed_by(self, other: OutcomeTable) -> OutcomeTable:
        """These prompts and then those of another table; models that only the other has are left out."""
        columns = [other.models.index(model) for model in self.models]

        def below(upper: Floats, lower: Floats) -> Floats:
            return np.concatenate([upper, lower[:, columns]])

        return replace(
            self,
            prompts=self.prompts + other.prompts,
            datasets=np.concatenate([self.datasets, other.datasets]),
            tasks=np.concatenate([self.tasks, other.tasks]),
            splits=np.concatenate([self.splits, other.splits]),
            quality=below(self.quality, other.quality),
            cost_usd=below(self.cost_usd, other.cost_usd),
            output_tokens=below(self.output_tokens, other.output_tokens),
            prices=self.prices | other.prices,
            notes=(*self.notes, *other.notes),
        )

    def of_dataset(self, name: str) -> OutcomeTable:
        """The prompts of one data set.

        Raises:
            TableError: There is none of that name.
        """
        places = np.flatnonzero(self.datasets == name)
        if not len(places):
            known = ", ".join(sorted({str(one) for one in self.datasets if one})) or "none is named"
            raise TableError(f"no prompt is of the data set {name!r}: give one of {known}")
        return self.rows(places)


def read_table(folder: Path) -> OutcomeTable:
    """The table in a folder, checked.

    Raises:
        TableError: A file or column is missing, a value is missing or out of range, a row is there twice, an
            outcome is of no prompt; the message names file, column and row (counted from 0).
    """
    prompts = _read(folder / "prompts.parquet", required=("prompt_id", "prompt"))
    outcomes = _read(folder / "outcomes.parquet", required=("prompt_id", "model", "quality", "cost_usd"))
    ids = _texts(prompts, "prompts.parquet", "prompt_id")
    place_of_id = _unique(ids, "prompts.parquet", "prompt_id")
    names = _texts(outcomes, "outcomes.parquet", "model")
    models = tuple(sorted(set(names)))
    if len(models) < 2:
        raise TableError(
            f"outcomes.parquet, column model: {len(models)} model, nothing to choose: give 2 or more"
        )
    of_model = {model: place for place, model in enumerate(models)}
    columns = np.array([of_model[name] for name in names])
    rows = _rows(_texts(outcomes, "outcomes.parquet", "prompt_id"), place_of_id)
    _refuse_twins(rows * len(models) + columns, ids, models)

    def grid(column: str, values: Floats | None) -> Floats:
        cells = np.full((len(ids), len(models)), np.nan)
        if values is not None:
            cells[rows, columns] = values
        return cells

    prices, notes = _prices(folder / "models.json", models)
    table = OutcomeTable(
        prompts=_texts(prompts, "prompts.parquet", "prompt"),
        datasets=_labels(prompts, "dataset"),
        tasks=_labels(prompts, "task"),
        splits=_labels(prompts, "split"),
        models=models,
        quality=grid("quality", _qualities(outcomes)),
        cost_usd=grid("cost_usd", _costs(outcomes)),
        output_tokens=grid("output_tokens", _optional(outcomes, "output_tokens")),
        prices=prices,
        notes=notes,
    )
    return _answered(table)


def _answered(table: OutcomeTable) -> OutcomeTable:
    """Without the prompts that no model has answered."""
    is_answered = ~np.isnan(table.quality).all(axis=1)
    n_left_out = int((~is_answered).sum())
    if not n_left_out:
        return table
    note = f"{n_left_out} prompts without an outcome are left out"
    return replace(table.rows(np.flatnonzero(is_answered)), notes=(*table.notes, note))


def _read(path: Path, required: Sequence[str]) -> pyarrow.Table:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise TableError("reading tables needs pyarrow: pip install 'pointsman[learning]'") from None
    if not path.exists():
        raise TableError(f"{path} is missing: give a folder with prompts.parquet and outcomes.parquet")
    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise TableError(f"{path} cannot be read as Parquet ({error}): write it anew") from None
    for column in required:
        if column not in table.column_names:
            found = ", ".join(table.column_names)
            raise TableError(f"{path.name}, column {column}: is missing among {found}: add or rename it")
    if not table.num_rows:
        raise TableError(f"{path.name} has no rows: give some")
    return table


def _texts(table: pyarrow.Table, file: str, column: str) -> list[str]:
    values = table[column].to_pylist()
    for row, value in enumerate(values):
        if value is None or value == "":
            raise TableError(
                f"{file}, column {column}, row {row}: is {value!r}: give a text or leave the row out"
            )
    return [str(value) for value in values]


def _labels(table: pyarrow.Table, column: str) -> Texts:
    if column not in table.column_names:
        return np.full(table.num_rows, "", dtype=object)
    return np.array([str(value or "") for value in table[column].to_pylist()], dtype=object)


def _numbers(table: pyarrow.Table, column: str) -> Floats:
    """The column as floats; a null is NaN."""
    try:
        values = table[column].cast("float64").to_numpy()
    except ValueError as error:  # As are those of pyarrow.
        kind = table[column].type
        raise TableError(
            f"outcomes.parquet, column {column}: of type {kind} ({error}): give numbers"
        ) from None
    return cast("Floats", values)


def _optional(table: pyarrow.Table, column: str) -> Floats | None:
    return _numbers(table, column) if column in table.column_names else None


def _qualities(outcomes: pyarrow.Table) -> Floats:
    values = _numbers(outcomes, "quality")
    _refuse(~((values >= -_MARGIN) & (values <= 1 + _MARGIN)), values, "quality", "give a quality in [0, 1]")
    return np.clip(values, 0.0, 1.0)


def _costs(outcomes: pyarrow.Table) -> Floats:
    values = _numbers(outcomes, "cost_usd")
    _refuse(~((values >= 0) & np.isfinite(values)), values, "cost_usd", "give US dollars, finite and >= 0")
    return values


def _refuse(is_bad: NDArray[np.bool_], values: Floats, column: str, remedy: str) -> None:
    bad = np.flatnonzero(is_bad)
    if len(bad):
        row = int(bad[0])
        others = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise TableError(
            f"outcomes.parquet, column {column}, row {row}: is {values[row]:g}{others}: {remedy}, "
            "or leave out the rows of answers that were not graded"
        )


def _unique(ids: list[str], file: str, column: str) -> dict[str, int]:
    places: dict[str, int] = {}
    for row, one in enumerate(ids):
        if places.setdefault(one, row) != row:
            raise TableError(
                f"{file}, column {column}, row {row}: {one!r} is there already, in row {places[one]}: "
                "name every prompt once"
            )
    return places


def _rows(ids: list[str], place_of_id: dict[str, int]) -> Places:
    rows = np.array([place_of_id.get(one, -1) for one in ids])
    unknown = np.flatnonzero(rows < 0)
    if len(unknown):
        row = int(unknown[0])
        raise TableError(
            f"outcomes.parquet, column prompt_id, row {row}: {ids[row]!r} is no prompt of prompts.parquet "
            f"({len(unknown)} such rows): add the prompt or leave the row out"
        )
    return rows


def _refuse_twins(cells: Places, ids: list[str], models: tuple[str, ...]) -> None:
    order = np.argsort(cells, kind="stable")
    twins = np.flatnonzero(np.diff(cells[order]) == 0)
    if len(twins):
        first, second = int(order[twins[0]]), int(order[twins[0] + 1])
        cell = int(cells[first])
        raise TableError(
            f"outcomes.parquet, rows {first} and {second}: both are of prompt {ids[cell // len(models)]!r} "
            f"and model {models[cell % len(models)]!r}: keep one, or their mean"
        )


def _prices(path: Path, models: tuple[str, ...]) -> tuple[dict[str, tuple[float, float]], tuple[str, ...]]:
    """Listed prices of models that have outcomes: `{"MODEL": {"in": USD per 1M tokens, "out": ...}}`."""
    if not path.exists():
        return {}, ()
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise TableError(
            f"{path} is no JSON ({error}): correct it, or remove the file, which is optional"
        ) from None
    listed = document if isinstance(document, dict) else {}
    prices = {model: price for model in models if (price := _price(listed.get(model))) is not None}
    unlisted = [model for model in models if model not in listed]
    if not unlisted:
        return prices, ()
    return prices, (
        f"models.json does not list {', '.join(unlisted)}: their prices are inferred from cost_usd",
    )


def _price(entry: Any) -> tuple[float, float] | None:
    if not isinstance(entry, dict):
        return None
    pair = (entry.get("in"), entry.get("out"))
    is_price = all(isinstance(one, int | float) and not isinstance(one, bool) and one >= 0 for one in pair)
    return cast("tuple[float, float]", pair) if is_price else None
