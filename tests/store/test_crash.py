"""A process killed while it writes: nothing corrupt, and nothing lost that was said to be written."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from pointsman.store.rows import decision_rows

from ..native.conftest import NOW_S

ROOT = Path(__file__).parents[2]
N_KILLS, A_CHILD = 50, 1_000_000


def killed_while_writing(parent, path: Path, first_seed: int, after_s: float, *, has_written: bool) -> int:
    """The last seed that a child, killed after a while (since it had written something), said it had written."""
    parent.stdin.write(f"{path} {first_seed}\n")
    parent.stdin.flush()
    child = int(parent.stdout.readline())
    lines = [parent.stdout.readline()] if has_written else []
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    # What a child was writing when it was killed may stand before the word.
    while not (line := parent.stdout.readline()).endswith("dead\n"):
        assert line, "the parent has ended"
        lines.append(line)
    return int(lines[-1]) if lines else first_seed


def test_fifty_kills_corrupt_nothing_and_lose_only_what_was_not_flushed(tmp_path):
    path, draw, promised = tmp_path / "log.db", random.Random(4), set()
    command = [sys.executable, "-m", "tests.store.crash_writer"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        for child in range(1, N_KILLS + 1):
            first = child * A_CHILD
            after_s, has_written = draw.uniform(0.0, 0.03), child % 3 > 0
            last = killed_while_writing(parent, path, first, after_s, has_written=has_written)
            promised |= set(range(first + 1, last + 1))
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    found = [round(row["decided_at_s"] - NOW_S) for row in decision_rows(path)]
    assert len(found) == len(set(found))
    assert promised <= set(found)
    assert len(promised) > N_KILLS
    written = defaultdict(list)
    for seed in found:
        written[seed // A_CHILD].append(seed % A_CHILD)
    # What a killed process lost is its end, without a hole before it.
    assert all(sorted(seeds) == list(range(1, len(seeds) + 1)) for seeds in written.values())
