"""Plots of reports: bars, a group of them for each layer. matplotlib is imported when something is plotted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

# Dark blue and light orange (M. Okabe, K. Ito, 2008): apart for the colour-blind, and in grey; hatched besides.
COLOURS, HATCHES = ("#0072B2", "#E69F00"), ("", "///")


def axes(ax: Any, height: float) -> Any:
    """The axes given, or new ones of that height in inches."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('a plot needs matplotlib: pip install "neurongrad[plot]"') from None
    return pyplot.subplots(figsize=(6.4, height), layout="constrained")[1]


def bars(
    title: str,
    unit: str,
    names: Sequence[str],
    rows: Mapping[str, Sequence[float]],
    notes: Sequence[str],
    *,
    end: float | None = None,
    ax: Any = None,
) -> Any:
    """Lying bars, from the first layer at the top to the last, with a note after each layer's; returns the axes.

    `rows` has for each layer a number for each of `names`. The scale ends at `end`; without, it is logarithmic, and a
    number that is 0, inf or nan has no bar.
    """
    ax = axes(ax, 1.2 + (0.2 * len(names) + 0.1) * len(rows))
    thick = 0.8 / len(names)
    for k, name in enumerate(names):
        places = [i + (k - (len(names) - 1) / 2) * thick for i in range(len(rows))]
        lengths = [drawn(row[k]) for row in rows.values()]
        ax.barh(places, lengths, thick, label=name, color=COLOURS[k], hatch=HATCHES[k], ec="black", lw=0.5)
    if end is None and any(drawn(length) > 0.0 for row in rows.values() for length in row):
        ax.set_xscale("log")
    for i, (row, note) in enumerate(zip(rows.values(), notes, strict=True)):
        longest = max((x for x in map(drawn, row) if x > 0.0), default=None)
        place, where = ((longest, i), "data") if longest else ((0.0, i), ("axes fraction", "data"))
        ax.annotate(
            note, place, xycoords=where, xytext=(4, 0), textcoords="offset points", va="center", size="small"
        )
    ax.set_yticks(range(len(rows)), [*rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    if end is None:
        ax.margins(x=0.15)  # for the notes
    else:
        ax.set_xlim(0.0, 1.15 * end)
    ax.set_title(title, loc="left")
    ax.set_xlabel(unit)
    if len(names) > 1:
        ax.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(names), frameon=False, borderpad=0.1
        )
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def drawn(length: float) -> float:
    """The length of a bar; nan has none."""
    return length if math.isfinite(length) else math.nan
