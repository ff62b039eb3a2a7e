"""Stores in both databases, the same tests for each; a real PostgreSQL server where one is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pointsman._native import Core
from pointsman.store.database import connect, database_url
from pointsman.store.store import DecisionStore, StoreOptions
from pointsman.types import Attempt, CacheUse, Constraints, Request, Served, Usage

from ..native.conftest import NOW_S, catalog_document, catalog_of

CORE = Core(catalog_of(catalog_document(2)))


def served(
    text: str = "What is the capital of Norway?", at_s: float = NOW_S, seed: int = 1, **fields: Any
) -> Served:
    """A request that `p0/m0` answered."""
    request = fields.pop("request", Request(messages=[{"role": "user", "content": text}]))
    if "tenant" in fields:
        request = replace(request, tenant=fields.pop("tenant"))
    said: dict[str, Any] = {
        "body": {"model": "auto", "messages": list(request.messages)},
        "policy": "default",
        "is_stream": False,
        "started_at_s": at_s,
        "latency_ms": 120.5,
        "overhead_us": 80.0,
        "attempts": (Attempt(deployment="p0/m0", status=200, error_code=None, latency_ms=120.0),),
        "deployment": "p0/m0",
        "model": "m0",
        "provider": "p0",
        "answer": {"choices": [{"message": {"role": "assistant", "content": "Oslo"}}]},
        "usage": Usage(n_input_tokens=12, n_output_tokens=3),
        "cost_usd": 0.001,
        "baseline_cost_usd": 0.01,
    }  # fmt: skip
    return Served(decision=CORE.decide(request, now_s=at_s, seed=seed), request=request, **(said | fields))


def labelled(text: str, **constraints: Any) -> Request:
    return Request(messages=[{"role": "user", "content": text}], constraints=Constraints(**constraints))


CACHE_HIT = CacheUse(layer="exact", entry_id="0" * 16)


def _postgres_bin() -> Path | None:
    """Where the server's programs are; installed first where the test may do so."""
    for attempt in range(2):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
            Path(path) for path in [shutil.which("initdb")] if path
        ]
        if found:
            return found[-1].parent
        if attempt or os.geteuid() != 0 or shutil.which("apt-get") is None:
            return None
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "postgresql"]
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(install, env=environment, capture_output=True, timeout=300, check=False)
    return None


@pytest.fixture(scope="session")
def postgres_programs() -> Path:
    programs = _postgres_bin()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return programs


@pytest.fixture(scope="session")
def postgres(postgres_programs: Path) -> Iterator[str]:
    """URL of a server of its own, in a folder that goes away."""
    with PostgresServer.running(postgres_programs) as server:
        yield server.url


class PostgresServer:
    """A server on a free port of the loopback, its data in `folder`."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"postgresql://pointsman@127.0.0.1:{self._port}/postgres"
        self._is_running = False

    @classmethod
    @contextmanager
    def running(cls, programs: Path) -> Iterator[PostgresServer]:
        # Not pytest's folder: its path is too long for a socket's name, and root's alone.
        with tempfile.TemporaryDirectory(prefix="pm") as folder:
            server = cls(programs, Path(folder))
            server._run("initdb", "-D", "data", "-U", "pointsman", "-A", "trust", "-E", "UTF8", "--no-sync")
            server.start()
            try:
                yield server
            finally:
                server.stop()

    def start(self) -> None:
        options = f"-p {self._port} -h 127.0.0.1 -k {self._folder} -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", options, "start")
        self._is_running = True

    def stop(self) -> None:
        if self._is_running:
            self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
        self._is_running = False

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,  # pg_ctl's server would keep a pipe open
            stderr=subprocess.DEVNULL,
            timeout=60,
            **self._as_user,
        )


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without anything in it."""
    if request.param == "sqlite":
        return str(tmp_path / "log.db")
    server: str = request.getfixturevalue("postgres")
    return _fresh_database(server)


def _fresh_database(server: str) -> str:
    name = f"d{uuid.uuid4().hex}"
    engine = connect(database_url(server))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.rpartition("/")[0] + f"/{name}"


OpenStore = Callable[..., DecisionStore]


@pytest.fixture
def open_store(url: str) -> Iterator[OpenStore]:
    """Opens stores of that database, and closes them."""
    opened: list[DecisionStore] = []

    def open_one(**options: Any) -> DecisionStore:
        opened.append(
            DecisionStore(StoreOptions(url=url, flush_every_s=0.01, **options), clock=lambda: NOW_S)
        )
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()
