"""Children are ended whatever happens, and say why they failed."""

from __future__ import annotations

import signal
import socket
import sys

import pytest

from pointsman.cli.demo import processes
from pointsman.cli.demo.processes import (
    ChildFailed,
    Children,
    free_port,
    signals_as_exit,
    wait_for_line,
    wait_until_ready,
)

UNTIL_STDIN_CLOSES = "import sys; print('up', flush=True); sys.stdin.read()"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_leaving_ends_all_children_and_their_directory():
    with Children() as children:
        started = [children.start(f"child-{i}", [sys.executable, "-c", UNTIL_STDIN_CLOSES]) for i in range(2)]
        assert [wait_for_line(child, 10) for child in started] == ["up", "up"]
    assert all(child.process.poll() is not None for child in started)
    assert not children.directory.exists()


def test_error_ends_the_children_too():
    started = []

    def break_down():
        with Children() as children:
            started.append(children.start("child", [sys.executable, "-c", UNTIL_STDIN_CLOSES]))
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        break_down()
    assert started[0].process.poll() is not None


def test_child_that_ignores_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.05)
    with Children() as children:
        child = children.start("stubborn", [sys.executable, "-c", STUBBORN])
        wait_for_line(child, 10)
    assert child.process.returncode == -signal.SIGKILL


def test_sigterm_leaves_as_an_exception():
    with pytest.raises(SystemExit) as left, signals_as_exit():
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_child_that_ends_early_is_told_with_its_output():
    command = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    with Children() as children, pytest.raises(ChildFailed, match=r"(?s)ended with status 1.*no such model"):
        wait_until_ready(children.start("broken", command), f"http://127.0.0.1:{free_port()}/", 10)


def test_child_that_never_answers_is_told():
    with Children() as children:
        child = children.start("deaf", [sys.executable, "-c", UNTIL_STDIN_CLOSES])
        with pytest.raises(ChildFailed, match="did not answer at"):
            wait_until_ready(child, f"http://127.0.0.1:{free_port()}/", 0.1)


def test_free_port_is_the_wanted_one_unless_taken():
    wanted = free_port()
    assert free_port(wanted) == wanted
    with socket.create_server(("127.0.0.1", wanted)):
        assert free_port(wanted) != wanted
