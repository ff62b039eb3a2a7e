"""Learning offline: tables of graded answers in, trained state and proof of its worth out."""
