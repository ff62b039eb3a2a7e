"""Reserves and settles until it is killed; says each settlement once it is done: `python spender.py FOLDER`."""

import sys
import time
from pathlib import Path

from pointsman.spend import Accounts, Allowance, Claim, Window

accounts = Accounts(Path(sys.argv[1]), time.time)
allowance = Allowance(1e6, Window(period="month"))
claims = [Claim(accounts.account("total", allowance.window), allowance.nano_usd)]
under_way = []
for number in range(10**9):
    if number % 10 == 0 and number < 100:
        under_way.append(accounts.reserve(claims, 1000))
    accounts.reserve(claims, 50).settle(7)
    print(number + 1, flush=True)
