"""`pointsman bench cache`."""

from pointsman.cli.bench_cache import measure, small_partitions


def test_every_figure_is_there_and_makes_sense():
    row = measure(300, 50)
    assert row["n_entries"] == 300
    assert 0 < row["exact_p50_us"] <= row["exact_p99_us"]
    assert 0 < row["near_p50_us"] <= row["near_p99_us"]
    assert 0 < row["near_many_us_each"] < 10 * row["near_p90_us"]
    assert row["restore_s"] >= 0
    # Ten times the budgets of the bench, which is where they hold strictly.
    assert row["exact_p50_us"] < 50
    assert row["inserts_per_s"] > 500
    assert 300 < row["state_bytes_per_entry"] < 1000


def test_small_partitions_are_cheap():
    assert small_partitions(2000)["state_bytes_per_entry"] < 1000
