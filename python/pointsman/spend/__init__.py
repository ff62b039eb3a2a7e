"""What may be spent, and when."""

from pointsman.spend.window import Allowance, Window

__all__ = ["Allowance", "Window"]
