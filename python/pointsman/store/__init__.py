"""What must not be lost: the decision log, feedback, what was learned; in SQLite or PostgreSQL."""
