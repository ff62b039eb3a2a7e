"""Instructions of each stage of a decision: `python benches/callgrind.py [--record | --compare]`.

Runs `rust/pointsman-core/benches/stages.rs` (prompts never seen before, 32 deployments) under valgrind's
callgrind at 200 B, 1 KB and 32 KB, and again after 2,000 graded answers, and adds up what each stage's
function and all that it calls executed, per decision. Counts hardly vary between runs and machines of one
kind, so they tell a change of a few per cent where times do not.
`--record` writes `benches/callgrind.json`, `--compare` prints ratios to it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "benches" / "callgrind.json"
SIZES = {200: 200, 1024: 200, 32 * 1024: 40}
# A stage is the calls of functions whose name matches, wherever they are called from.
STAGES = {
    "plain words": r"plain_words::PlainWords::(cut|find|look_up|learn)$",
    "text pass: counts": r"text::TextStats::(of|read)$",
    "text pass: cues": r"markers::search::Search::find$",
    "tokens": r"tokens::Counter::(count|count_whole)$",
    "embedding": r"embed::Embedding::embed_(window|anew)$",
    "n-grams": r"grams::(reader::Reader::read|words::Words::read_window)$",
    "heads": r"classify::classify$",
    "beliefs": r"router::Table::believe$",
    "policy": r"policy::.*(predict|reject|choose)$",
    "record": r"::to_json$",
    "decide, whole": r"router::Router::decide(::<.*>)?$",
}
# The same after so many graded answers.
N_GRADED = 2000
TRAINED = {
    "neighbours, trained": r"quality::neighbours::Neighbours::support_into$",
    "beliefs, trained": STAGES["beliefs"],
    "decide, trained": STAGES["decide, whole"],
}


def build() -> Path:
    """The stages bench with its symbols; its own profile settings, so that no other build is disturbed."""
    environment = {
        **os.environ,
        "CARGO_PROFILE_BENCH_STRIP": "none",
        "CARGO_PROFILE_BENCH_DEBUG": "line-tables-only",
    }
    command = ["cargo", "bench", "--locked", "-p", "pointsman-core", "--bench", "stages", "--no-run"]
    command += ["--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    return Path(next(m["executable"] for m in messages if m.get("executable")))


def measure(program: Path, n_bytes: int, n_prompts: int) -> dict[str, int]:
    """Instructions a decision, by stage, untrained and trained."""
    untrained = profile(program, STAGES, n_bytes, n_prompts, 0)
    return untrained | profile(program, TRAINED, n_bytes, n_prompts, N_GRADED)


def profile(program: Path, stages: dict[str, str], *arguments: int) -> dict[str, int]:
    """Instructions a decision, by stage; the arguments are those of the program."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no"]
        command += ["--toggle-collect=stages::measured*", str(program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True)
        calls = inclusive(out.read_text())
    n_prompts = arguments[1]
    counts = {stage: round(total(pattern, calls) / n_prompts) for stage, pattern in stages.items()}
    for stage, count in counts.items():
        if count == 0:
            sys.exit(f"callgrind: {stage!r} executed nothing: mend its name, {stages[stage]!r}")
    return counts


def total(pattern: str, calls: dict[tuple[str, str], int]) -> int:
    """What the calls into a stage from outside of it cost."""
    stage = re.compile(pattern)
    entries = ((cost, caller, callee) for (caller, callee), cost in calls.items())
    return sum(cost for cost, caller, callee in entries if stage.search(callee) and not stage.search(caller))


def inclusive(text: str) -> dict[tuple[str, str], int]:
    """Instructions by (caller, callee), from a callgrind file: names are given once and numbered after."""
    names: dict[str, str] = {}
    calls: dict[tuple[str, str], int] = defaultdict(int)
    caller = callee = ""
    is_call = False
    for line in text.splitlines():
        if line.startswith(("fn=", "cfn=")):
            number, _, name = line.partition("=")[2].partition(" ")
            name = names.setdefault(number, plain(name))
            caller, callee = (name, callee) if line.startswith("fn=") else (caller, name)
        elif line.startswith("calls="):
            is_call = True
        elif is_call:
            calls[caller, callee] += int(line.split()[1])
            is_call = False
    return calls


def plain(name: str) -> str:
    """`pointsman_core::record::<impl Decision>::to_json` without crate and generics."""
    return re.sub(r"'\d+$", "", name.replace("pointsman_core::", ""))


def facts() -> dict[str, str]:
    def say(*command: str) -> str:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    return {
        "commit": say("git", "describe", "--always", "--dirty"),
        "toolchain": say("rustc", "--version"),
        "valgrind": say("valgrind", "--version"),
    }


def show(table: dict[str, dict[str, int]], before: dict[str, dict[str, int]] | None) -> None:
    print(f"{'instructions a decision':<24}" + "".join(f"{f'{size} B':>22}" for size in table))
    for stage in STAGES | TRAINED:
        cells = []
        for size, counts in table.items():
            old = before[size].get(stage) if before else None
            ratio = f" x{counts[stage] / old:.3f}" if old else ""
            cells.append(f"{counts[stage]:,}{ratio}")
        print(f"{stage:<24}" + "".join(f"{cell:>22}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help=f"write {TABLE.name}")
    parser.add_argument("--compare", action="store_true", help=f"print ratios to {TABLE.name}")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("callgrind: valgrind is not installed; apt-get install valgrind")
    program = build()
    table = {str(size): measure(program, size, n_prompts) for size, n_prompts in SIZES.items()}
    recorded = json.loads(TABLE.read_text()) if arguments.compare else None
    if recorded:
        print("compared with " + ", ".join(f"{name} {value}" for name, value in recorded["facts"].items()))
    show(table, recorded and recorded["instructions"])
    if arguments.record:
        TABLE.write_text(json.dumps({"facts": facts(), "instructions": table}, indent=2) + "\n")


if __name__ == "__main__":
    main()
