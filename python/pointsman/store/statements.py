"""What is written, in either dialect: decisions, feedback, rewards, state, and retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pointsman.store.tables import DECISIONS, FEEDBACK, MUTABLE_FEEDBACK, STATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.store.rows import Row

# Rows one DELETE takes, so that writers and readers in between wait for milliseconds only.
_N_DELETED_AT_ONCE = 1000
# SQLSTATE classes that blame a value: data exceptions and violated constraints.
_OF_VALUES = ("22", "23")


def insert_decisions(connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Write rows; one whose id is there already stays as it is, so that a batch may be tried twice."""
    _insert(connection, DECISIONS, rows, "ON CONFLICT (decision_id) DO NOTHING")


def upsert_feedback(connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Write feedback; what has the same decision, name and source replaces what was there."""
    key = [column.name for column in FEEDBACK.primary_key]
    # Of one statement, PostgreSQL takes each key once: the last counts.
    rows = list({tuple(row[name] for name in key): row for row in rows}.values())
    changes = ", ".join(f"{name} = excluded.{name}" for name in MUTABLE_FEEDBACK)
    _insert(connection, FEEDBACK, rows, f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}")
    ids = {row["decision_id"] for row in rows}
    weighed = sa.select(sa.func.sum(FEEDBACK.c.value * FEEDBACK.c.weight) / sa.func.sum(FEEDBACK.c.weight))
    is_counted = sa.and_(FEEDBACK.c.value.is_not(None), FEEDBACK.c.weight > 0)
    mean = weighed.where(FEEDBACK.c.decision_id == DECISIONS.c.decision_id, is_counted).scalar_subquery()
    connection.execute(sa.update(DECISIONS).where(DECISIONS.c.decision_id.in_(ids)).values(reward=mean))


def put_state(connection: sa.Connection, name: str, data: bytes, saved_at_s: float) -> None:
    """Keep bytes under a name, in the place of those before."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(STATE).values(name=name, data=data, saved_at_s=saved_at_s)
    changes = {"data": insert.excluded.data, "saved_at_s": insert.excluded.saved_at_s}
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=changes))


def get_state(connection: sa.Connection, name: str) -> bytes | None:
    """The bytes kept under a name."""
    found = connection.execute(sa.select(STATE.c.data).where(STATE.c.name == name)).scalar()
    return None if found is None else bytes(found)


def delete_before(connection: sa.Connection, before_s: float) -> int:
    """Delete a thousand of the decisions before a time, with their feedback; how many there were."""
    oldest = sa.select(DECISIONS.c.decision_id).where(DECISIONS.c.decided_at_s < before_s)
    oldest = oldest.order_by(DECISIONS.c.decided_at_s).limit(_N_DELETED_AT_ONCE)
    ids = connection.execute(oldest).scalars().all()
    if ids:
        connection.execute(sa.delete(FEEDBACK).where(FEEDBACK.c.decision_id.in_(ids)))
        connection.execute(sa.delete(DECISIONS).where(DECISIONS.c.decision_id.in_(ids)))
    return len(ids)


def time_of_row(connection: sa.Connection, n_newer: int) -> float | None:
    """Time of the decision that has so many newer ones; `None` if there are fewer."""
    newest = sa.select(DECISIONS.c.decided_at_s).order_by(DECISIONS.c.decided_at_s.desc())
    found = connection.execute(newest.offset(n_newer).limit(1)).scalar()
    return None if found is None else float(found)


def blames_values(error: Exception) -> bool:
    """Whether an error of the database is about what it was given, and not about itself."""
    if isinstance(error, sa.exc.IntegrityError | sa.exc.DataError | OverflowError | TypeError | ValueError):
        return True
    if not isinstance(error, sa.exc.StatementError):
        return False
    said = getattr(error.orig, "args", None)
    state = said[0].get("C", "") if said and isinstance(said[0], dict) else ""
    return isinstance(error.orig, OverflowError | TypeError | ValueError) or state[:2] in _OF_VALUES


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], on_conflict: str) -> None:
    # Written out, as its compiling would cost more than the writing; every part of it is a name of ours.
    names = ", ".join(column.name for column in table.c)
    into = f"INSERT INTO {table.name} ({names})"
    if connection.dialect.name == "postgresql":
        # One round trip a batch: the driver's own executemany takes one a row.
        records = f"json_populate_recordset(NULL::{table.name}, CAST(:rows AS json))"
        document = orjson.dumps([{name: _as_json(value) for name, value in row.items()} for row in rows])
        statement, given = f"{into} SELECT {names} FROM {records}", {"rows": document.decode()}  # noqa: S608
        connection.execute(sa.text(f"{statement} {on_conflict}"), given)
    else:
        values = ", ".join(f":{column.name}" for column in table.c)
        connection.execute(sa.text(f"{into} VALUES ({values}) {on_conflict}"), list(rows))


def _as_json(value: Any) -> Any:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value
