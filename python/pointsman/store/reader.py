"""Reading the log: one decision, a page, everything; and the feedback on a decision."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pointsman.errors import ConfigError, StoreUnavailable
from pointsman.store.database import connect, database_url, migrate
from pointsman.store.rows import readable
from pointsman.store.tables import DECISIONS, FEEDBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.store.rows import Row

_N_AT_ONCE = 1000
# What a page of decisions shows: all but what is large.
_SHOWN = [column for column in DECISIONS.c if column.name not in ("features", "record", "prompt", "answer")]


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection to read with.

    Raises:
        StoreUnavailable: The database cannot be read.
    """
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.SQLAlchemyError as error:
        raise StoreUnavailable(reason_of(error)) from None


def reason_of(error: sa.exc.SQLAlchemyError) -> str:
    """The driver's words in one line, without the statement and its values."""
    said = getattr(error, "orig", None) or error
    return " ".join(str(said).split())[:200]


def find_decision(engine: sa.Engine, decision_id: str, tenant: str | None) -> Row | None:
    """A row by its id; `None` if there is none of that tenant (`None`: of any)."""
    query = sa.select(DECISIONS).where(DECISIONS.c.decision_id == decision_id)
    if tenant is not None:
        query = query.where(DECISIONS.c.tenant == tenant)
    with reading(engine) as connection:
        found = connection.execute(query).mappings().first()
    return None if found is None else _row(found)


def find_feedback(engine: sa.Engine, decision_id: str) -> list[Row]:
    """The feedback on a decision, oldest first."""
    query = sa.select(FEEDBACK).where(FEEDBACK.c.decision_id == decision_id)
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(FEEDBACK.c.given_at_s)).mappings().all()
    return [_row(row) for row in rows]


def list_decisions(
    engine: sa.Engine,
    *,
    tenant: str | None = None,
    model: str | None = None,
    since_s: float | None = None,
    before: tuple[float, str] | None = None,
    limit: int = 100,
) -> list[Row]:
    """Rows without their large columns, newest first.

    Args:
        engine: The database.
        tenant: Only of this tenant.
        model: Only answered by this model.
        since_s: Only from then on; Unix time, seconds.
        before: Time and id of the last row of the page before.
        limit: How many at most.
    """
    key = sa.tuple_(DECISIONS.c.decided_at_s, DECISIONS.c.decision_id)
    query = _filtered(sa.select(*_SHOWN), tenant=tenant, model=model, since_s=since_s)
    if before is not None:
        query = query.where(key < before)
    newest = DECISIONS.c.decided_at_s.desc(), DECISIONS.c.decision_id.desc()
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(*newest).limit(limit)).mappings().all()
    return [readable(_row(row)) for row in rows]


def scan(engine: sa.Engine, **filters: Any) -> Iterator[Row]:
    """Every row that passes, oldest first, a thousand at a time; filters as `decision_rows`."""
    key = sa.tuple_(DECISIONS.c.decided_at_s, DECISIONS.c.decision_id)
    query = _filtered(sa.select(DECISIONS), **filters).order_by(
        DECISIONS.c.decided_at_s, DECISIONS.c.decision_id
    )
    after: tuple[float, str] | None = None
    while True:
        page = query if after is None else query.where(key > after)
        with reading(engine) as connection:
            rows = connection.execute(page.limit(_N_AT_ONCE)).mappings().all()
        yield from map(_row, rows)
        if len(rows) < _N_AT_ONCE:
            return
        after = rows[-1]["decided_at_s"], rows[-1]["decision_id"]


def read_log(source: str, **filters: Any) -> Iterator[Row]:
    """`scan` of a database that is opened for it, and never made.

    Raises:
        ConfigError: There is no such database, or it cannot be read.
    """
    url = database_url(source)
    check_exists(url)
    engine = connect(url)
    try:
        migrate(engine)
        yield from scan(engine, **filters)
    except sa.exc.SQLAlchemyError as error:
        raise ConfigError([f"the decision log cannot be read: {reason_of(error)}"]) from None
    except StoreUnavailable as error:
        raise ConfigError([str(error)]) from None
    finally:
        engine.dispose()


def _row(found: sa.RowMapping) -> Row:
    # SQLAlchemy's names are of a subclass of text, which orjson takes for no key.
    return {str(name): value for name, value in found.items()}


def check_exists(url: sa.URL) -> None:
    """Refuse a SQLite file that is not there: to read must not make one.

    Raises:
        ConfigError: There is no such file.
    """
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ConfigError([f"{url.database}: no such decision log; give a database or a folder of an export"])


def _filtered(
    query: sa.Select[Any],
    *,
    tenant: str | None = None,
    model: str | None = None,
    since_s: float | None = None,
    until_s: float | None = None,
) -> sa.Select[Any]:
    if tenant is not None:
        query = query.where(DECISIONS.c.tenant == tenant)
    if model is not None:
        query = query.where(DECISIONS.c.model == model)
    if since_s is not None:
        query = query.where(DECISIONS.c.decided_at_s >= since_s)
    if until_s is not None:
        query = query.where(DECISIONS.c.decided_at_s < until_s)
    return query
