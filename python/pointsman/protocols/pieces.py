"""Chat chunks put in order: one block after another, as protocols with typed blocks want them.

OpenAI's chunks may mix: text beside tool calls, arguments of several calls in turns. A block that begins
while the arguments of the one before are not yet whole JSON waits until they are, or until the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BlockKind = Literal["text", "refusal", "thought", "secret", "call", "custom"]


@dataclass(slots=True)
class Block:
    """A part of an answer: text, a refusal, a thought, an encrypted one (`secret`), a call of a tool.

    Attributes:
        kind: What it is.
        key: What the chunks call it: a tool call's or thought's index.
        head: What else is known: `id` and `name` of a call, `data` of a secret, `signature` of a thought.
        index: Its place in the answer, from 0.
        said: Its text or arguments, as far as they came.
    """

    kind: BlockKind
    key: Any
    head: dict[str, Any]
    index: int
    said: list[str] = field(default_factory=list)
    waiting: list[Piece] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All it said so far."""
        return "".join(self.said)

    @property
    def is_whole(self) -> bool:
        """Whether nothing more of it can come: of a call, whether its arguments are JSON."""
        if self.kind != "call":
            return True
        try:
            orjson.loads(self.text)
        except orjson.JSONDecodeError:
            return False
        return True


@dataclass(slots=True, frozen=True)
class Piece:
    """What happens to a block: it begins, says something more, is signed, or ends."""

    what: Literal["begin", "say", "sign", "end"]
    block: Block
    text: str = ""


class Pieces:
    """Puts the deltas of one choice in order. Feed every chunk, then `finish`.

    Attributes:
        blocks: All blocks, in the order they began.
        ending: The choice's fields that say why it ended, once known.
        usage: The chat usage, once known.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.ending: dict[str, Any] = {}
        self.usage: dict[str, Any] | None = None
        self._n_ended = 0
        """Blocks before this one have ended; this one, if there, is live."""
        self._has_begun = False
        """Whether the live block has."""

    def feed(self, chunk: Mapping[str, Any]) -> list[Piece]:
        """What a chunk adds. Only choice 0 is looked at."""
        self.usage = chunk.get("usage") or self.usage
        pieces: list[Piece] = []
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) != 0:
                continue
            for said in _said(choice.get("delta") or {}):
                self._add(*said)
                pieces += self._drain()
            if choice.get("finish_reason"):
                self.ending = {name: value for name, value in choice.items() if name not in _NO_ENDING}
        return pieces

    def finish(self) -> list[Piece]:
        """End what is still open, in order."""
        return list(self._drain(is_over=True))

    def _add(self, kind: BlockKind, key: Any, head: dict[str, Any], text: str, signature: str) -> None:
        block = self._open_block(kind, key)
        if block is None:
            block = Block(kind, key, head, len(self.blocks))
            self.blocks.append(block)
        else:
            block.head |= {name: value for name, value in head.items() if value}
        if text:
            block.said.append(text)
            block.waiting.append(Piece("say", block, text))
        if signature:
            block.head["signature"] = block.head.get("signature", "") + signature
            block.waiting.append(Piece("sign", block, signature))

    def _open_block(self, kind: BlockKind, key: Any) -> Block | None:
        """The block that a delta goes on with; text goes on with the newest block only."""
        candidates = self.blocks[-1:] if key is None else self.blocks[self._n_ended :]
        return next((block for block in candidates if block.kind == kind and block.key == key), None)

    def _drain(self, *, is_over: bool = False) -> Iterator[Piece]:
        """Say what the live block has to say; go on with the next once it is whole."""
        while self._n_ended < len(self.blocks):
            block = self.blocks[self._n_ended]
            if not self._has_begun:
                self._has_begun = True
                yield Piece("begin", block)
            yield from block.waiting
            block.waiting.clear()
            if not is_over and (block is self.blocks[-1] or not block.is_whole):
                return
            yield Piece("end", block)
            self._n_ended += 1
            self._has_begun = False


_NO_ENDING = frozenset({"index", "delta", "logprobs"})
_Said = tuple[BlockKind, Any, dict[str, Any], str, str]


def _said(delta: Mapping[str, Any]) -> Iterator[_Said]:
    """What a delta says: kind, key, head, text and signature of each block it touches."""
    if details := delta.get("reasoning_details"):
        yield from map(_thought, details)
    elif thought := delta.get("reasoning_content") or delta.get("reasoning"):
        yield "thought", 0, {}, str(thought), ""
    if content := _text(delta.get("content")):
        yield "text", None, {}, content, ""
    if refusal := delta.get("refusal"):
        yield "refusal", None, {}, refusal, ""
    for place, call in enumerate(delta.get("tool_calls") or ()):
        yield _called(call, place)


def _text(content: Any) -> str:
    """Content as a text: some servers give it in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _thought(detail: Mapping[str, Any]) -> _Said:
    key = detail.get("index", 0)
    if detail.get("type") == "reasoning.encrypted":
        return "secret", key, {"data": detail.get("data"), "format": detail.get("format")}, "", ""
    text = detail.get("text") or detail.get("summary") or ""
    return "thought", key, {"format": detail.get("format")}, text, detail.get("signature") or ""


def _called(call: Mapping[str, Any], place: int) -> _Said:
    kind: BlockKind = "custom" if call.get("custom") else "call"
    function = call.get("custom") or call.get("function") or {}
    head = {"id": call.get("id"), "name": function.get("name")}
    if call.get("extra_content"):
        head["extra_content"] = call["extra_content"]
    text = function.get("input" if kind == "custom" else "arguments") or ""
    return kind, call.get("index", place), head, text, ""
