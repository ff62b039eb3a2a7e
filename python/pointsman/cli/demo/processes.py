"""The demo's child processes: started, waited for, and ended whatever happens to the demo."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STOP_TIMEOUT_S = 5.0
_POLL_S = 0.05
_LOG_TAIL_CHARACTERS = 1500


class ChildFailed(Exception):
    """A child did not start, or ended; the message holds the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child and the file that takes its output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """What it has printed so far, standard output and error together."""
        return self.log.read_text(errors="replace")

    def failed(self, what: str) -> ChildFailed:
        """The error that says `what` went wrong, with the end of the output."""
        return ChildFailed(f"{self.name} {what}:\n{self.output()[-_LOG_TAIL_CHARACTERS:]}")


class Children:
    """All children of one demo. Leaving the context ends them, the last started first."""

    def __init__(self) -> None:
        self._started: list[Child] = []
        self._scratch = tempfile.TemporaryDirectory(prefix="pointsman-demo-")
        self.directory = Path(self._scratch.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # All are told before any is waited for: a second Ctrl-C may cut the waiting short, not the telling.
        for child in reversed(self._started):
            _tell_to_stop(child)
        for child in reversed(self._started):
            _see_it_stop(child)
        self._started.clear()
        self._scratch.cleanup()

    def start(self, name: str, command: Sequence[str]) -> Child:
        """Start `command`; its standard input stays open as long as the demo lives."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as file:
            # A session of its own: Ctrl-C reaches the demo alone, which then ends its children in order.
            process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                command, stdin=subprocess.PIPE, stdout=file, stderr=file, start_new_session=True
            )
        child = Child(name, process, log)
        self._started.append(child)
        return child


def simulate_command(script: Path) -> list[str]:
    """The command that serves simulated providers on any free port, as long as its parent lives."""
    options = ["--port", "0", "--json", "--with-parent"]
    return [sys.executable, "-m", "pointsman", "simulate", str(script), *options]


def serve_command(config: str | Path, port: int) -> list[str]:
    """The command that serves a config as gateway, as long as its parent lives."""
    options = ["--config", str(config), "--port", str(port), "--with-parent"]
    return [sys.executable, "-m", "pointsman", "serve", *options]


def wait_until_ready(child: Child, url: str, timeout_s: float) -> None:
    """Wait until `url` answers 200.

    Raises:
        ChildFailed: The child ended, or the time is over.
    """
    ends_s = time.monotonic() + timeout_s
    while time.monotonic() < ends_s:
        if child.process.poll() is not None:
            raise child.failed(f"ended with status {child.process.returncode}")
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=2, trust_env=False).status_code == 200:
                return
        time.sleep(_POLL_S)
    raise child.failed(f"did not answer at {url} within {timeout_s:.0f} s")


def wait_for_line(child: Child, timeout_s: float) -> str:
    """The first line the child prints.

    Raises:
        ChildFailed: The child ended, or the time is over.
    """
    ends_s = time.monotonic() + timeout_s
    while time.monotonic() < ends_s:
        line, end, _ = child.output().partition("\n")
        if end:
            return line
        if child.process.poll() is not None:
            raise child.failed(f"ended with status {child.process.returncode}")
        time.sleep(_POLL_S)
    raise child.failed(f"printed nothing within {timeout_s:.0f} s")


def _tell_to_stop(child: Child) -> None:
    with contextlib.suppress(OSError):
        if child.process.stdin:
            child.process.stdin.close()
    if child.process.poll() is None:
        child.process.terminate()


def _see_it_stop(child: Child) -> None:
    try:
        child.process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()


def free_port(wanted: int = 0) -> int:
    """`wanted` if it is free on 127.0.0.1, else any port that is."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as probe:
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


@contextlib.contextmanager
def signals_as_exit() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the program as an exception does, so that the children are ended too.

    A signal that is ignored (nohup) stays ignored.
    """

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    numbers = [signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
