"""The static embedding that pointsman ships, in numpy: what a plain cosine cache without a model would use.

Same rows and vocabulary as the core (`rust/pointsman-core/data/embedding`); BERT's normalisation, greedy
longest WordPiece, mean of the rows, L2 norm. Joined emoji and BERT's own `[MASK]` tokens differ.
"""

from __future__ import annotations

import json
import re
import struct
import unicodedata
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[2] / "rust" / "pointsman-core" / "data" / "embedding"
SPACED = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
PIECES = re.compile(r"[^\W_]+|[^\w\s]|_")
DROPPED = {"Mn", "Cc", "Cf"}
"""Unicode categories of accents and of characters that are not seen."""
LONGEST = 100
"""Characters of a word beyond which BERT gives up."""


class StaticEmbedding:
    """Text -> unit vector f32[256]; the zero vector when nothing is known of it."""

    name = "static"

    def __init__(self, folder: Path = DATA) -> None:
        self._ids = {
            piece: n for n, piece in enumerate((folder / "vocab.txt").read_text("utf-8").split("\n"))
        }
        raw = (folder / "embedding.safetensors").read_bytes()
        (n_header,) = struct.unpack("<Q", raw[:8])
        header, body = json.loads(raw[8 : 8 + n_header]), raw[8 + n_header :]

        def tensor(name: str, dtype: type) -> np.ndarray:
            start, end = header[name]["data_offsets"]
            return np.frombuffer(body[start:end], dtype=dtype).reshape(header[name]["shape"])

        self._rows = tensor("rows", np.int8)
        self._scale = tensor("scale", np.float32)

    def __call__(self, text: str) -> np.ndarray:
        """The unit vector of `text`."""
        ids = [piece for word in PIECES.findall(_normalise(text)) for piece in self._pieces(word)]
        total = (self._rows[ids] * self._scale[ids, None]).sum(axis=0, dtype=np.float32)
        return total / (float(np.linalg.norm(total)) or 1.0)

    def _pieces(self, word: str) -> list[int]:
        ids: list[int] = []
        start = 0 if len(word) <= LONGEST else len(word)
        while start < len(word):
            prefix = "##" if start else ""
            end = next((e for e in range(len(word), start, -1) if prefix + word[start:e] in self._ids), None)
            if end is None:
                return [self._ids["[UNK]"]]
            ids.append(self._ids[prefix + word[start:end]])
            start = end
        return ids or [self._ids["[UNK]"]]


def _normalise(text: str) -> str:
    text = SPACED.sub(r" \1 ", unicodedata.normalize("NFD", text.lower()))
    return "".join(char for char in text if char.isspace() or unicodedata.category(char) not in DROPPED)
