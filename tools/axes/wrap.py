"""Put written prompts into the settings they occur in: under system prompts, and as turns of a conversation.

    python tools/axes/wrap.py [--check]      # writes corpus/wrapped.jsonl.gz; same banks, same bytes

From `banks/operators.txt` (system prompts that state a task, with inputs), `banks/personas.txt` (system
prompts that do not), `banks/followups.txt` (last turns that change or continue a task), `banks/words.txt`
(words that tell a domain in 17 languages), `banks/prompts.txt` (more written prompts), `banks/code.txt`
(parts of requests for code) and `corpus/written.jsonl`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TARGET = HERE / "corpus/wrapped.jsonl.gz"
Request = dict[str, Any]

# What an assistant may have answered, by the form of the task; short, for what it says counts little.
ANSWERS = {
    "code": [
        "```python\ndef run(rows):\n    out = []\n    for row in rows:\n        out.append(row.strip())\n```",
        "Here is the code:\n\n```\nfunction main(items) {\n  return items.filter(Boolean);\n}\n```\n"
        "Any tests?",
    ],
    "sql": [
        "```sql\nSELECT name, count(*) FROM t GROUP BY name ORDER BY 2 DESC;\n```",
        "SELECT id, total FROM orders WHERE placed_at >= '2024-01-01';",
    ],
    "text": [
        "Sure. There are three points to consider: first the cause, then the effect, last what to "
        "do about it.",
        "Here you go. I kept it brief and friendly, as you asked.",
        "Gerne. Kurz gesagt kommt es auf den Zusammenhang an.",
    ],
    "json": ['{"name": "Ada", "items": [1, 2]}', '```json\n{"id": 7, "ok": true}\n```'],
    "label": ["positive", "B", "yes", "other"],
}
BARE = [
    "yes", "yes, do it", "ok go ahead", "sure, please", "go on", "continue", "do that", "ja bitte",
    "sí, adelante", "oui vas-y", "好的", "お願いします", "да, давай", "proceed", "yep", "sounds good",
]  # fmt: skip
TITLES = [
    "Generate a title for this conversation, six words at most.\n\nUser: {text}",
    "Write a concise title for the chat below.\n\nUser: {text}",
    "{text}\n\n---\nGive the conversation above a short title. Output the title only.",
    "Summarize the chat in 3-5 words to use as its title:\n<chat>\n{text}\n</chat>",
    "Create a concise, descriptive title with an emoji for the conversation.\n\nuser: {text}",
    "Suggest three follow-up questions for this chat.\n\nUser: {text}",
    "Gib diesem Gespräch einen kurzen Titel.\n\nNutzer: {text}",
]
OFFERS = ["Shall I go ahead?", "I can do that. Any preferences, or should I start?", "Understood. Proceed?"]


def bank(name: str) -> list[str]:
    """The lines of a bank, without its comments."""
    lines = (HERE / "banks" / name).read_text(encoding="utf-8").split("\n")
    return [line.replace("\\n", "\n") for line in lines if line and not line.startswith("#")]


def fields(line: str) -> list[str]:
    """The parts of a line between bars."""
    return [part.strip() for part in line.split(" | ")]


def say(role: str, text: str) -> dict[str, str]:
    """A message."""
    return {"role": role, "content": text}


def row(
    messages: list[dict[str, str]], labels: dict[str, str], source: str, origin: str = "wrapped"
) -> Request:
    """A request; `source` keeps those of one prompt on one side of a split."""
    return {"messages": messages, "labels": labels, "lang": "?", "origin": origin, "source": source}


def operators(dice: random.Random, personas: list[str]) -> Iterator[Request]:
    """Every input under its system prompt, in one message with it, after another one, and below a persona."""
    for line in bank("operators.txt"):
        names, prompt, joined = fields(line)
        complexity, domain, structure = names.split()
        labels = {
            "complexity": complexity,
            "domain": domain,
            "structure": structure,
            "latency": "interactive",
        }
        inputs = joined.split(";;")
        for text in inputs:
            yield row([say("system", prompt), say("user", text)], labels, prompt, "written")
            yield row([say("user", f"{prompt}\n\n{text}")], labels, prompt)
            below = f"{dice.choice(personas)}\n\n{prompt}"
            yield row([say("system", below), say("user", text)], labels, prompt)
            other = dice.choice(inputs)
            if other != text:
                turns = [say("user", other), say("assistant", dice.choice(ANSWERS[structure]))]
                yield row([say("system", prompt), *turns, say("user", text)], labels, prompt)


def prompts() -> Iterator[Request]:
    """The written prompts of `banks/prompts.txt`."""
    for line in bank("prompts.txt"):
        names, text = line.split(" | ", 1)
        language, complexity, domain, structure = names.split()
        labels = {
            "complexity": complexity,
            "domain": domain,
            "structure": structure,
            "latency": "interactive",
        }
        yield {**row([say("user", text)], labels, text, "written"), "lang": language}


def conversations(written: list[Request], dice: random.Random, personas: list[str]) -> Iterator[Request]:
    """Written prompts under a persona, after another matter, confirmed by a bare yes, or followed up."""
    followups = [fields(line) for line in bank("followups.txt")]
    for request in written:
        labels, text = request["labels"], request["messages"][0]["content"]
        ask = say("user", text)
        yield row([say("system", dice.choice(personas)), ask], labels, text)
        before = dice.choice(written)
        answer = say("assistant", dice.choice(ANSWERS[before["labels"]["structure"]]))
        yield row([before["messages"][0], answer, ask], labels, text)
        kind = dice.random()
        if kind < 0.3:
            offer = say("assistant", dice.choice(OFFERS))
            yield row([ask, offer, say("user", dice.choice(BARE))], labels, text)
        elif labels["complexity"] != "lookup" or labels["structure"] != "text":
            fitting = [f for f in followups if f[0] == labels["structure"]]
            _, names, joined = dice.choice(fitting)
            complexity, structure = names.split()
            after = {**labels, "complexity": complexity, "structure": structure}
            reply = say("assistant", dice.choice(ANSWERS[labels["structure"]]))
            messages = [ask, reply, say("user", dice.choice(joined.split(";;")))]
            if dice.random() < 0.3:
                messages.insert(0, say("system", dice.choice(personas)))
            yield row(messages, after, text)


def titles(written: list[Request], dice: random.Random) -> Iterator[Request]:
    """What chat programs ask for behind the user's back: small texts, whatever they quote."""
    labels = {"complexity": "generation", "domain": "general", "structure": "text", "latency": "interactive"}
    for request in dice.sample(written, 240):
        text = request["messages"][0]["content"]
        yield row([say("user", dice.choice(TITLES).format(text=text))], labels, text)


def code(dice: random.Random) -> Iterator[Request]:
    """Requests for code: things to write, in words of ten languages, and snippets to change or to fix."""
    parts = {name: rest.split(";;") for name, rest in (line.split(" | ", 1) for line in bank("code.txt"))}
    made = {"complexity": "generation", "domain": "code", "structure": "code", "latency": "interactive"}
    for thing in parts["thing"]:
        bare = thing.split(" ", 1)[1] if thing.startswith(("a ", "an ")) else thing
        for form in ("{verb} {thing}{suffix}", "{verb} {thing}{suffix}", "{bare}{suffix}"):
            words = {"verb": dice.choice(parts["verb"]), "suffix": dice.choice(parts["suffix"])}
            yield row([say("user", form.format(thing=thing, bare=bare, **words))], made, thing)
    for text in parts["foreign"]:
        yield {**row([say("user", text)], made, text), "lang": "other"}
    for snippet in parts["snippet"]:
        for kind, complexity in (("change", "generation"), ("fix", "reasoning")):
            for _ in range(6):
                pieces = [
                    dice.choice(parts[kind]),
                    snippet if dice.random() < 0.5 else f"```\n{snippet}\n```",
                ]
                if dice.random() < 0.4:
                    pieces.reverse()
                labels = {**made, "complexity": complexity}
                yield row([say("user", "\n\n".join(pieces))], labels, snippet)


def vocabulary(dice: random.Random) -> Iterator[Request]:
    """Words that tell a domain, two or three at a time; nothing else is learnt from them."""
    for line in bank("words.txt"):
        names, joined = fields(line)
        language, domain = names.split()
        words = joined.split(", ")
        for size in (1, 2, 2, 3):
            dice.shuffle(words)
            for at in range(0, len(words), size):
                text = " ".join(words[at : at + size])
                yield {**row([say("user", text)], {"domain": domain}, text, "words"), "lang": language}


def wrap(seed: int) -> list[Request]:
    """All of them, in the order of the banks."""
    dice = random.Random(seed)
    lines = (HERE / "corpus/written.jsonl").read_text(encoding="utf-8").splitlines()
    plain = [
        request
        for request in map(json.loads, lines)
        if len(request["messages"]) == 1
        and request["labels"]["latency"] == "interactive"
        and set(request) <= {"messages", "labels", "lang", "origin"}
    ]
    personas = bank("personas.txt")
    more = list(prompts())
    talks = conversations([*plain, *more], dice, personas)
    return [
        *more,
        *operators(dice, personas),
        *talks,
        *code(dice),
        *vocabulary(dice),
        *titles([*plain, *more], dice),
    ]


def main() -> int:
    """Write the corpus, or check that the committed one is what the banks give."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    requests = wrap(options.seed)
    if options.check:
        with gzip.open(TARGET, "rt", encoding="utf-8") as lines:
            same = [json.loads(line) for line in lines] == requests
        print("the banks give the committed corpus" if same else f"{TARGET} is stale: run wrap.py")
        return 0 if same else 1
    text = "".join(json.dumps(request, ensure_ascii=False) + "\n" for request in requests)
    TARGET.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{TARGET}: {len(requests)} requests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
