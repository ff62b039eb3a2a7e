"""From a call's course to bytes, in the shapes of OpenAI and Anthropic; still without a socket."""

from pointsman.simulate.wire.anthropic import AnthropicDialect
from pointsman.simulate.wire.openai import OpenAIDialect
from pointsman.simulate.wire.reply import Dialect, Ending, Part, Reply, json_reply, make_reply, refusal

__all__ = [
    "AnthropicDialect",
    "Dialect",
    "Ending",
    "OpenAIDialect",
    "Part",
    "Reply",
    "json_reply",
    "make_reply",
    "refusal",
]
