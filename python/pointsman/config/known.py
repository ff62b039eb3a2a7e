"""Hosted providers pointsman knows by name: where they listen and which variable holds their key."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProvider:
    """A hosted provider.

    Attributes:
        name: Name in configs.
        key_variables: Environment variables its key is read from, the first one set wins.
        base_url: Its endpoint, for the protocol `kind`.
        kind: The protocol it is spoken to in.
        openai_base_url: Its OpenAI-compatible endpoint, where that is another.
        extensions: Whether it takes fields beyond OpenAI's (`pointsman.protocols`), or refuses them.
        price_prefix: Its name in the built-in price list.
        base_url_variable: Environment variable that replaces `base_url` in an environment-only start.
    """

    name: str
    key_variables: tuple[str, ...]
    base_url: str
    price_prefix: str
    base_url_variable: str | None = None
    kind: str = "openai"
    openai_base_url: str | None = None
    extensions: bool = True

    def base_url_of(self, kind: str) -> str | None:
        """Where it speaks a protocol; `None` if it does not."""
        if kind == self.kind:
            return self.base_url
        return self.openai_base_url if kind == "openai" else None


_ALL = (
    KnownProvider(
        name="openai",
        key_variables=("OPENAI_API_KEY",),
        base_url="https://api.openai.com/v1",
        price_prefix="openai",
        extensions=False,
        base_url_variable="OPENAI_BASE_URL",
    ),
    KnownProvider(
        name="anthropic",
        key_variables=("ANTHROPIC_API_KEY",),
        base_url="https://api.anthropic.com/v1",
        openai_base_url="https://api.anthropic.com/v1",
        kind="anthropic",
        price_prefix="anthropic",
    ),
    KnownProvider(
        name="gemini",
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        base_url="https://generativelanguage.googleapis.com/v1beta",
        openai_base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        kind="gemini",
        price_prefix="gemini",
    ),
    KnownProvider(
        name="mistral",
        key_variables=("MISTRAL_API_KEY",),
        base_url="https://api.mistral.ai/v1",
        price_prefix="mistral",
        extensions=False,
    ),
    KnownProvider(
        name="deepseek",
        key_variables=("DEEPSEEK_API_KEY",),
        base_url="https://api.deepseek.com/v1",
        price_prefix="deepseek",
    ),
    KnownProvider(
        name="xai",
        key_variables=("XAI_API_KEY",),
        base_url="https://api.x.ai/v1",
        price_prefix="xai",
        extensions=False,
    ),
    KnownProvider(
        name="groq",
        key_variables=("GROQ_API_KEY",),
        base_url="https://api.groq.com/openai/v1",
        price_prefix="groq",
        extensions=False,
    ),
    KnownProvider(
        name="together",
        key_variables=("TOGETHER_API_KEY",),
        base_url="https://api.together.xyz/v1",
        price_prefix="together_ai",
        extensions=False,
    ),
)

KNOWN_PROVIDERS = {provider.name: provider for provider in _ALL}
"""By name, in the order an environment-only start adds them."""
