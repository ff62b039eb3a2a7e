"""The decision log as Parquet files, a folder a day: `OUT/day=2026-11-28/decisions-00000.parquet`.

Columns are those of `pointsman.store.rows`; the JSON ones (`record`, `prompt`, `answer`, `tags`, `attempts`)
are JSON texts. The day is the UTC day of `decided_at_s`, and a column of its own to whoever reads the folder
as a Hive-partitioned data set (pyarrow, polars, DuckDB, Spark). A day exported again replaces what was there.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pointsman.errors import ConfigError
from pointsman.store.reader import read_log
from pointsman.store.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.store.rows import Row

# As many are in memory at once.
_ROWS_A_GROUP = 1000
_JSON_BYTES = ("record", "prompt", "answer")


def export_log(
    source: str, folder: Path, *, since_s: float | None = None, until_s: float | None = None
) -> dict[str, int]:
    """Write a log as Parquet; how many decisions, by day.

    Days that `since_s` or `until_s` cuts hold a part of their
    decisions: give midnights (UTC) for whole ones.

    Args:
        source: A database, as `store.url` names it.
        folder: Made if it is not there.
        since_s: Unix time, seconds; only requests from then on.
        until_s: Unix time, seconds; only requests before.

    Raises:
        ConfigError: The log cannot be read, the folder cannot be written, or pyarrow is not installed.
    """
    _pyarrow()
    written: dict[str, int] = {}
    rows = read_log(source, since_s=since_s, until_s=until_s)
    try:
        for day, of_day in groupby(rows, key=_day_of):
            written[day] = _write_day(folder / f"day={day}", of_day)
    except OSError as error:
        raise ConfigError([f"{folder}: cannot be written ({error.strerror or error})"]) from None
    return written


def read_export(
    source: str,
    *,
    since_s: float | None = None,
    until_s: float | None = None,
    tenant: str | None = None,
    model: str | None = None,
) -> Iterator[Row]:
    """Rows of an export, oldest first; filters as `decision_rows`.

    Raises:
        ConfigError: It holds no export, or pyarrow is not installed.
    """
    _pyarrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(Path(source).glob("day=*/decisions-*.parquet"))
    if not files:
        raise ConfigError([f"{source}: holds no export; `pointsman export {source}` writes one"])
    wanted = {"tenant": tenant, "model": model}
    for file in files:
        try:
            with pq.ParquetFile(file) as opened:
                for batch in opened.iter_batches(1000):
                    for row in batch.to_pylist():
                        is_named = all(value in (None, row[name]) for name, value in wanted.items())
                        at_s = row["decided_at_s"]
                        if is_named and (since_s or at_s) <= at_s and (until_s is None or at_s < until_s):
                            yield row
        except (pa.ArrowInvalid, KeyError) as error:
            raise ConfigError([f"{file}: is no file of an export ({error}); export it again"]) from None


def _pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigError(["Parquet files need pyarrow: pip install 'pointsman[parquet]'"]) from None


def _day_of(row: Row) -> str:
    return datetime.fromtimestamp(row["decided_at_s"], UTC).date().isoformat()


def _write_day(folder: Path, rows: Iterator[Row]) -> int:
    """Write beside what is there, then take its place: a reader finds the old day or the new one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    n_rows = 0
    schema = _schema()
    with pq.ParquetWriter(fresh / "decisions-00000.parquet", schema, compression="zstd") as file:
        while group := list(islice(rows, _ROWS_A_GROUP)):
            texts = [row | {name: _text(row[name]) for name in _JSON_BYTES} for row in group]
            file.write_table(pa.Table.from_pylist(texts, schema=schema))
            n_rows += len(group)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return n_rows


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _schema() -> Any:
    import pyarrow as pa

    kinds = {
        sa.Double: pa.float64(),
        sa.BigInteger: pa.int64(),
        sa.Boolean: pa.bool_(),
        sa.LargeBinary: pa.binary(),
        sa.Text: pa.string(),
    }
    fields = [
        pa.field(
            column.name,
            pa.string() if column.name in _JSON_BYTES else kinds[type(column.type)],
            nullable=bool(column.nullable),
        )
        for column in DECISIONS.c
    ]
    return pa.schema(fields)
