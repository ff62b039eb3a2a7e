"""Translations between wire protocols and OpenAI's chat completions: pure functions, no network, no clock.

Everything inside pointsman speaks OpenAI chat bodies and chunks. A translation keeps whatever the other
side has a concept for, and refuses the rest with a `RequestError` that names the parameter. What OpenAI's
shape has no place for rides in fields that other routers use too:

| where | field | holds |
|---|---|---|
| body, content part, message, tool, tool call | `cache_control` | a prompt-cache marker, as Anthropic's |
| assistant message, delta | `reasoning_content` | the text of what the model thought |
| assistant message, delta | `reasoning_details` | the same with signatures, as OpenRouter defines it |
| assistant message, tool call, delta | `extra_content` | Gemini's thought signatures, as Google defines it |
| tool message | `is_error` | that the tool failed |
| body | `thinking`, `top_k` | Anthropic's, as it defines them |
| choice | `native_finish_reason`, `stop_sequence` | why a model stopped, in its provider's words |
"""
