"""Models that embed texts. They are kept apart from those that chat, which the core decides on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.config import Config
    from pointsman.config.problems import Path


def embeds(config: Config, model: str) -> bool:
    """Whether a model's capability is to embed, so that it never chats."""
    return "embeddings" in (config.models[model].capabilities or ())


def embedding_problems(config: Config) -> Iterator[str]:
    """Embedding models named where one must chat, or served in a protocol without embeddings here."""
    for path, model in _chatting(config):
        if model is not None and model in config.models and embeds(config, model):
            yield config.origin.problem(path, f"{model!r} embeds and does not chat; name a model that chats")
    for index, deployment in enumerate(config.deployments):
        kind = config.providers[deployment.provider].kind
        if embeds(config, deployment.model) and kind != "openai":
            remedy = "use its OpenAI-compatible endpoint, `kind: openai`"
            text = f"{deployment.provider!r} is of kind {kind}, which gives no embeddings here; {remedy}"
            yield config.origin.problem(("deployments", index, "provider"), text)


def _chatting(config: Config) -> Iterator[tuple[Path, str | None]]:
    """Where a config names models that must chat."""
    yield ("baseline_model",), config.baseline_model
    yield ("cache", "judge"), config.cache.judge if config.cache else None
    for name, policy in config.policies.items():
        yield ("policies", name, "quality_like"), policy.quality_like
        for index, model in enumerate(policy.models or ()):
            yield ("policies", name, "models", index), model
