"""The pictures of README.md are what the code makes now; looking needs neither Graphviz nor a browser."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle
from PIL import Image

import autograd
from demos.lessons import LESSONS

from . import gallery
from .gallery import FOLDER, PICTURES, Graph, Panels, Picture, Screen, recorded, same

README = FOLDER.parents[1] / "README.md"
EACH = [pytest.param(picture, id=picture.file) for picture in PICTURES]
MOST = {"thumbnail": 20_000, ".svg": 25_000, ".png": 90_000}  # bytes


# The files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", EACH)
def test_pictures_are_current(picture):
    made_of = picture.shown().made_of()
    plt.close("all")
    assert same(recorded(picture.path), made_of), (
        f"{picture.file} is missing or stale; `{gallery.COMMAND}` makes it"
    )


def test_the_readme_shows_all_pictures_and_no_others():
    shown = re.findall(r'(?:src|srcset)="demos/pictures/([^"]+)"', README.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted([*(picture.file for picture in PICTURES), *gallery.MEASURED])
    assert sorted(shown) == sorted(path.name for path in FOLDER.iterdir())


def test_each_lesson_has_a_thumbnail():
    assert [picture.path.stem for picture in PICTURES if picture.thumbnail] == list(LESSONS)


@pytest.mark.parametrize("picture", EACH)
def test_pictures_are_small_and_whole(picture):
    kind = picture.path.suffix
    assert picture.path.stat().st_size <= MOST["thumbnail" if picture.thumbnail else kind]
    if kind == ".svg":
        assert ElementTree.parse(picture.path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        return
    with Image.open(picture.path) as image:
        pixels = np.asarray(image.convert("L"))
        assert image.size == gallery.SIZE or not picture.thumbnail
    assert pixels.std() > 5  # it is not empty


def test_all_together_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 400_000


# What tells them apart ---------------------------------------------------------------------------------------------


def figure():
    plt.close("all")
    fig, (left, right) = plt.subplots(1, 2)
    left.plot([0.0, 1.0, 2.0], [1.0, 4.0, 9.0], label="squares")
    left.set(title="left", xlabel="n")
    left.legend()
    right.imshow(np.arange(12.0).reshape(3, 4))
    right.scatter([1.0, 2.0], [0.0, 1.0], c=[0.5, 0.7])
    left.scatter([1.0], [2.0], color="blue")
    right.text(1.0, 1.0, "here")
    right.contourf([[0.0, 1.0], [2.0, 3.0]])
    right.add_patch(Circle((1.0, 1.0), 0.5))
    fig.suptitle("both")
    return fig


def made_of(fig, *numbers):
    found = Panels(fig, [*numbers] or None).made_of()
    plt.close("all")
    return found


CHANGES = {
    "title": lambda fig: fig.axes[0].set_title("Left"),
    "title of all": lambda fig: fig.suptitle("Both"),
    "label": lambda fig: fig.axes[0].set_xlabel("m"),
    "legend": lambda fig: fig.axes[0].legend(["cubes"]),
    "point of a line": lambda fig: fig.axes[0].lines[0].set_ydata([1.0, 4.0, 9.1]),
    "order of a line": lambda fig: fig.axes[0].lines[0].set_ydata([4.0, 1.0, 9.0]),
    "colour of a line": lambda fig: fig.axes[0].lines[0].set_color("red"),
    "marks of a line": lambda fig: fig.axes[0].lines[0].set_marker("o"),
    "another line": lambda fig: fig.axes[0].plot([1.0], [1.0]),
    "limits": lambda fig: fig.axes[0].set_xlim(0.0, 3.0),
    "pixel": lambda fig: fig.axes[1].images[0].set_data(np.arange(12.0).reshape(3, 4) + np.eye(3, 4) / 50),
    "spot": lambda fig: fig.axes[1].collections[0].set_offsets([[1.0, 0.0], [2.0, 1.01]]),
    "colour of a spot": lambda fig: fig.axes[1].collections[0].set_array([0.5, 0.8]),
    "colour of all spots": lambda fig: fig.axes[0].collections[0].set_facecolor("red"),
    "words": lambda fig: fig.axes[1].texts[0].set_text("there"),
    "place of words": lambda fig: fig.axes[1].texts[0].set_position((1.0, 1.1)),
    "contour": lambda fig: fig.axes[1].collections[1].set_paths(fig.axes[1].collections[1].get_paths()[1:]),
    "shape": lambda fig: fig.axes[1].patches[0].set_radius(0.6),
    "colour of a shape": lambda fig: fig.axes[1].patches[0].set_facecolor("red"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_a_figure_is_noticed(change):
    fig = figure()
    CHANGES[change](fig)
    assert not same(made_of(figure()), made_of(fig))


def test_another_rounding_is_not_noticed():
    fig = figure()
    line, image = fig.axes[0].lines[0], fig.axes[1].images[0]
    line.set_ydata(line.get_ydata() * (1 + 2e-5))
    image.set_data(image.get_array() + 2e-4)
    assert same(made_of(figure()), made_of(fig))


def test_panels_that_are_not_shown_do_not_count():
    fig = figure()
    CHANGES["title of all"](fig), CHANGES["pixel"](fig)
    assert same(made_of(figure(), 0), made_of(fig, 0))


def test_a_change_in_a_graph_or_a_page_is_noticed():
    a, b = autograd.Value(2.0, label="a"), autograd.Value(2.0, label="b")
    assert same(Graph(autograd.draw(a * a)).made_of(), Graph(autograd.draw(a * a)).made_of())
    assert not same(Graph(autograd.draw(a * a)).made_of(), Graph(autograd.draw(a * b)).made_of())
    page = autograd.explore(a * a).html
    assert same(Screen(page, "light", "n").made_of(), Screen(page, "light", "n").made_of())
    others = Screen(page + " ", "light", "n"), Screen(page, "dark", "n"), Screen(page, "light", "n", "n")
    assert not any(same(Screen(page, "light", "n").made_of(), other.made_of()) for other in others)


# The command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A gallery of a figure and a graph, which draws itself without Graphviz; and what they are made of, to change."""
    source = {"dot": "digraph { a }", "title": "one"}

    class Drawn(Graph):
        def __init__(self):
            self.dot = source["dot"]

        def svg(self):
            return f"<?xml version='1.0'?>\n<svg><title>{self.dot}</title></svg>".encode()

    def panels():
        fig = figure()
        fig.axes[0].set_title(source["title"])
        return Panels(fig, [0])

    monkeypatch.setattr(gallery, "FOLDER", tmp_path / "pictures")
    monkeypatch.setattr(gallery, "PICTURES", [Picture("b.svg", Drawn), Picture("a.png", panels, True)])
    return source


def said(*words):
    """The files that the command says it has written."""
    with redirect_stdout(io.StringIO()) as printed:
        gallery.main([*words])
    return [Path(line.partition(",")[0]).name for line in printed.getvalue().splitlines()]


def test_the_command_makes_what_is_missing_or_stale(two):
    with pytest.raises(SystemExit, match=r"missing or stale: .*b\.svg\nmissing or stale: .*a\.png"):
        said("--check")
    assert not gallery.FOLDER.exists()
    assert said() == ["b.svg", "a.png"]
    assert said() == said("--check") == []
    two["title"] = "another"
    with pytest.raises(SystemExit, match=r"^missing or stale: .*a\.png$"):
        said("--check")
    before = (gallery.FOLDER / "a.png").read_bytes()
    assert said() == ["a.png"]
    assert (gallery.FOLDER / "a.png").read_bytes() != before
    two["dot"] = "digraph { b }"
    assert said() == ["b.svg"]
    assert "<title>digraph { b }</title>" in (gallery.FOLDER / "b.svg").read_text(encoding="utf-8")
    assert said("--all") == ["b.svg", "a.png"]


def test_what_cannot_be_drawn_is_said_and_the_rest_is_made(two, monkeypatch):
    def no_graphviz(self):
        raise RuntimeError("A picture needs Graphviz")

    (drawn, _) = gallery.PICTURES
    monkeypatch.setattr(drawn.shown, "svg", no_graphviz)
    with pytest.raises(SystemExit, match=r"not made: .*b\.svg\. A picture needs Graphviz"):
        said()
    assert [path.name for path in gallery.FOLDER.iterdir()] == ["a.png"]


def test_a_page_needs_a_browser(monkeypatch):
    monkeypatch.setattr(gallery, "missing", lambda: "not installed: chromium")
    with pytest.raises(RuntimeError, match=r"needs a browser\. Received: not installed: chromium"):
        Screen("<p>", "light").png()
