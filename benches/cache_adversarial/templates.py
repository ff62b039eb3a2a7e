"""The template banks: their text format, and what a template is.

A bank is a plain text file `banks/LANGUAGE_*.txt` of blocks parted by blank lines:

    % a comment
    = country: name | of          a list; the columns after the first are used as `{x.of}`
    France | de la France

    # route; a <> b = city; n = 2..9
    How do I get from {a} to {b}?
    --
    ...

A header names the family, then the slots. `x = list` draws from a list, `x = red / blue` from what stands
there, `n = 5..90/5` from a range. `x! =` is the slot that a negative changes, `a <> b =` are two slots that
it swaps. Blocks parted by `--` are senses: same words around them, another question. The lines of one sense
are paraphrases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

BANKS = Path(__file__).parent / "banks"
RANGE = re.compile(r"(\d+)\.\.(\d+)(?:/(\d+))?")
SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
ENGLISH_ARTICLE = re.compile(r"\b([Aa]) (?=(?:8\d?|11|18)\b)")

Value = dict[str, str]
"""One value of a slot: column -> text. The first column is the value's name."""


@dataclass(frozen=True)
class Slot:
    """A gap in a template, and what can fill it."""

    name: str
    values: tuple[Value, ...]
    is_varied: bool = False


@dataclass(frozen=True)
class Template:
    """One question in several wordings (`senses[i]` are paraphrases) with gaps. Equal if the name is."""

    name: str
    language: str = field(compare=False)
    family: str = field(compare=False)
    half: str = field(compare=False)
    slots: tuple[Slot, ...] = field(compare=False)
    swapped: tuple[str, str] | None = field(compare=False)
    senses: tuple[tuple[str, ...], ...] = field(compare=False)

    def index(self, slot: str) -> int:
        """Where the slot of this name stands among the slots."""
        return [each.name for each in self.slots].index(slot)


@dataclass(frozen=True)
class Question:
    """A template with its gaps filled: what two texts must share to have the same answer."""

    template: Template
    sense: int
    filling: tuple[int, ...]
    """The number of each slot's value, slots in the template's order."""

    @property
    def values(self) -> dict[str, Value]:
        """Slot name -> value."""
        slots = self.template.slots
        return {slot.name: slot.values[number] for slot, number in zip(slots, self.filling, strict=True)}

    @property
    def n_forms(self) -> int:
        """How many wordings it has."""
        return len(self.template.senses[self.sense])

    def text(self, form: int) -> str:
        """The question in its wording number `form`, counted round the end."""
        values = self.values

        def fill(match: re.Match[str]) -> str:
            columns = values[match[1]]
            return columns[match[2]] if match[2] else next(iter(columns.values()))

        text = SLOT.sub(fill, self.template.senses[self.sense][form % self.n_forms])
        if self.template.language == "en":
            text = ENGLISH_ARTICLE.sub(r"\1n ", text)
        return text[0].upper() + text[1:]


class BankError(ValueError):
    """A bank has a line that cannot be read: names file, line and remedy."""


def load(language: str, folder: Path = BANKS) -> list[Template]:
    """The templates of one language, in file order; halves alternate within each family.

    Raises:
        BankError: a header, list or form is malformed.
    """
    lists: dict[str, tuple[Value, ...]] = {}
    templates: list[Template] = []
    blocks = [block for path in sorted(folder.glob(f"{language}_*.txt")) for block in _blocks(path)]
    for _, lines in blocks:
        if lines[0].startswith("="):
            lists.update(_read_lists(lines))
    for where, lines in blocks:
        if lines[0].startswith("#"):
            n_before = sum(t.family == _family_of(lines[0]) for t in templates)
            templates.append(_read_template(where, lines, lists, language, n_before))
        elif not lines[0].startswith("="):
            raise BankError(f"{where}: a block starts with {lines[0]!r}; start it with `#` or `=`")
    return templates


def load_lists(language: str, folder: Path = BANKS) -> dict[str, tuple[Value, ...]]:
    """The named lists of one language: name -> values."""
    lists: dict[str, tuple[Value, ...]] = {}
    for path in sorted(folder.glob(f"{language}_*.txt")):
        for _, lines in _blocks(path):
            if lines[0].startswith("="):
                lists.update(_read_lists(lines))
    return lists


def languages(folder: Path = BANKS) -> list[str]:
    """The languages that have banks, English first."""
    found = {path.name.split("_")[0] for path in folder.glob("*_*.txt")}
    return sorted(found, key=lambda language: (language != "en", language))


def _blocks(path: Path) -> list[tuple[str, list[str]]]:
    blocks = []
    n_line = 1
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        lines = [line.rstrip() for line in block.split("\n") if line.strip() and not line.startswith("%")]
        if lines:
            blocks.append((f"{path.name}:{n_line}", lines))
        n_line += block.count("\n") + 2
    return blocks


def _read_lists(lines: list[str]) -> dict[str, tuple[Value, ...]]:
    lists: dict[str, list[Value]] = {}
    for line in lines:
        if line.startswith("="):
            name, _, header = line[1:].partition(":")
            columns = [column.strip() for column in header.split("|")] if header else ["name"]
            rows = lists.setdefault(name.strip(), [])
        else:
            rows.append(dict(zip(columns, (cell.strip() for cell in line.split("|")), strict=True)))
    return {name: tuple(rows) for name, rows in lists.items()}


def _family_of(header: str) -> str:
    return header[1:].split(";")[0].strip()


def _read_template(
    where: str, lines: list[str], lists: dict[str, tuple[Value, ...]], language: str, n_before: int
) -> Template:
    family, *parts = (part.strip() for part in lines[0][1:].split(";"))
    slots: list[Slot] = []
    swapped = None
    for part in parts:
        left, _, right = part.partition("=")
        values = _values(right.strip(), lists)
        names = [name.strip() for name in left.split("<>")]
        if len(names) == 2:
            swapped = (names[0], names[1])
        slots += [Slot(name.rstrip("!"), values, name.endswith("!")) for name in names]
    senses: list[list[str]] = [[]]
    for line in lines[1:]:
        if line == "--":
            senses.append([])
        else:
            senses[-1].append(line)
    template = Template(
        name=f"{language}-{family}-{n_before + 1}",
        language=language,
        family=family,
        half="test" if n_before % 2 else "train",
        slots=tuple(slots),
        swapped=swapped,
        senses=tuple(tuple(sense) for sense in senses),
    )
    _check(where, template)
    return template


def _values(spec: str, lists: dict[str, tuple[Value, ...]]) -> tuple[Value, ...]:
    if match := RANGE.fullmatch(spec):
        numbers = range(int(match[1]), int(match[2]) + 1, int(match[3] or 1))
        return tuple({"name": str(number)} for number in numbers)
    return lists.get(spec) or tuple({"name": name.strip()} for name in spec.split(" / "))


def _check(where: str, template: Template) -> None:
    names = {slot.name for slot in template.slots}
    columns = {slot.name: set(slot.values[0]) for slot in template.slots}
    for slot in template.slots:
        if len(slot.values) < 2:
            got = [next(iter(value.values())) for value in slot.values]
            raise BankError(f"{where}: slot {slot.name!r} has one value, {got}; name a list or give two")
    for sense in template.senses:
        if len(sense) < 2:
            raise BankError(f"{where}: a sense has {len(sense)} form(s); give two paraphrases at least")
        for form in sense:
            used = SLOT.findall(form)
            missing = names ^ {name for name, _ in used}
            if missing:
                raise BankError(f"{where}: {sorted(missing)} not both in the header and in {form!r}")
            for name, column in used:
                if column and column not in columns[name]:
                    raise BankError(f"{where}: {name!r} has no column {column!r} in {form!r}")
