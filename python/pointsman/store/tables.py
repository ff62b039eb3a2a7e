"""The tables of the decision log; `pointsman.store.rows` says what each column of `decisions` holds.

Conversations and records are bytes of JSON, not the databases' JSON types: PostgreSQL's refuses texts with a
zero character, and nobody searches inside them.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

DECISIONS = sa.Table(
    "decisions",
    METADATA,
    sa.Column("decision_id", sa.Text, primary_key=True),
    sa.Column("decided_at_s", sa.Double, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("policy_version", sa.Text, nullable=False),
    sa.Column("arm", sa.Text),
    sa.Column("config_version", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("chosen", sa.Text, nullable=False),
    sa.Column("propensity", sa.Double, nullable=False),
    sa.Column("deployment", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("provider", sa.Text),
    sa.Column("domain", sa.Text, nullable=False),
    sa.Column("complexity", sa.Text, nullable=False),
    sa.Column("structure", sa.Text, nullable=False),
    sa.Column("latency_class", sa.Text, nullable=False),
    sa.Column("task", sa.Text),
    sa.Column("session_id", sa.Text),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("is_stream", sa.Boolean, nullable=False),
    sa.Column("features", sa.LargeBinary, nullable=False),
    sa.Column("prompt_hash", sa.Text),
    sa.Column("n_expected_input_tokens", sa.BigInteger, nullable=False),
    sa.Column("predicted_quality", sa.Double, nullable=False),
    sa.Column("predicted_cost_usd", sa.Double, nullable=False),
    sa.Column("predicted_latency_p95_ms", sa.Double, nullable=False),
    sa.Column("predicted_ttft_p95_ms", sa.Double, nullable=False),
    sa.Column("n_input_tokens", sa.BigInteger),
    sa.Column("n_cached_input_tokens", sa.BigInteger),
    sa.Column("n_cache_write_tokens", sa.BigInteger),
    sa.Column("n_output_tokens", sa.BigInteger),
    sa.Column("n_reasoning_tokens", sa.BigInteger),
    sa.Column("is_usage_estimated", sa.Boolean),
    sa.Column("cost_usd", sa.Double, nullable=False),
    sa.Column("baseline_cost_usd", sa.Double, nullable=False),
    sa.Column("latency_ms", sa.Double, nullable=False),
    sa.Column("ttft_ms", sa.Double),
    sa.Column("overhead_us", sa.Double, nullable=False),
    sa.Column("attempts", sa.Text, nullable=False),
    sa.Column("cache_layer", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("is_cut", sa.Boolean, nullable=False),
    sa.Column("reward", sa.Double),
    sa.Column("shadow", sa.Text),
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Column("prompt", sa.LargeBinary),
    sa.Column("answer", sa.LargeBinary),
    sa.Index("decisions_by_time", "decided_at_s", "decision_id"),
    sa.Index("decisions_by_tenant", "tenant", "decided_at_s"),
)

FEEDBACK = sa.Table(
    "feedback",
    METADATA,
    sa.Column("decision_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    # Of a preference: the decision that was preferred less; else empty.
    sa.Column("rejected_id", sa.Text, primary_key=True),
    # Empty of a preference.
    sa.Column("value", sa.Double),
    sa.Column("weight", sa.Double, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("given_at_s", sa.Double, nullable=False),
)

STATE = sa.Table(
    "state",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("saved_at_s", sa.Double, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

VERSION = sa.Table("pointsman_schema", METADATA, sa.Column("version", sa.Integer, nullable=False))

MUTABLE_FEEDBACK = ("value", "weight", "tenant", "given_at_s")
"""Columns that feedback given again replaces."""
