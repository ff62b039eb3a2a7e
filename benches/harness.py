"""What the end-to-end benches share: pinned processes, their CPU time, and the facts of the machine."""

from __future__ import annotations

import contextlib
import http.client
import importlib.metadata
import os
import platform
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
SERVER_CORE = 0
LOAD_CORE = 1
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Served:
    """A running server."""

    name: str
    port: int
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds (user + system) the process and its children have used."""
        return sum(_cpu_s(pid) for pid in _tree(self.pid))

    def resident_mb(self) -> float:
        """Resident memory of the process and its children, MB."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in _tree(self.pid))
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _tree(pid: int) -> list[int]:
    children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [pid, *(grandchild for child in children.split() for grandchild in _tree(int(child)))]


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve(
    name: str,
    command: Sequence[str],
    *,
    port: int,
    core: int,
    ready_path: str | None = "/health",
    env: Mapping[str, str] | None = None,
    start_timeout_s: float = 30.0,
) -> Iterator[Served]:
    """Run `command` pinned to `core` until the block ends; yields once `ready_path` answers 200.

    With `ready_path=None` an accepted connection is enough.
    """
    with tempfile.TemporaryFile() as log:
        own_cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})  # inherited by the child and all its threads
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env={**os.environ, **(env or {})}
            )
        finally:
            os.sched_setaffinity(0, own_cores)
        try:
            _wait_until_ready(name, process, port, ready_path, start_timeout_s, log)
            yield Served(name, port, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(name, process, port, ready_path, timeout_s, log) -> None:
    ends_s = time.monotonic() + timeout_s
    while time.monotonic() < ends_s:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ready_path is None:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", ready_path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.05)
    log.seek(0)
    said = log.read().decode(errors="replace")[-2000:]
    raise SystemExit(f"{name} did not get ready on port {port} (exit status {process.poll()}):\n{said}")


def spread(values: Sequence[float], digits: int = 0) -> str:
    """`median [min-max]` of the rounds."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} [{low:,.{digits}f}-{high:,.{digits}f}]"


def facts(packages: Sequence[str]) -> dict[str, str]:
    """The machine, the commit and the versions that a figure belongs to."""
    versions = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "commit": _commit(),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = " with uncommitted changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed
