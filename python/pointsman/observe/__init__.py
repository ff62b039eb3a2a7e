"""Watching a router: Prometheus metrics, OpenTelemetry spans and metrics, structured logs.

Each is an `Observer` for `Router.add_observer`, and none tells prompts, answers or keys.
"""

__all__: list[str] = []
