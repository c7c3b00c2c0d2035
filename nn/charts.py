"""Charts: what plots are drawn with: bars, histograms, regions, matrices, small images; matplotlib is imported late."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

import numpy as np

from .checks import one_line

# Apart for the colour-blind (M. Okabe, K. Ito, 2008), and in grey by their hatches or the way they are dashed.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00")
HATCHES, DASHES, MARKERS = ("", "///"), ("-", "--", ":", "-."), "os^DvPX*<>"


def axes(ax: Any, height: float, width: float = 6.4) -> Any:
    """The axes given, or new ones of that size in inches."""
    if ax is not None:
        if not hasattr(ax, "transAxes"):
            raise TypeError(f"a plot needs matplotlib axes as ax. Received: {type(ax).__name__}")
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('a plot needs matplotlib: pip install "neurongrad[plot]"') from None
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def literal(texts: Iterable[Any]) -> None:
    """Show texts of matplotlib as they stand: a name may have dollar signs, or what TeX would carry out."""
    for text in texts:
        text.set_usetex(False)
        text.set_parse_math(False)


def svg(draw: Callable[[Any], Any]) -> str | None:
    """What `draw` draws on axes, as SVG, the same in every run; None without matplotlib, or where no scale fits.

    The figure is none of pyplot's: nothing opens a window, and nobody has to close it.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        return None
    file = StringIO()
    with rc_context({"svg.hashsalt": "nn"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        draw(figure.subplots())
        try:
            figure.savefig(file, format="svg", metadata={"Date": None})
        except (ValueError, ArithmeticError):  # 1e308 and -1e308 are further apart than any number is large
            return None
    return file.getvalue()


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
    ax.set_yticks(range(len(rows)), [one_line(name, 100) for name in rows])
    literal(ax.get_yticklabels())
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


def ridges(title: str, unit: str, rows: Mapping[str, Sequence[float]], bins: int, ax: Any) -> Any:
    """A histogram for each layer, the first at the top, all with the same bins; returns the axes.

    Each is as high as the next, whatever the layer's size is. Under a layer's name stand mean and deviation, and how
    many numbers are inf or nan, and so in no bin.
    """
    ax = axes(ax, 1.2 + 0.6 * len(rows))
    finite = {name: np.array([x for x in row if math.isfinite(x)]) for name, row in rows.items()}
    edges = np.histogram_bin_edges(np.concatenate([*finite.values()]), bins)
    labels = []
    for i, (name, x) in enumerate(finite.items()):
        counts, floor = np.histogram(x, edges)[0], len(rows) - 1.0 - i
        ax.stairs(
            floor + 0.85 * counts / max(1, counts.max()),
            edges,
            baseline=floor,
            fill=True,
            fc=COLOURS[0],
            ec="black",
            lw=0.5,
        )
        note = [f"{x.mean():.2g} ± {x.std():.2g}"] if x.size else []
        note += [f"{len(rows[name]) - x.size:,} inf or nan"] if x.size < len(rows[name]) else []
        labels.append("\n".join([one_line(name, 100), ", ".join(note)]))
    ax.set_yticks([len(rows) - 0.6 - i for i in range(len(rows))], labels)
    literal(ax.get_yticklabels())
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.05, len(rows))
    ax.set_title(title, loc="left")
    ax.set_xlabel(unit)
    ax.grid(axis="x", color="0.85", lw=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax


def regions(
    ax: Any, across: Any, up: Any, margins: Any, classes: Sequence[int], xs: Any, labels: Any
) -> None:
    """The plane in pale colours, each class's where its margin is above 0, and the samples in full ones.

    `margins`: (classes, up, across). The colours also differ in grey, from dark to light.
    """
    from matplotlib import colormaps

    colours = colormaps["cividis"](np.linspace(0.0, 1.0, len(classes)))
    for k, (name, colour, margin) in enumerate(zip(classes, colours, margins, strict=True)):
        if (margin > 0.0).any():
            most = float(margin[np.isfinite(margin)].max())
            ax.contourf(across, up, margin, levels=[0.0, most], colors=[colour], alpha=0.4)
            if k and (margin < 0.0).any():
                ax.contour(across, up, margin, levels=[0.0], colors="black", linewidths=1.0)
        x = xs[labels == name]
        marker = MARKERS[k % len(MARKERS)]
        ax.scatter(
            *x.T, s=36, marker=marker, color=colour, ec="black", lw=0.8, label=f"class {name}", zorder=3
        )
    ax.set(xlim=across[[0, -1]], ylim=up[[0, -1]])
    ax.legend()


def heat(matrix: Any, rows: Sequence[str], columns: Sequence[str], most: float, ax: Any) -> Any:
    """A matrix as squares, from white for 0 to dark blue for `most`, with a name for each row and column."""
    m, n = matrix.shape
    rows, columns = ([one_line(name, 100) for name in names] for names in (rows, columns))
    ax = axes(ax, 1.5 + min(max(0.4 * m, 2.0), 10.0), 2.5 + min(max(0.4 * n, 2.0), 12.0))
    ax.imshow(matrix, cmap="Blues", vmin=0.0, vmax=most, interpolation="nearest")
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, columns)) > 2 else {}
    ax.set_xticks(range(n), columns, **slanted)
    ax.set_yticks(range(m), rows)
    literal((*ax.get_xticklabels(), *ax.get_yticklabels()))
    return ax


GAP, LEAST = 0.3, 0.25  # between small images, and their least side; the larger side is 1


def tiles(
    title: str, images: Any, names: Sequence[str], columns: int | None, ends: tuple[float, float], ax: Any
) -> Any:
    """Small images of one size, row after row, each under its name, which is left out where there are more than 20 in
    a row; black is `ends[0]`, white `ends[1]`. All are one mesh, with an empty cell between two images."""
    n, (h, w) = len(images), images[0].shape
    height, width = (max(k / max(h, w), LEAST) for k in (h, w))
    columns = columns or min(n, math.ceil(math.sqrt(n * (height + GAP) / (width + GAP))))
    rows = math.ceil(n / columns)
    cells = np.full((rows, h + 1, columns, w + 1), math.nan)
    frames: list[tuple[float, float]] = []
    ax = axes(ax, 0.5 + max(1.0, min(5.0 * rows * (height + GAP) / (columns * (width + GAP)), 12.0)))
    for i, (image, name) in enumerate(zip(images, names, strict=True)):
        row, column = divmod(i, columns)
        cells[row, :h, column, :w] = image
        left, top = column * (width + GAP), row * (height + GAP)
        right, low = left + width, top + height
        frames += [(left, top), (right, top), (right, low), (left, low), (left, top), (math.nan, math.nan)]
        if columns <= 20:
            ax.text(left, top - 0.04, name, size=min(8.0, 60.0 / columns), va="bottom")
    across, down = edges(columns, width, w), edges(rows, height, h)
    mesh = ax.pcolormesh(
        across,
        down,
        cells.reshape(len(down), len(across))[:-1, :-1],
        cmap="gray",
        vmin=ends[0],
        vmax=ends[1],
    )
    ax.plot(*zip(*frames, strict=True), color="black", lw=0.8)
    ax.set(xlim=(-0.1, across[-1] + 0.1), ylim=(down[-1] + 0.1, -GAP), aspect="equal")
    ax.set_axis_off()
    literal([ax.set_title(one_line(title, 100), loc="left")])
    ax.figure.colorbar(mesh, ax=ax, shrink=0.8)
    return ax


def edges(count: int, side: float, n: int) -> Any:
    """Where the cells of so many images begin and end, of n cells each: between two images is one cell more."""
    return np.concatenate([k * (side + GAP) + np.linspace(0.0, side, n + 1) for k in range(count)])
