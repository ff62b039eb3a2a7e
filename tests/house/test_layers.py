"""A layer that imports what the design forbids fails here."""

import ast
from pathlib import Path

import pointsman

PACKAGE = Path(pointsman.__file__).parent

# What each part may import, besides itself. `gateway, cli -> router -> execution, registry, cache -> providers, config,
# types, errors -> _native`.
GROUND = {"_native", "types", "errors", "files", "quick"}
INSIDE = GROUND | {
    "config", "protocols", "providers", "registry", "execution", "cache", "signals", "store", "observe", "learning",
    "spend", "keys",
}  # fmt: skip
MAY_IMPORT = {
    "files": set(),
    "quick": set(),
    "types": {"_native", "quick"},
    "errors": {"_native", "types"},
    "config": GROUND,
    "protocols": GROUND,
    "providers": GROUND | {"protocols"},
    "registry": GROUND | {"config", "providers"},
    "execution": GROUND | {"providers"},
    "cache": GROUND,
    "spend": GROUND,
    "keys": GROUND | {"spend"},
    "signals": GROUND | {"config"},
    "store": GROUND | {"config"},
    "observe": GROUND | {"config"},
    "learning": GROUND | {"config", "registry", "signals", "store"},
    "simulate": GROUND | {"config", "providers"},
    "router": INSIDE,
    "gateway": INSIDE | {"router"},
    "cli": INSIDE | {"router", "gateway", "simulate"},
    "__main__": {"cli"},
}
OUTSIDE = {
    "starlette": {"gateway", "cli"},
    "uvicorn": {"gateway", "cli"},
    "typer": {"cli"},
    "rich": {"cli"},
    "pydantic": {"config", "simulate"},
    "numpy": {"learning", "cli"},
    "pyarrow": {"learning", "store"},
    "matplotlib": {"learning"},
    "yaml": {"config", "cli", "gateway"},
    "pyreqwest": {"providers"},
    "httpx": {"providers", "cli"},
    "prometheus_client": {"observe"},
    "opentelemetry": {"observe"},
    "sqlalchemy": {"store"},
}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def test_no_part_imports_what_the_design_forbids():
    parts = {part_of(path) for path in modules()}
    wrong = []
    for path in modules():
        part = part_of(path)
        for name in imports_of(path):
            head, *rest = name.split(".")
            imported = rest[0] if head == "pointsman" and rest else None
            if imported in parts | {"_native"} and imported not in MAY_IMPORT[part] | {part}:
                wrong.append(f"{path.relative_to(PACKAGE)} imports pointsman.{imported}")
    assert not wrong


def test_outside_packages_stay_in_their_part():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in modules()
        for name in imports_of(path)
        if part_of(path) not in OUTSIDE.get(name.split(".")[0], {part_of(path)})
    ]
    assert not wrong


def test_every_part_has_a_rule():
    assert {part_of(path) for path in modules()} <= set(MAY_IMPORT)
