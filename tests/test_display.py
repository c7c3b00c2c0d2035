"""What a notebook is given of each thing that displays itself: text always, and one picture or one page besides."""

import copy
import html
import json
import pickle
import re
import shutil
import sys
import warnings
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import autograd
import nn
from autograd import Value
from autograd.display import LINES, code, table
from autograd.explorer import explore

from .test_summary import MODELS

ROOT = Path(__file__).parents[1]
SVG, HTML = "image/svg+xml", "text/html"
PICTURE = "data:image/svg+xml;base64,"  # inside a page

# Each thing as a notebook makes it: the lines of a cell, the last of which gives the thing; what is shown beside the
# text; and what that needs.
THINGS: dict[str, tuple[str, str, str]] = {
    "Value": ("(Value(2.0, label='a') * 3).tanh()", SVG, "graphviz"),
    "a leaf": ("Value(2.0)", SVG, "graphviz"),
    "a Value of a large graph": ("nn.MLP(8, [8, 8, 1], rng=0)([1.0] * 8)", SVG, "graphviz"),
    "Digraph": ("autograd.draw(Value(2.0) * 3)", SVG, "graphviz"),
    "the tutorials' picture": ("autograd.draw_dot(Value(2.0) * 3)", SVG, "graphviz"),
    "a frame of steps": ("[*autograd.steps(Value(2.0) * 3)][0]", SVG, "graphviz"),
    "Module": ("nn.MLP(2, [3, 1], rng=0)", HTML, ""),
    "Summary": ("nn.MLP(2, [3, 1], rng=0).summary()", HTML, ""),
    "History": (
        "nn.History([{'loss': 0.5, 'val_loss': 0.75}, {'loss': 0.25, 'val_loss': 0.5}])",
        SVG,
        "plot",
    ),
    "History without loss": ("nn.History([{'accuracy': 0.5}, {'accuracy': 0.75}])", SVG, "plot"),
    "explorer": ("autograd.explore(Value(2.0) * 3)", HTML, ""),
    "Recording": (
        "r = nn.Recording()\nr.add(nn.MLP(2, [2, 1], rng=0), [[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])\nr",
        HTML,
        "",
    ),
    "Program": ("p = autograd.compile(lambda x: x * x + 1)\np(2.0)\np", HTML, ""),
    "Program of a graph": (
        "a = Value(2.0, label='a')\np = autograd.compile_graph(a * a, inputs=[a])\np.value_and_grad(3.0)\np",
        HTML,
        "",
    ),
    "TrainStep": (
        "m = nn.MLP(2, [3, 1], rng=0)\ns = nn.train_step(m, nn.mse, nn.SGD(m.parameters(), lr=0.1))\n"
        "s(np.ones((4, 2)), np.ones(4))\ns",
        HTML,
        "",
    ),
    "History of no epoch": ("nn.History()", "", ""),
    "an uncalled Program": ("autograd.compile(lambda x: x * x)", "", ""),
    "an uncalled TrainStep": (
        "m = nn.Neuron(2)\nnn.train_step(m, nn.mse, nn.SGD(m.parameters(), lr=0.1))",
        "",
        "",
    ),
    "an empty Recording": ("nn.Recording()", "", ""),
}
WITH_PROGRAM = ("Program", "Program of a graph", "TrainStep")


def made(name: str) -> Any:
    *first, last = THINGS[name][0].split("\n")
    names = {"autograd": autograd, "nn": nn, "np": np, "Value": Value}
    exec("\n".join(first), names)
    return eval(last, names)


def shown(x: Any) -> dict[str, str]:
    """What a notebook is given: IPython asks for a bundle first, then for each kind."""
    assert not callable(getattr(x, "_repr_mimebundle_", None))
    found = {"text/plain": repr(x)}
    for kind, name in ((SVG, "_repr_svg_"), (HTML, "_repr_html_")):
        if hasattr(x, name) and (content := getattr(x, name)()) is not None:
            found[kind] = content
    return found


@pytest.fixture(params=["dot", "pygraphviz", "no Graphviz"])
def graphviz(request, monkeypatch, tmp_path):
    """Each way in which Graphviz is there or not; whether it is."""
    if request.param == "dot" and not shutil.which("dot"):
        pytest.skip("not installed: dot (apt install graphviz)")
    if request.param == "pygraphviz":
        pytest.importorskip("pygraphviz")
    if request.param != "dot":
        monkeypatch.setenv("PATH", str(tmp_path))
    if request.param != "pygraphviz":
        monkeypatch.setitem(sys.modules, "pygraphviz", None)
    return request.param != "no Graphviz"


@pytest.fixture(params=["matplotlib", "no matplotlib"])
def plot(request, monkeypatch):
    if request.param == "matplotlib":
        pytest.importorskip("matplotlib")
        return True
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    return False


@pytest.mark.parametrize("name", THINGS)
def test_text_always_and_one_picture_or_page_where_it_can_be_made(name, graphviz, plot):
    _, kind, needs = THINGS[name]
    there = {"": True, "graphviz": graphviz, "plot": plot}[needs]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = shown(made(name))
    assert {*found} == {"text/plain", *([kind] if kind and there else [])}
    assert found["text/plain"].strip()
    assert "<iframe" not in found["text/plain"]
    if SVG in found:
        assert ElementTree.fromstring(found[SVG]).tag.endswith("svg")
    if name in WITH_PROGRAM:
        assert (PICTURE in found[HTML]) == graphviz


def test_what_is_not_compiled_or_recorded_yet_says_so():
    assert repr(made("an uncalled Program")) == "<program lambda, compiled when it is called>"
    assert repr(made("Program")) == "<program lambda, compiled for 1 shape>"
    program = autograd.compile(lambda x: x * x, batch=True)
    program(np.ones(3)), program(np.ones((3, 2)))
    assert repr(program) == "<program lambda, compiled for 2 shapes>"
    assert repr(made("an empty Recording")) == "<Recording>"
    assert repr(made("History of no epoch")) == "History of no epoch"


def test_a_terminal_asks_for_text_alone(monkeypatch):
    """A picture takes time, and who draws on axes imports matplotlib: none of it where nobody could see it."""
    formatters = pytest.importorskip("IPython.core.formatters")

    drawn: list[Any] = []
    monkeypatch.setattr(sys.modules["autograd.display"], "layout", lambda *kind, **_: drawn.append(kind))
    monkeypatch.setattr(sys.modules["nn.charts"], "svg", lambda *kind: drawn.append(kind))
    terminal = formatters.DisplayFormatter()
    terminal.active_types = ["text/plain"]
    for name in THINGS:
        bundle, _ = terminal.format(made(name))
        assert {*bundle} == {"text/plain"}, name
    assert not drawn


@pytest.mark.filterwarnings("ignore")  # of the notebook's own machinery
def test_a_real_notebook_shows_each_of_them():
    for package in ("ipykernel", "IPython"):
        pytest.importorskip(package)
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    from autograd.render import layout

    try:
        layout("digraph {}", "svg")
    except RuntimeError:
        pytest.skip("not installed: Graphviz")
    pytest.importorskip("matplotlib")
    first = "import numpy as np, autograd, nn\nfrom autograd import Value"
    quoted = "with autograd.record_lines():\n    y = Value(2.0).exp()\nautograd.explore(y)"
    cells = [
        nbformat.v4.new_code_cell(text) for text in (first, *(cell for cell, *_ in THINGS.values()), quoted)
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    )
    client.execute()
    nbformat.validate(notebook)
    for name, cell in zip(THINGS, cells[1:], strict=False):
        (output,) = cell.outputs  # no traceback or warning beside it
        kind = THINGS[name][1]
        assert {*output.data} == {"text/plain", *([kind] if kind else [])}, name
        if name not in ("Digraph", "the tutorials' picture", "a frame of steps"):  # they tell where they lie
            assert output.data["text/plain"] == repr(made(name)), name
    page = html.unescape(cells[-1].outputs[0].data[HTML])
    assert f'"In[{len(cells)}]:2: y = Value(2.0).exp()"' in page


def test_a_large_program_is_not_drawn_and_a_huge_one_is_cut(monkeypatch):
    program = made("Program")
    monkeypatch.setattr(sys.modules["autograd.compiler.program"], "DRAWN", 1)
    assert PICTURE not in program._repr_html_()
    assert text_of(program._repr_html_()) == program.source.rstrip("\n")
    text = text_of(code("x = 1\n" * (LINES + 1234)))
    assert text.splitlines() == ["x = 1"] * LINES + ["... 1,234 more lines: see its attribute source"]


def test_what_takes_too_long_to_draw_is_text(monkeypatch):
    def layout(*_: Any, timeout: float, **__: Any) -> bytes:
        assert 0.0 < timeout <= 10.0
        raise TimeoutError

    monkeypatch.setattr(sys.modules["autograd.display"], "layout", layout)
    assert {*shown(made("Value"))} == {"text/plain"}
    assert PICTURE not in shown(made("Program"))[HTML]


# What stands in a page --------------------------------------------------------------------------------------------


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", page))


class Cells(HTMLParser):
    """The rows of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.inside = False

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.inside = tag in ("td", "th")
        if tag == "tr":
            self.rows.append([])
        if self.inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


def cells_of(page: str | None) -> Cells:
    assert page
    parser = Cells()
    parser.feed(page)
    return parser


@pytest.mark.parametrize("name", WITH_PROGRAM)
def test_a_program_shows_its_source_and_its_arrays(name):
    program = made(name)
    page = program._repr_html_()
    assert text_of(page) == program.source.rstrip("\n")
    assert "<b>def</b> " in page
    comments = re.findall(r'<span style="opacity:.6">(.*?)</span>', page)
    assert comments == [html.escape(c, quote=False) for c in re.findall("#.*", program.source)]
    if picture := re.search(PICTURE + '([^"]*)"', page):
        drawn = ElementTree.fromstring(b64decode(picture[1]))
        labels = {text.text for text in drawn.iter() if text.tag.endswith("text")}
        assert any("input" in (label or "") for label in labels)


def test_strings_and_signs_of_a_program_stay_what_they_are():
    source = "def f(x):\n    return g('# not in', x < 2 and \"if\")  # <b> & if"
    assert text_of(code(source)) == source
    assert re.findall("<b>(.*?)</b>", code(source)) == ["def", "return", "and"]
    assert code(source).count("<span") == 1


@pytest.mark.parametrize("name", MODELS)
def test_a_model_and_its_summary_show_the_table(name):
    make, sample = MODELS[name]
    model = make()
    text = model.summary(*sample)
    found = cells_of(text._repr_html_())
    lines = [line.split() for line in text.splitlines()]
    assert [" ".join(row).split() for row in found.rows] == lines[1:-1]
    _, title, *_, depth, _ = text_of(text._repr_html_()).split("\n")
    assert [title, depth] == [text.splitlines()[0], text.splitlines()[-1]]
    assert cells_of(model._repr_html_()).rows == cells_of(model.summary()._repr_html_()).rows
    assert sum(row["parameters"] for row in text.rows) == model.count_parameters()
    shown = [row[0] for row in found.rows[1:-1]]
    assert [row["layer"] for row in text.rows] == shown
    for name in ("weights", "biases", "parameters"):
        total = found.rows[-1][found.rows[0].index(name)]
        assert f"{sum(row[name] for row in text.rows):,}" == total


def test_a_summary_is_a_str_that_a_prompt_shows_as_it_is(capsys):
    text = nn.MLP(2, [3, 1]).summary()
    plain = "".join(text)  # a str and no more
    assert type(plain) is str
    assert isinstance(text, nn.Summary)
    assert isinstance(text, str)
    assert text == plain
    assert hash(text) == hash(plain)
    print(text)
    sys.displayhook(text)
    assert capsys.readouterr().out == f"{plain}\n{plain}\n"
    assert f"{text}" == str(text) == repr(text) == plain
    assert json.loads(json.dumps(text)) == plain
    for twin in (
        *(pickle.loads(pickle.dumps(text, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)),
        copy.copy(text),
        copy.deepcopy(text),
    ):
        assert twin == text
        assert type(twin) is nn.Summary
        assert twin.rows == text.rows
        assert twin._repr_html_() == text._repr_html_()
    assert {*shown(nn.Summary("alone"))} == {"text/plain"}


def test_names_are_not_taken_for_html():
    hostile = "<script>&\"'"
    model: Any = nn.Sequential()
    setattr(model, hostile, nn.Layer(2, 1))
    for page in (
        model._repr_html_(),
        table([[hostile, "n"], [hostile, "1"]], ("n",), hostile, hostile),
    ):
        found = cells_of(page)
        assert "script" not in found.tags
        assert hostile in [row[0] for row in found.rows]
        assert text_of(page).count(hostile) == page.count("&lt;script")


def test_a_model_with_a_summary_of_its_own_is_shown_all_the_same():
    class Own(nn.Module):
        def __init__(self):
            self.layer = nn.Layer(2, 1)

        def summary(self, *_):
            raise RuntimeError("mine")

    assert cells_of(Own()._repr_html_()).rows[-1][0] == "total"


def test_the_frame_of_a_page_holds_the_page():
    page = explore(Value(2.0, label='"<&') * 3, title='"<&')
    frame = page._repr_html_()
    found = re.fullmatch(
        r'<iframe title="([^"<]*)" sandbox="allow-scripts" [^<]*srcdoc="([^"<]*)"></iframe>', frame
    )
    assert found
    assert html.unescape(found[1]) == page.title == '"<&'
    assert html.unescape(found[2]) == page.html


# Curves -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        [{"loss": 1.0}],
        [{"loss": float("nan")}, {"loss": float("inf")}, {"loss": 1.0}],
        [{"loss": 1.0}, {"val_loss": 2.0}],
        [dict.fromkeys("abcdefg", 0.5)],
        [{"loss": 1e300}, {"loss": 1e-300}],
        [{"loss": 1.0 / n} for n in range(1, 300)],
    ],
    ids=str,
)
def test_the_curves_of_a_history(rows):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    history = nn.History(rows)
    before = pyplot.get_fignums()
    svg = history._repr_svg_()
    assert svg is not None
    named = re.findall(r"<!-- (\S+) -->", svg)  # matplotlib writes each text beside its outlines
    expected = [name for name in ("loss", "val_loss") if name in history] or [*history]
    assert [name for name in named if name in history] == expected
    assert history._repr_svg_() == svg  # the same in every run: a notebook that ran again has not changed
    assert pyplot.get_fignums() == before


def test_what_no_scale_fits_is_text():
    pytest.importorskip("matplotlib")
    assert {*shown(nn.History([{"loss": 1e308}, {"loss": -1e308}]))} == {"text/plain"}
