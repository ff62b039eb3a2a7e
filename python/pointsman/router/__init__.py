"""The router: one object that decides and carries the decision out."""

from pointsman.router.parts import load_registry
from pointsman.router.request import ChatRequest
from pointsman.router.router import Router
from pointsman.router.stream import CompletionStream

__all__ = ["ChatRequest", "CompletionStream", "Router", "load_registry"]
