"""Compose labelled requests from hand-written banks: `corpus/composed.jsonl.gz`.

    python tools/axes/compose.py [--count 14000] [--seed 7] [--out FILE] [--check]

The labels follow from the parts. A template line in a bank starts with three letters: complexity (`l`, `g`,
`r`), domain (`c m l d f s g`, `d` is medical; `?` takes the domain of the subject drawn) and structure (`t
j s c l`). What is put around it may change structure (an output format) or latency (words, a deadline, a
tier), nothing else. Same seed, same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TARGET = HERE / "corpus" / "composed.jsonl.gz"

COMPLEXITY = {"l": "lookup", "g": "generation", "r": "reasoning"}
DOMAIN = {
    "c": "code", "m": "math", "l": "legal", "d": "medical", "f": "finance", "s": "science", "g": "general",
}  # fmt: skip
STRUCTURE = {"t": "text", "j": "json", "s": "sql", "c": "code", "l": "label"}

DOMAIN_WEIGHTS = {"c": 22, "m": 11, "l": 12, "d": 12, "f": 13, "s": 11, "g": 24}
SECTION_WEIGHTS = {"lookup": 22, "label": 14, "generation": 29, "reasoning": 23, "docq": 18, "trap": 5}
LANGUAGE_WEIGHTS = {
    "de": 5, "fr": 4, "es": 4, "pt": 3, "it": 3, "nl": 2, "pl": 2, "ru": 3, "zh": 4, "ja": 4, "ko": 2,
    "tr": 2, "ar": 2, "sv": 1, "hi": 1, "vi": 1,
}  # fmt: skip
# How often a template of the domain itself is taken when there are also general ones.
OWN_SHARE = {"c": 0.82, "m": 0.7, "l": 0.66, "d": 0.66, "f": 0.66, "s": 0.66, "g": 0.75}
SHARE_OTHER_LANGUAGES = 0.24
SHARE_BATCH = 0.12

SLOT = re.compile(r"\{(?:n:(\d+)-(\d+)|([a-z0-9_.]+|[a-z]+[A-Z]))\}")
TEMPLATE = re.compile(r"^([lgr])([cmldfsg?])([tjscl]) (.+)$")
TOOLS = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]
JSON_FORMATS: list[dict[str, Any]] = [
    {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "out", "schema": {"type": "object"}}},
]

Request = dict[str, Any]


def load_banks() -> dict[str, list[str]]:
    """Every section of every bank; a line without a template's letters is split at `;;`."""
    banks: dict[str, list[str]] = {}
    for path in sorted((HERE / "banks").glob("*.txt")):
        section: list[str] = []
        for raw in path.read_text("utf-8").splitlines():
            line = raw.replace("\\n", "\n")
            if raw.startswith("[") and raw.endswith("]") and ";;" not in raw and " " not in raw:
                section = banks.setdefault(raw[1:-1], [])
            elif TEMPLATE.match(raw) or path.stem == "documents":
                section.append(line)
            elif raw:
                section.extend(line.split(";;"))
    return banks


class Composer:
    """Draws requests from the banks with one generator of random numbers."""

    def __init__(self, banks: dict[str, list[str]], seed: int) -> None:
        self.banks = banks
        self.random = random.Random(seed)

    def pick(self, section: str) -> str:
        """A random entry of a section, its slots not yet filled."""
        return self.random.choice(self.banks[section])

    def chance(self, share: float) -> bool:
        """True in that share of calls."""
        return self.random.random() < share

    def weighted(self, weights: dict[str, int]) -> str:
        """A key drawn in proportion to its weight."""
        return self.random.choices(list(weights), list(weights.values()))[0]

    def fill(self, text: str, domain: str, language: str = "en") -> str:
        """Fill the slots, and theirs, to the end."""

        def one(match: re.Match[str]) -> str:
            if match[1]:
                return str(self.random.randint(int(match[1]), int(match[2])))
            name = match[3]
            if name == "anysubject":
                name = "subject." + self.random.choice(list(DOMAIN.values()))
            elif name == "subject":
                name = ("" if language == "en" else f"{language}.") + f"subject.{DOMAIN[domain]}"
            if name not in self.banks:
                return match[0]  # braces that belong to the text, such as JSON or code
            return self.fill(self.pick(name), domain, language)

        return SLOT.sub(one, text)

    def template(self, section: str, domain: str) -> re.Match[str]:
        """A template of the section for the domain; its own ones are preferred to those of any domain."""
        parsed = [m for m in map(TEMPLATE.match, (t.replace("\n", "\\n") for t in self.banks[section])) if m]
        own = [m for m in parsed if m[2] == domain]
        shared = [m for m in parsed if m[2] == "?"]
        pool = own if own and (not shared or self.chance(OWN_SHARE[domain])) else shared or parsed
        return self.random.choice(pool)

    def base(self) -> tuple[str, list[str], dict[str, str], str]:
        """One request without its wrapping: (instruction, data or nothing, labels, language)."""
        domain = self.weighted(DOMAIN_WEIGHTS)
        language = self.weighted(LANGUAGE_WEIGHTS) if self.chance(SHARE_OTHER_LANGUAGES) else "en"
        section = self.weighted(SECTION_WEIGHTS) if language == "en" else f"{language}.t"
        match = self.template(section, domain)
        domain = domain if match[2] == "?" else match[2]
        text = self.fill(match[4].replace("\\n", "\n"), domain, language)
        labels = {
            "complexity": COMPLEXITY[match[1]],
            "domain": DOMAIN[domain],
            "structure": STRUCTURE[match[3]],
            "latency": "interactive",
        }
        data: list[str] = []
        if section == "docq":
            data = [self.fill(self.pick(f"doc.{DOMAIN[domain]}"), domain)]
        elif section == "label" and match[1] == "l" and "\n" in text:
            text, _, rest = text.partition("\n")
            data = [rest]
        return text, data, labels, language

    def noise(self, text: str) -> str:
        """Typing as people do it: no capitals, no full stop, a swapped or a lost letter."""
        if self.chance(0.6):
            text = text[:1].lower() + text[1:]
        if self.chance(0.4):
            text = text.rstrip(".?!")
        if self.chance(0.4) and len(text) > 12:
            at = self.random.randrange(4, len(text) - 2)
            if text[at : at + 2].isalpha():
                text = text[:at] + text[at + 1] + (text[at] if self.chance(0.6) else "") + text[at + 2 :]
        return text

    def join(self, text: str, data: list[str], labels: dict[str, str]) -> list[dict[str, str]]:
        """The messages that carry an instruction and its data."""
        if not data:
            return [{"role": "user", "content": text}]
        if self.chance(0.25):
            return [{"role": "system", "content": text}, {"role": "user", "content": data[0]}]
        if labels["structure"] == "label" and self.chance(0.7):
            return [{"role": "user", "content": f"{text}\n{data[0]}"}]
        frame = self.pick("rag")
        return [{"role": "user", "content": frame.replace("{doc}", data[0]).replace("{q}", text)}]

    def format(self, text: str, labels: dict[str, str], request: Request) -> str:
        """Now and then ask for another form of the answer, and label it so."""
        plain = labels["structure"] == "text"
        if plain and self.chance(0.06):
            text = text.rstrip() + self.fill(self.pick("onejson"), "g")
            labels["structure"] = "json"
        elif plain and labels["complexity"] == "lookup" and self.chance(0.06):
            text = text.rstrip() + self.pick("onelabel")
            labels["structure"] = "label"
        if self.chance(0.2 if labels["structure"] == "json" else 0.01 if plain else 0.0):
            request["response_format"] = self.random.choice(JSON_FORMATS)
            labels["structure"] = "json"
        return text

    def batch(self, text: str, language: str, request: Request) -> str:
        """Say in words, by a deadline or by a tier that nobody is waiting."""
        way = self.random.random()
        if way < 0.2:
            request["deadline_s"] = self.random.choice([600, 900, 3600, 14400, 43200, 86400])
        elif way < 0.35:
            request["service_tier"] = self.random.choice(["flex", "batch"])
        elif language != "en":
            text = self.fill(self.pick(f"{language}.batch"), "g") + text
        elif self.chance(0.7):
            text = self.fill(self.pick("batch"), "g") + text
        else:
            text += self.fill(self.pick("batch.after"), "g")
        return text

    def turns(self, messages: list[dict[str, str]], language: str) -> list[dict[str, str]]:
        """Put the request into a conversation: confirmed by a bare yes, or after another matter."""
        if self.chance(0.5):
            yes = self.pick("yes" if language == "en" else f"{language}.yes")
            asked = {"role": "assistant", "content": self.pick("ask")}
            return [*messages, asked, {"role": "user", "content": yes}]
        text, data, labels, spoken = self.base()
        earlier = self.join(text, data, labels)
        if (
            language != "en"
            or spoken != "en"
            or earlier[0]["role"] == "system"
            or messages[0]["role"] == "system"
        ):
            return messages
        messages[0]["content"] = self.pick("switch") + messages[0]["content"]
        return [*earlier, {"role": "assistant", "content": self.pick("done")}, *messages]

    def request(self) -> Request:
        """One labelled request."""
        text, data, labels, language = self.base()
        request: Request = {}
        if language == "en":
            text = self.format(text, labels, request)
            if self.chance(0.2):
                text = self.pick("prefix") + text
            if self.chance(0.14) and not data:
                text += self.pick("suffix")
            if self.chance(0.15) and not data:
                text = self.noise(text)
        if self.chance(SHARE_BATCH):
            labels["latency"] = "batch"
            text = self.batch(text, language, request)
        elif self.chance(0.1):
            key, value = self.random.choice(
                [
                    ("stream", True),
                    ("stream", True),
                    ("deadline_s", 5),
                    ("deadline_s", 60),
                    ("service_tier", "default"),
                ]
            )
            request[key] = value
        messages = self.join(text, data, labels)
        if messages[0]["role"] == "user" and self.chance(0.22):
            own = self.pick("system." + labels["domain"])
            said = own if self.chance(0.6) else self.pick("system")
            messages = [{"role": "system", "content": said}, *messages]
        if labels["latency"] == "interactive" and self.chance(0.09):
            messages = self.turns(messages, language)
        if self.chance(0.03):
            messages[-1]["content"] = self.pick("reminder") + messages[-1]["content"]
        if self.chance(0.02) and labels["structure"] == "text":
            request["tools"] = TOOLS
        return {"messages": messages, **request, "labels": labels, "lang": language, "origin": "composed"}


def compose(count: int, seed: int) -> list[Request]:
    """That many different requests."""
    composer = Composer(load_banks(), seed)
    seen: set[str] = set()
    requests: list[Request] = []
    while len(requests) < count:
        request = composer.request()
        key = json.dumps(request["messages"])
        if key not in seen:
            seen.add(key)
            requests.append(request)
    return requests


def encode(requests: list[Request]) -> bytes:
    """JSON lines, gzipped without a time stamp."""
    lines = "".join(json.dumps(request, ensure_ascii=False) + "\n" for request in requests)
    return gzip.compress(lines.encode(), compresslevel=9, mtime=0)


def main() -> int:
    """Write the corpus, or check that the committed one is what the banks give."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=14000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    requests = compose(options.count, options.seed)
    if options.check:
        with gzip.open(options.out, "rt", encoding="utf-8") as lines:
            same = [json.loads(line) for line in lines] == requests
        print("the banks give the committed corpus" if same else f"{options.out} is stale: run compose.py")
        return 0 if same else 1
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_bytes(encode(requests))
    print(f"{options.out}: {len(requests)} requests, {options.out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
