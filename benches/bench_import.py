"""How long `import pointsman` takes in a fresh interpreter, next to an empty one and to `import httpx`.

    python benches/bench_import.py [--n 20]

Wall milliseconds of the whole process, median [min-max].
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time

STATEMENTS = ["pass", "import pointsman", "from pointsman import Router", "import httpx", "import openai"]


def milliseconds(statement: str) -> float:
    started_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return (time.perf_counter() - started_s) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20)
    n = parser.parse_args().n
    print(f"Python {platform.python_version()}, {platform.processor() or platform.machine()}, n={n}")
    for statement in STATEMENTS:
        times = [milliseconds(statement) for _ in range(n + 1)][1:]  # the first fills the caches
        print(f"{statement:30s} {statistics.median(times):6.0f} ms [{min(times):.0f}-{max(times):.0f}]")


if __name__ == "__main__":
    main()
