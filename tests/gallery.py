"""`python -m tests.gallery [--check] [--all]`: the pictures of README.md, made of what is there, in `demos/pictures`.

Each picture holds, as text that nobody sees, what it was made of: the DOT text of a graph, a page's HTML, the numbers
and words of a figure. What is there now is compared with it, so that a stale picture is found without Graphviz and
without a browser, whatever fonts and versions drew it. Lessons are run in their quick mode, up to the cell that draws.

Making them needs the program `dot` and a browser; --check only looks, --all makes anew also what is current.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

import autograd
import nn
from autograd import Value
from autograd.render import layout
from demos.lessons import LESSONS, cells
from demos.live import play

from .browser import Browser, missing

FOLDER = Path(__file__).parents[1] / "demos" / "pictures"
COMMAND = "python -m tests.gallery"
SIZE = 400, 250  # of a thumbnail; README.md shows them smaller, for screens with two pixels in place of one
MEASURED = [
    "growth.png"
]  # what `python -m tests.benchmarks --growth --plot` drew: on another day, another picture
MADE_OF = "made of"  # under this name a picture says what it was made of


# What is shown ----------------------------------------------------------------------------------------------------


class Graph:
    """A graph as Graphviz draws it."""

    def __init__(self, dot: Any) -> None:
        self.dot: str = dot.source

    def made_of(self) -> Any:
        return digest(self.dot)

    def svg(self) -> bytes:
        return layout(self.dot, "svg")

    def png(self) -> bytes:
        return layout(self.dot, "png")


class Panels:
    """Some axes of a figure, or all of it."""

    def __init__(self, figure: Any, numbers: list[int] | None) -> None:
        self.figure, self.axes = figure, figure.axes if numbers is None else [figure.axes[i] for i in numbers]
        self.whole = numbers is None

    def made_of(self) -> Any:
        """A list of what is drawn: words, and of many numbers a few that stand for all."""
        title = self.figure.get_suptitle() if self.whole else ""
        return [title, *(row for ax in self.axes for row in rows_of(ax))]

    def png(self) -> bytes:
        import matplotlib.pyplot as plt
        from matplotlib.transforms import Bbox

        file = io.BytesIO()
        self.figure.canvas.draw()  # the layout is settled by drawing
        around = Bbox.union([ax.get_tightbbox() for ax in self.axes]).padded(8)
        frame = None if self.whole else around.transformed(self.figure.dpi_scale_trans.inverted())
        self.figure.savefig(file, format="png", dpi=200, bbox_inches=frame)
        plt.close(self.figure)
        return file.getvalue()


class Screen:
    """A page in a browser, after some keys."""

    def __init__(self, html: str, scheme: str, *keys: str) -> None:
        self.html, self.scheme, self.keys = html, scheme, keys

    def made_of(self) -> Any:
        return [digest(self.html), self.scheme, *self.keys]

    def png(self) -> bytes:
        if lacking := missing():
            raise RuntimeError(f"The picture of a page needs a browser. Received: {lacking}")
        with TemporaryDirectory() as folder, Browser() as browser:
            page, shot = Path(folder, "page.html"), Path(folder, "shot.png")
            page.write_text(self.html, encoding="utf-8")
            browser.size(1240, 660, scale=1.5)
            browser.prefer(color_scheme=self.scheme, reduced_motion="reduce")
            browser.open(page)
            browser.press(*self.keys)
            browser.screenshot(shot)
            return shot.read_bytes()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rows_of(ax: Any) -> list[Any]:
    """A row for each thing that stands in the axes: its kind, its words, its numbers."""
    from matplotlib.colors import to_hex

    legend = ax.get_legend()
    words = [ax.get_title(), ax.get_xlabel(), ax.get_ylabel(), *(text.get_text() for text in ax.texts)]
    words += [text.get_text() for text in legend.get_texts()] if legend else []
    places = [text.get_position() for text in ax.texts]
    rows = [["axes", words, summary(ax.axis()), summary(places)]]
    for line in ax.lines:
        look = [line.get_linestyle(), line.get_marker(), to_hex(line.get_color())]
        rows.append(["line", look, summary(line.get_xydata())])
    rows += [["image", summary(image.get_array())] for image in ax.images]
    for spots in ax.collections:
        outline = [point for path in spots.get_paths() for point in path.vertices]
        colours = spots.get_facecolor() if spots.get_array() is None else spots.get_array()
        rows.append(["spots", summary(outline), summary(spots.get_offsets()), summary(colours)])
    for patch in ax.patches:
        outline = patch.get_patch_transform().transform_path(patch.get_path()).vertices
        rows.append(["shape", to_hex(patch.get_facecolor()), summary(outline)])
    return rows


def summary(numbers: Any) -> list[float]:
    """How many numbers, the largest, and the means of all and of three waves times all: another number, others."""
    x = np.nan_to_num(np.array([] if numbers is None else numbers, dtype=float).ravel())
    if not x.size:
        return []
    waves = np.cos(np.outer([0, 1, 2, 3], np.arange(x.size)))
    return [float(x.size), *(float(f"{number:.5g}") for number in (np.abs(x).max(), *waves @ x / x.size))]


def same(old: Any, new: Any) -> bool:
    """Whether two pictures were made of the same, but for what another machine rounds in another way."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        if old and all(isinstance(x, float) for x in (*old, *new)):
            return bool(np.allclose(old, new, rtol=0.0, atol=1e-4 * old[1]) and old[0] == new[0])
        return all(map(same, old, new))
    return bool(old == new)


# The table --------------------------------------------------------------------------------------------------------


class Picture(NamedTuple):
    """A file of the gallery, and what it shows; a thumbnail is made small."""

    file: str
    shown: Callable[[], Any]
    thumbnail: bool = False

    @property
    def path(self) -> Path:
        return FOLDER / self.file


def lesson_until(name: str, drawn: str) -> dict[str, Any]:
    """The global names of a lesson in its quick mode, after the cell that draws the file of that name."""
    found = cells(LESSONS[name].path.read_text(encoding="utf-8"))
    last = next(i for i, cell in enumerate(found) if f'"{name}-{drawn}.png"' in cell.source)
    steps = sum(1 if cell.prose else 2 for cell in found[: last + 1])  # what is asked before it goes on
    answers = iter([True] * (steps - 1) + [False])
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        return play(name, quick=True, folder=folder, go_on=answers.__next__)


def graph_of(lesson: str, drawn: str, made: Callable[[dict[str, Any]], Any]) -> Callable[[], Graph]:
    """A graph that the lesson draws into a file, made of its names: it cannot draw it where there is no Graphviz."""
    return lambda: Graph(made(lesson_until(lesson, drawn)))


def figure_of(lesson: str, drawn: str, *axes: int) -> Callable[[], Panels]:
    """Some axes of a lesson's figure, or all."""

    def shown() -> Panels:
        import matplotlib.pyplot as plt

        plt.close("all")
        lesson_until(lesson, drawn)
        return Panels(plt.gcf(), [*axes] or None)

    return shown


def neuron(theme: str) -> Callable[[], Graph]:
    """The neuron of the lesson of that name, after its backward pass."""
    return graph_of(
        "neuron", "after-backward", lambda names: autograd.draw(names["output"], theme=theme, glyphs=True)
    )


def explorer(theme: str) -> Callable[[], Screen]:
    """The loss of a small network, one of its neurons open, on the way back; what its input gets is a sum of three."""

    def shown() -> Screen:
        model = nn.MLP(2, [3, 1], activation="relu")
        hidden, output = [1.0, 0.5, 0.25, 0.5, -1.0, -0.5, -0.5, 1.0, 1.5], [0.5, -1.0, 2.0, 0.25]
        for p, number in zip(model.parameters(), hidden + output, strict=True):  # short ones, exact in binary
            p.data = number
        x = [Value(1.5, label="x[0]"), Value(-0.5, label="x[1]")]
        loss = (model(x) - 1.0) ** 2
        loss.label = "loss"
        loss.backward()
        away = "/", "Escape"  # from the search, which is empty again
        opened = "/", *"layers.0.neurons.1", "Enter", "Enter", *away
        chosen = "/", *"x[0]", "Enter", *away
        page = autograd.explore(loss, title="MLP(2, [3, 1])")
        return Screen(page.html, theme, *opened, *chosen, "0", "End", "p")

    return shown


def thumbnail(lesson: str, shown: Callable[[], Any]) -> Picture:
    return Picture(f"{lesson}.png", shown, thumbnail=True)


PICTURES = [
    Picture("graph-light.svg", neuron("light")),
    Picture("graph-dark.svg", neuron("dark")),
    Picture("explorer-light.png", explorer("light")),
    Picture("explorer-dark.png", explorer("dark")),
    thumbnail("biology", figure_of("biology", "neuron")),
    thumbnail("neuron", figure_of("neuron", "bias")),
    thumbnail(
        "engine", graph_of("engine", "diamond", lambda names: autograd.draw(names["end"], glyphs=True))
    ),
    thumbnail("activations", figure_of("activations", "all", *range(24))),
    thumbnail("layers", figure_of("layers", "moons", 1)),
    thumbnail("training", figure_of("training", "gradients")),
    thumbnail("depth", figure_of("depth", "tents", 0)),
    thumbnail("compiling", graph_of("compiling", "program", lambda names: names["of_many"].draw())),
    thumbnail("convolution", figure_of("convolution", "edges", 0, 1)),
    thumbnail("recurrence", figure_of("recurrence", "gradients")),
    thumbnail("attention", figure_of("attention", "dictionary")),
    thumbnail("together", figure_of("together", "confusion")),
]


# Files ------------------------------------------------------------------------------------------------------------


def recorded(path: Path) -> Any:
    """What the picture in the file was made of; None where there is none."""
    if not path.exists():
        return None
    if path.suffix == ".svg":
        (text,) = re.findall(f"<!-- {MADE_OF} (.*) -->", path.read_text(encoding="utf-8"))
    else:
        from PIL import Image

        with Image.open(path) as image:
            text = image.info[MADE_OF]
    return json.loads(text)


def write(picture: Picture, shown: Any, made_of: Any) -> None:
    text = json.dumps(made_of, separators=(",", ":"))
    picture.path.parent.mkdir(exist_ok=True)
    if picture.path.suffix == ".svg":
        drawing = shown.svg().decode().replace("<svg", f"<!-- {MADE_OF} {text} -->\n<svg", 1)
        picture.path.write_text(drawing, encoding="utf-8", newline="\n")
        return

    from PIL import Image, PngImagePlugin

    image = Image.open(io.BytesIO(shown.png())).convert("RGB")
    if picture.thumbnail:
        image.thumbnail(SIZE, Image.Resampling.LANCZOS)
        paper = Image.new("RGB", SIZE, "white")
        paper.paste(image, ((SIZE[0] - image.width) // 2, (SIZE[1] - image.height) // 2))
        image = paper
    info = PngImagePlugin.PngInfo()
    info.add_text(MADE_OF, text, zip=True)
    colours = 32 if picture.thumbnail else 256
    image.quantize(colours, dither=Image.Dither.NONE).save(picture.path, optimize=True, pnginfo=info)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="The pictures of README.md.")
    parser.add_argument("--check", action="store_true", help="make none; say which are missing or stale")
    parser.add_argument("--all", action="store_true", help="make anew also what is current")
    given = parser.parse_args(words)
    left = []
    for picture in PICTURES:
        shown = picture.shown()
        made_of = shown.made_of()
        if not given.all and same(recorded(picture.path), made_of):
            continue
        if given.check:
            left.append(f"missing or stale: {picture.path}")
            continue
        try:
            write(picture, shown, made_of)
        except RuntimeError as error:  # there is no Graphviz, or no browser
            left.append(f"not made: {picture.path}. {error}")
        else:
            print(f"{picture.path}, {picture.path.stat().st_size:,} bytes")
    if left:
        sys.exit("\n".join(left))


if __name__ == "__main__":
    main()
