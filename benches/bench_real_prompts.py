"""A decision of real prompts of 1 KB: `python benches/bench_real_prompts.py [FOLDER]`.

`pointsman bench decide` makes its prompts of few words, which a thread soon remembers; people use more. The
folder holds the public prompts of routing benchmarks (`*/prompts.parquet`); each is cut to 1 KB, shorter ones
are joined, none comes twice. 32 deployments, one thread, no cache, after a warm-up of a tenth.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import orjson
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benches.harness import ROOT, facts

from pointsman import _native
from pointsman.cli.bench import NOW_S, ask, catalog_document

N_BYTES = 1024
N_DEPLOYMENTS = 32
FOLDER = ROOT.parent / "shared" / "data" / "routing"


def prompts(folder: Path) -> list[str]:
    """Prompts of 1 KB: long ones cut, short ones joined by lines, in the order of the files."""
    texts = [text for path in sorted(folder.glob("*/prompts.parquet")) for text in column(path)]
    cut: list[str] = []
    joined = ""
    for text in dict.fromkeys(texts):
        joined = f"{joined}\n{text}" if joined else text
        if len(joined.encode()) >= N_BYTES:
            cut.append(joined.encode()[:N_BYTES].decode(errors="ignore"))
            joined = ""
    return cut


def column(path: Path) -> list[str]:
    """The column of prompts, whatever its name."""
    table = pq.read_table(path)
    name = next(name for name in ("prompt", "query", "text") if name in table.column_names)
    return [str(text) for text in table.column(name).to_pylist()]


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    texts = prompts(folder)
    if not texts:
        print(f"bench_real_prompts: skipped, no */prompts.parquet in {folder}")
        return
    core = _native.Core(_native.Catalog.from_json(orjson.dumps(catalog_document(N_DEPLOYMENTS))))
    n_warm = len(texts) // 10
    for text in texts[:n_warm]:
        core.decide(ask(text), now_s=NOW_S, seed=0)
    requests = [ask(text) for text in texts[n_warm:]]
    taken = []
    for seed, request in enumerate(requests):
        start = time.perf_counter_ns()
        core.decide(request, now_s=NOW_S, seed=seed)
        taken.append((time.perf_counter_ns() - start) / 1000)
    taken.sort()
    start = time.perf_counter()
    core.decide_many(requests[:1000], now_s=NOW_S, seed=0)
    per_second = len(requests[:1000]) / (time.perf_counter() - start)
    print(*(f"{name}: {value}" for name, value in facts(["pointsman"]).items()), sep="\n")
    percentiles = "  ".join(f"p{q} {taken[len(taken) * q // 100]:.1f}" for q in (50, 90, 99))
    print(f"{len(requests)} real prompts of 1 KB, {N_DEPLOYMENTS} deployments:")
    print(f"{percentiles} us; decide_many {per_second:,.0f}/s")


if __name__ == "__main__":
    main()
