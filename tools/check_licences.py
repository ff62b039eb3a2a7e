"""Checks that every crate and package we depend on has a permissive licence; exit status 1 if one has not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata

PERMISSIVE = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0",
    "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unicode-3.0", "Unlicense", "Zlib",
}  # fmt: skip
# Old-style metadata that says the same in other words.
SPELLINGS = {
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}

# Packages whose metadata names no licence; what their licence file says.
READ_BY_HAND = {"pyreqwest": "Apache-2.0"}


def crates() -> dict[str, str]:
    """Licence expression of every crate in Cargo.lock."""
    text = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked"], check=True, capture_output=True, text=True
    ).stdout
    return {f"crate {each['name']}": each["license"] or "none" for each in json.loads(text)["packages"]}


def packages() -> dict[str, str]:
    """Licence expression of every package the wheel needs, followed from its own metadata."""
    found: dict[str, str] = {}
    waiting = ["pointsman"]
    while waiting:
        name = waiting.pop()
        if f"package {name}" in found:
            continue
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # needed on another platform only
        classifiers = about.get_all("Classifier", [])
        classified = [each.rsplit(" :: ", 1)[1] for each in classifiers if each.startswith("License ::")]
        stated = about.get("License-Expression") or " AND ".join(classified) or about.get("License")
        stated = stated or READ_BY_HAND.get(name, "none")
        found[f"package {name}"] = stated
        for requirement in metadata.requires(name) or []:
            is_ours = name == "pointsman" or "extra ==" not in requirement
            if is_ours:
                waiting.append(re.split(r"[ ;<>=!~\[(]", requirement, maxsplit=1)[0].lower())
    return found


def is_permissive(expression: str) -> bool:
    """Whether an SPDX expression can be met with permissive licences alone."""
    expression = SPELLINGS.get(expression, expression).replace("/", " OR ")
    if expression in PERMISSIVE:
        return True
    if " OR " in expression:
        return any(is_permissive(part.strip("() ")) for part in expression.split(" OR "))
    parts = [part.strip("() ") for part in expression.split(" AND ")]
    return len(parts) > 1 and all(is_permissive(part) for part in parts)


def main() -> int:
    """Print what is not permissive, and how many were looked at."""
    licences = crates() | packages()
    refused = {name: licence for name, licence in licences.items() if not is_permissive(licence)}
    for name, licence in sorted(refused.items()):
        print(f"{name}: licence {licence!r} is not on the permissive list; do without it")
    print(f"{len(licences)} licences checked, {len(refused)} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
