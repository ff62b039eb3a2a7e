"""A process killed while it writes: nothing corrupt, nothing false, nothing lost that was written."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from pointsman.cache.persistence import CacheFolder

from .crash_writer import PER_APPEND, answer_of, text_of

ROOT = Path(__file__).parents[2]
N_KILLS = 50


def killed_while_writing(path: Path, start: int, after_s: float) -> int:
    """Start a writer, kill it, and return the last number it said it had written."""
    command = [sys.executable, "-m", "tests.cache.crash_writer", str(path), str(start)]
    writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    with writer.stdout:
        assert writer.stdout.readline() == "ready\n"
        time.sleep(after_s)
        os.kill(writer.pid, signal.SIGKILL)
        lines = [line for line in writer.stdout.read().split("\n")[:-1] if line]
    assert writer.wait(10) == -signal.SIGKILL
    return int(lines[-1]) if lines else start


def test_fifty_kills_corrupt_nothing(tmp_path):
    path, written, draw = tmp_path / "cache", 0, random.Random(6)
    for _ in range(N_KILLS):
        written = killed_while_writing(path, written, draw.uniform(0.0, 0.04))
        folder = CacheFolder(path)
        assert folder.is_writable  # the dead process's lock is gone
        cache = folder.load(now_s=time.time(), max_bytes=1 << 28)
        folder.close()
        found = {entry.text: entry.answer for entry in cache.entries(limit=1_000_000)}
        known = {text_of(number): answer_of(number) for number in range(1, written + PER_APPEND + 1)}
        assert found.items() <= known.items()
        assert {text_of(number) for number in range(1, written + 1)} <= found.keys()
        written = len(found)
    assert written > N_KILLS
