"""A process whose children log decisions until they are killed; forked, as starting each afresh takes seconds.

    python -m tests.store.crash_writer

For each line `PATH FIRST_SEED` on standard input: a child's process id, then the last seed whose decision `flush`
said is written, again and again, then `dead`.
"""

import os
import sys

from pointsman.store.store import DecisionStore, StoreOptions

from ..native.conftest import NOW_S
from .conftest import served

PER_FLUSH = 20


def write(path: str, seed: int) -> None:
    store = DecisionStore(StoreOptions(url=path, flush_every_s=0.002))
    print(os.getpid(), flush=True)
    while True:
        for _ in range(PER_FLUSH):
            seed += 1
            store.log(served(at_s=NOW_S + seed, seed=seed))
        if store.flush():
            print(seed, flush=True)


def main() -> None:
    for line in sys.stdin:
        path, seed = line.rsplit(" ", 1)
        if (child := os.fork()) == 0:
            write(path, int(seed))
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
