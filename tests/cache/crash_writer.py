"""A process that writes a cache's folder until it is killed; prints what is surely on the disk.

    python -m tests.cache.crash_writer FOLDER START

Line by line: the number of the last entry that `append` has handed to the system. Every 7th append folds.
"""

import sys
import time
from pathlib import Path

from pointsman.cache.persistence import CacheFolder

PARTITION = bytes(16)
PER_APPEND = 5


def text_of(number: int) -> str:
    return f"What is the number after {number}?"


def answer_of(number: int) -> bytes:
    return f"{number + 1}".encode() * 20


def main(path: Path, start: int) -> None:
    folder = CacheFolder(path)
    cache = folder.load(now_s=time.time())
    assert folder.is_writable
    print("ready", flush=True)
    number = start
    for n_append in range(1_000_000):
        for _ in range(PER_APPEND):
            number += 1
            answer = answer_of(number)
            cache.insert(PARTITION, text_of(number), answer, now_s=time.time(), namespace="n")
        folder.append(cache)
        print(number, flush=True)
        if n_append % 7 == 6:
            folder.fold(cache)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
