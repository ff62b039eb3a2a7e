"""A connection to the store's database: which one a URL means, how it is set up, and its schema's versions.

The migrations are ours: a handful of tables in two dialects, changed in place when the store opens, need
forty lines; alembic would add a folder of scripts, a template language and a command of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

from pointsman.errors import ConfigError
from pointsman.store.tables import DECISIONS, METADATA, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

# How long a database may take for one answer before it counts as dead.
TIMEOUT_S = 10
_MEMORY = ":memory:"
_WRITING = {"is_writing": True}
# Any number, the same in every release: who holds it migrates.
_MIGRATION_LOCK = 0x706F696E74


def default_path() -> Path:
    """The database of a config that names none: in the user's folder for state (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "pointsman" / "pointsman.db"


def database_url(url: str | None) -> sa.URL:
    """What `store.url` means: a path, `sqlite:///PATH` or `postgresql://...`; `None`: the default path.

    Raises:
        ConfigError: Neither.
    """
    if url is None or "://" not in url:
        return sa.URL.create("sqlite+pysqlite", database=str(url or default_path()))
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(["store.url: is no URL; give a path, sqlite:///PATH or postgresql://..."]) from None
    kind = parsed.drivername.partition("+")[0]
    drivers = {
        "sqlite": "sqlite+pysqlite",
        "postgresql": "postgresql+pg8000",
        "postgres": "postgresql+pg8000",
    }
    if kind not in drivers:
        seen = f"store.url: {kind!r:.40} is not supported"
        raise ConfigError([f"{seen}; give a path, sqlite:///PATH or postgresql://..."])
    return parsed.set(drivername=drivers[kind])


def connect(url: sa.URL) -> sa.Engine:
    """An engine for the database; nothing is connected to yet.

    Raises:
        ConfigError: The folder of a SQLite file cannot be made, or there is no driver.
    """
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite(url)
        return sa.create_engine(url, pool_pre_ping=True, pool_size=4, connect_args={"timeout": TIMEOUT_S})
    except ModuleNotFoundError as error:
        raise ConfigError([f"store.url needs {error.name}: pip install 'pointsman[store]'"]) from None


def _sqlite(url: sa.URL) -> sa.Engine:
    path = url.database or _MEMORY
    if path != _MEMORY:
        _make_private(Path(path))
    engine = sa.create_engine(url, connect_args={"timeout": TIMEOUT_S})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    # The driver's own transactions begin too late, and not at all for a change of the schema.
    connection.isolation_level = None
    cursor = connection.cursor()
    # A killed process loses nothing that was committed; a power cut loses the last commits at most.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={TIMEOUT_S * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # To read first and write then would fail, not wait, where another process has written in between.
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _make_private(path: Path) -> None:
    """Make the file and its folder, for this user alone: it says who asked what."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        seen = f"store.url: {path} cannot be used ({error.strerror})"
        raise ConfigError([f"{seen}; give a file that can be written"]) from None


def writing(engine: sa.Engine) -> Any:
    """A transaction that will write, for a `with` statement."""
    return engine.execution_options(**_WRITING).begin()


def _create_tables(connection: sa.Connection) -> None:
    METADATA.create_all(connection)


def _tell_versions_apart(connection: sa.Connection) -> None:
    have = {column["name"] for column in sa.inspect(connection).get_columns(DECISIONS.name)}
    for name in ("arm", "shadow"):
        if name not in have:
            connection.exec_driver_sql(f"ALTER TABLE decisions ADD COLUMN {name} TEXT")


MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (_create_tables, _tell_versions_apart)
"""Number n (from 1) takes a schema of version n - 1 to version n. Never change one that was released."""


def migrate(engine: sa.Engine, migrations: tuple[Callable[[sa.Connection], None], ...] = MIGRATIONS) -> int:
    """Bring the schema to this release's version, in one transaction; how many steps that took.

    Processes that start at once wait for each other.

    Raises:
        ConfigError: The database is of a later release.
        sqlalchemy.exc.SQLAlchemyError: It cannot be reached or written.
    """
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        VERSION.create(connection, checkfirst=True)
        found = connection.execute(sa.select(VERSION.c.version)).scalar()
        version = found or 0
        if version > len(migrations):
            seen = (
                f"store.url: the database has schema version {version}, this release knows {len(migrations)}"
            )
            raise ConfigError([f"{seen}; upgrade pointsman, or give another database"])
        for step in migrations[version:]:
            step(connection)
        if version < len(migrations):
            connection.execute(sa.delete(VERSION))
            connection.execute(sa.insert(VERSION).values(version=len(migrations)))
        return len(migrations) - version
