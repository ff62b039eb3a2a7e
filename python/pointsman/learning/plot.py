"""The cost-quality curve of a report, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.learning import metrics
from pointsman.learning.data import TableError

if TYPE_CHECKING:
    from pathlib import Path

    from pointsman.learning.report import Curves

_COLOURS = {"router": "C0", "zero_router": "C7", "length_only": "C1", "task_table": "C2"}


def draw(curves: Curves, out: Path) -> None:
    """Write cost against quality to a file; its ending (.png, .svg, .pdf) says in which format.

    Raises:
        TableError: matplotlib is not installed, or knows no such format; the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise TableError("--plot: needs matplotlib: pip install 'pointsman[learning]'") from None
    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, curve in curves.by_name.items():
        costs, qualities = metrics.hull(*curve)
        label, colour = name.replace("_", " "), _COLOURS[name]
        axes.plot(
            costs, qualities, marker=".", label=label, color=colour, zorder=3 if name == "router" else 2
        )
    for label, point, marker in (
        ("best single", curves.best_single, "s"),
        ("oracle", curves.oracle, "*"),
        ("random", curves.random, "x"),
    ):
        axes.plot(*point, marker, color="black", label=label)
    reached = [float(cost) for curve in curves.by_name.values() for cost in curve[0]]
    if 0 < min(reached) < max(reached):
        axes.set_xscale("log")
    axes.set_xlabel("mean cost of a request, US dollars")
    axes.set_ylabel("mean quality")
    axes.grid(alpha=0.3)
    axes.legend()
    try:
        figure.savefig(out, dpi=150)
    except (OSError, ValueError) as error:
        raise TableError(
            f"--plot {out}: cannot be written ({error}): give a path that ends in .png"
        ) from None
