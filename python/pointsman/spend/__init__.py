"""What may be spent and how fast: budgets that are never passed, exact in nano-dollars, and rate limits."""

from pointsman.spend.account import Account, Claim
from pointsman.spend.accounts import Accounts, Overspent, Reservation
from pointsman.spend.pace import Pace
from pointsman.spend.rates import Rates
from pointsman.spend.window import Allowance, Window

__all__ = ["Account", "Accounts", "Allowance", "Claim", "Overspent", "Pace", "Rates", "Reservation", "Window"]
