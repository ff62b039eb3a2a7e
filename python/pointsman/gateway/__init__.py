"""The HTTP face of the router: OpenAI-compatible, with the decision on every answer.

Needs the extra: `pip install 'pointsman[gateway]'`.
"""

from pointsman.gateway.app import create_app

__all__ = ["create_app"]
