"""Write the distinct texts of the cache's data, one a line, for `make bench-cache`: DATA_FOLDER OUT.txt."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

#: Which columns of which file are texts.
COLUMNS = {"pairs_qqp.jsonl.gz": 2, "stream_20.jsonl.gz": 1}


def questions(folder: Path) -> list[str]:
    """Every distinct text, in the order of the files; none where a file is missing."""
    seen: dict[str, None] = {}
    for name, n_columns in COLUMNS.items():
        if not (folder / name).exists():
            return []
        with gzip.open(folder / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                for text in json.loads(line)[:n_columns]:
                    seen.setdefault(" ".join(text.split()))
    return list(seen)


if __name__ == "__main__":
    found = questions(Path(sys.argv[1]))
    if found:
        Path(sys.argv[2]).write_text("\n".join(found), encoding="utf-8")
        sys.stdout.write(sys.argv[2])
    else:
        sys.stderr.write(f"no questions in {sys.argv[1]}: skipped\n")
