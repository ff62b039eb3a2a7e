"""Carries a decision out: calls the chosen deployment, and the next feasible one when it fails."""
