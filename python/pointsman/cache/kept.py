"""A kept answer: what a model once said, with who said it, as bytes in the cache."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pointsman.cache.replay import replayed
from pointsman.types import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Fields of an answer that are of the call it came from; a served answer gets its own.
_OWN_FIELDS = ("id", "created", "pointsman_metadata")


class KeptAnswer(NamedTuple):
    """An answer with who gave it.

    Attributes:
        body: In OpenAI's chat completion shape, whole.
        deployment: Name of the deployment that answered.
        model: Name of its model.
        provider: Name of its provider.
        usage: Tokens it took then.
    """

    body: dict[str, Any]
    deployment: str
    model: str
    provider: str
    usage: Usage

    def pack(self) -> bytes:
        """The answer as bytes for the cache."""
        body = {name: value for name, value in self.body.items() if name not in _OWN_FIELDS}
        return orjson.dumps([body, self.deployment, self.model, self.provider, self.usage])

    @staticmethod
    def unpack(packed: bytes) -> KeptAnswer | None:
        """The answer of `pack`; `None` if the bytes are something else."""
        try:
            body, deployment, model, provider, usage = orjson.loads(packed)
            return KeptAnswer(dict(body), str(deployment), str(model), str(provider), Usage(**usage))
        except (TypeError, ValueError):
            return None

    @property
    def text(self) -> str:
        """What the first choice says; empty if it only calls tools."""
        choices = self.body.get("choices") or [{}]
        content = (choices[0].get("message") or {}).get("content")
        return content if isinstance(content, str) else ""

    def corrected(self, text: str) -> KeptAnswer:
        """The same answer with other words in its first choice."""
        choices = [dict(choice) for choice in self.body.get("choices") or [{"index": 0}]]
        choices[0] |= {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        choices[0].pop("logprobs", None)  # they were those of other words
        body = {**self.body, "choices": choices}
        return KeptAnswer(body, self.deployment, self.model, self.provider, self.usage)

    def served(self, decision_id: str) -> dict[str, Any]:
        """The answer as one to a request of now, with an id and a time of its own."""
        return {
            "id": f"chatcmpl-{decision_id}",
            "object": "chat.completion",
            "created": int(time.time()),
            **self.body,
            "usage": self.body.get("usage") or _as_openai(self.usage),
        }

    def replayed(self, decision_id: str) -> Iterator[dict[str, Any]]:
        """The answer as the chunks of a stream, the usage in the last."""
        return replayed(self.served(decision_id))


def _as_openai(usage: Usage) -> Mapping[str, int]:
    n_in, n_out = usage.n_input_tokens, usage.n_output_tokens
    return {"prompt_tokens": n_in, "completion_tokens": n_out, "total_tokens": n_in + n_out}
