"""Who answers: one adapter a wire protocol, over one of several HTTP clients.

    from pointsman.providers import ProviderCall, ProviderSettings, build_provider

    provider = build_provider(ProviderSettings(name="local", base_url="http://127.0.0.1:8080/v1"))
    reply = await provider.complete(ProviderCall(upstream_model="m", body={"messages": [...]}))

`ScriptedProvider` is a double for tests, yours included.
"""

from pointsman.providers.build import build_provider, default_transport
from pointsman.providers.provider import (
    Provider,
    ProviderCall,
    ProviderReply,
    ProviderSettings,
    ProviderStream,
    TransportName,
)
from pointsman.providers.scripted import Answer, BrokenStream, Failure, Hang, ScriptedProvider
from pointsman.providers.transport import (
    HttpCall,
    HttpReply,
    HttpStream,
    Timeouts,
    Transport,
    TransportSettings,
)

__all__ = [
    "Answer",
    "BrokenStream",
    "Failure",
    "Hang",
    "HttpCall",
    "HttpReply",
    "HttpStream",
    "Provider",
    "ProviderCall",
    "ProviderReply",
    "ProviderSettings",
    "ProviderStream",
    "ScriptedProvider",
    "Timeouts",
    "Transport",
    "TransportName",
    "TransportSettings",
    "build_provider",
    "default_transport",
]
