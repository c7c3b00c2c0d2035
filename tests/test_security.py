"""What others wrote is shown and read, and never carried out: text of users in every output, and files of strangers.

    shown()     all that is public and turns text of a user into text, a picture or a page, by its name
    STRUCTURES  what of each language is its structure: with a hostile label it is that with a harmless one
    FILES       files of weights that mean harm

The labels are those of `hostile`. Each output has one label in all places at once: of Values, modules, parameters,
operations made by hand, operations of one's own, classes, functions, metrics, titles.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import pickle
import re
import struct
import tracemalloc
import warnings
import zipfile
from collections import Counter
from html.parser import HTMLParser
from itertools import chain, islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import autograd
import nn
from autograd import Op, Scope, Value
from autograd.checks import one_line
from autograd.context import within
from autograd.render import NO_XML, layout, measures_glyphs

from .hostile import HOSTILE, JOINERS, MARK, SEEN, WORDS

ROOT = Path(__file__).parents[1]
PLAIN = "plain"


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path, monkeypatch):
    """In a folder of its own, where a command that ran would leave its mark."""
    monkeypatch.chdir(tmp_path)
    yield
    assert MARK not in os.listdir(tmp_path)
    assert MARK not in globals()


# A label in all places --------------------------------------------------------------------------------------------


class Net(nn.Module):
    """Modules, parameters and the model itself by names of somebody's own."""

    def __init__(self, label):
        self.parts = {label: nn.Layer(2, 2, activation="relu", rng=0), f"{label} 2": nn.Layer(2, 1, rng=0)}
        self.scales = {label: Value(2.0)}
        self.label = label

    def __call__(self, x):
        for part in self.parts.values():
            x = part(x)
        return x * next(iter(self.scales.values()))


def net(label):
    """A Net whose class bears the label, too, as far as Python lets it."""
    name = label[:100].replace("\0", "").encode(errors="ignore").decode() or "Net"
    made = type(name, (Net,), {})(label)
    made([1.0, 2.0]).backward()
    return made


def graph(label):
    x = Value(0.5, label=label)
    own = Op(label, label, lambda x: 2.0 * x, lambda g, out, x: 2.0 * g)
    inner = own(net(label)([x, 2.0]))
    by_hand = Value(inner.data, (inner,), label or "by hand")
    by_hand.label = label
    with within(scope=Scope(label, label, "layer")):
        out = by_hand * x
    out.label = label
    return out


def program(labels):
    """A compiled program, and a function that tells the same: a parameter, a module and an operation for each label."""
    ws = [Value(0.1 * i, label=label) for i, label in enumerate(labels)]
    layers = [nn.Layer(1, 1, label=label, activation="tanh", rng=0) for label in labels]
    owns = [Op(label, label, lambda x: 2.0 * x, lambda g, out, x: 2.0 * g) for label in labels]

    def f(x, y):
        parts = []
        for w, layer, own in zip(ws, layers, owns, strict=True):
            part = own(w * x) + layer([y])
            part.label = w.label
            parts.append(part.tanh())
        return autograd.sum(parts)

    return f, [*ws, *(p for layer in layers for p in layer.parameters())]


def printed(act):
    """What a call writes to the terminal; tqdm draws its bar anew after a carriage return."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        act()
    return out.getvalue() + re.sub(r"\r(?=epoch )|\r?\x1b\[A", "\n", err.getvalue())


def fitted(labels, **named):
    """A run whose metrics bear the labels, and whose classes may."""
    model = nn.MLP(2, [len(labels)], rng=0, label=labels[0])
    optimizer = nn.SGD(model.parameters(), lr=0.01)
    metrics = {label or "empty": lambda *_: 1.0 for label in labels}
    data = [[1.0, 2.0], [2.0, 1.0]], [0, len(labels) - 1]
    run = {"loss": nn.cross_entropy, "epochs": 2, "rng": 0, **named}
    return nn.fit(model, *data, optimizer=optimizer, metrics=metrics, **run)


def recorded(labels):
    recording = nn.Recording("run.html", classes=labels, title=labels[0])
    fitted(labels, record=recording, progress=False)
    return Path("run.html").read_text("utf-8")


def complaint(act):
    """The text of an error."""
    with pytest.raises((ValueError, TypeError, FloatingPointError, KeyError)) as caught:
        act()
    return str(caught.value)


def anomaly(label):
    def act():
        with autograd.detect_anomaly(), within(scope=Scope(label, label, "layer")):
            Value(0.0, label=label).log()

    return re.sub(r"recorded at .*:\d+", "recorded at", complaint(act))


def saved_by_another(label, suffix=".npz"):
    """The error of a model that is given the file of another."""
    other = net(label)
    theirs = type(type(other).__name__, (nn.Adam,), {})
    nn.save(f"other{suffix}", other, theirs(other.parameters()), extra={label: np.ones(1)})
    mine = nn.MLP(2, [1])
    optimizer = nn.SGD(mine.parameters(), lr=0.1)
    said = complaint(lambda: nn.load(f"other{suffix}", mine)) + "\n"
    return said + complaint(lambda: nn.load(f"other{suffix}", Net(label), optimizer))


def shown(label):
    """(public name, language, text) of each output."""
    out, model = graph(label), net(label)
    for level in ("scalar", "layer"):
        yield "draw", "dot", autograd.draw(out, level=level, glyphs=False).source
        yield "mermaid", "mermaid", autograd.mermaid(out, level=level)
        yield "tree", "terminal", autograd.tree(out, level=level)
    yield "draw", "dot", autograd.draw(out, focus=out, glyphs=False).source
    yield "draw", "dot", autograd.draw(out, path=(out.operands[1], out), glyphs=False).source
    yield "draw", "dot", autograd.draw(long(label), max_nodes=12, glyphs=False).source
    yield "draw_dot", "dot", autograd.draw_dot(out).source
    for frame in [*autograd.steps(graph_of_two(label), glyphs=False)]:
        yield "steps", "dot", frame.source
    yield "expression", "python", autograd.expression(out)
    yield "latex", "latex", autograd.latex(out)
    page = autograd.explore(out, title=label or "title")
    yield "explore", "page", page.html
    yield "explore", "html", page._repr_html_()
    yield "explore", "html", autograd.display.code(label)
    yield "Module", "terminal", repr(model)
    yield "Summary", "terminal", str(model.summary([1.0, 2.0]))
    yield "Summary", "html", model._repr_html_()
    yield "History", "terminal", repr(nn.History([{label: 1.0, "loss": 2.0}]))
    yield "dead_units", "terminal", repr(nn.dead_units(dead(label), [[1.0, 2.0]]))
    yield "Neuron", "terminal", model.parts[label].neurons[0].explain([1.0, 2.0])
    yield "detect_anomaly", "terminal", anomaly(label)
    yield "load", "terminal", saved_by_another(label)
    yield "from_torch", "terminal", complaint(lambda: nn.from_torch(nn.Layer(2, 1), {label: np.ones(3)}))
    yield "from_torch", "terminal", complaint(lambda: nn.from_torch(model, {}))
    yield "SGD", "terminal", complaint(lambda: nn.SGD(model.parameters(), lr=0.1).load_state_dict({label: 1}))


def shown_together(labels):
    """What takes longer, of all labels at once."""
    models = [net(label) for label in labels[::4]]
    yield (
        "render",
        "dot",
        autograd.render([graph_of_two(x) for x in labels], "out.dot", level="scalar", glyphs=False).read_text(
            "utf-8"
        ),
    )
    for model in models:
        yield "saturation", "terminal", repr(nn.saturation(model, [[1.0, 2.0]]))
        yield "gradient_report", "terminal", repr(nn.gradient_report(model, [[1.0, 2.0]]))
    yield "fit", "terminal", printed(lambda: fitted(labels, progress="lines"))
    yield "fit", "bar", printed(lambda: fitted(labels, progress="bar"))
    yield "Recording", "page", recorded([label or "empty" for label in labels])


def long(label):
    """More than can be drawn, outside of any module."""
    x = Value(1.0, label=label)
    for _ in range(40):
        x = x * 1.5
        x.label = label
    return x


def graph_of_two(label):
    out = Value(2.0, label=label) * Value(-3.0, label=label)
    out.label = label
    return out


def dead(label):
    model = Net(label)
    for neuron in model.parts[label].neurons:
        neuron.b.data = -100.0
    return model


# The structure of a text, in each language ------------------------------------------------------------------------

DOT = re.compile(
    r"""(?P<space>\s+|//[^\n]*) | (?P<quoted>"(?:[^"\\]|\\.)*") | (?P<markup><<TABLE.*</TABLE>>)
      | (?P<word>[\w.\x80-\U0010ffff]+|-?[\d.]+) | (?P<sign>->|[][{}=;,])""",
    re.VERBOSE | re.DOTALL,
)
NUMBERED = re.compile(r"(?<=^[vg])\d+|(?<=^cluster_)\d+")  # nodes and frames
TEXTS = (
    "label",
    "tooltip",
    "width",
    "height",
    "fillcolor",
)  # what a label, its length or its dots may change


def dot(text):
    """How often each token is there, but for the texts that are shown; modules stand in the order of their names."""
    tokens: list[Any] = []
    place = 0
    while place < len(text):
        found = DOT.match(text, place)
        assert found, f"no DOT: {text[place : place + 80]!r}"
        place = found.end()
        if found.lastgroup == "space":
            continue
        if tokens[-1:] == ["="] and tokens[-2] in TEXTS:
            tokens.append(str(tags(found[0])) if found.lastgroup == "markup" else "a text")
        else:
            assert found.lastgroup != "markup"
            tokens.append(NUMBERED.sub("", found[0]))
    return Counter(tokens)


class Tags(HTMLParser):
    """Elements with the names of their attributes, and the attributes that do not hold text."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        texts = ("title", "alt", "srcdoc", "src", "content", "width", "height")
        self.found.append((tag, [(name, "" if name in texts else value) for name, value in attrs]))

    def handle_endtag(self, tag):
        self.found.append(f"/{tag}")

    def handle_comment(self, data):
        self.found.append("a comment")


def tags(text):
    parser = Tags()
    parser.feed(text)
    parser.close()
    return parser.found


def page(text):
    """The elements of a page, its policy, and that the data are data."""
    data = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert len(data) == 1
    assert not re.search("[<>&\x7f-\U0010ffff]", data[0])
    json.loads(data[0])
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    code = re.findall(
        r"<(style|script)>(.*?)</\1>", text, re.DOTALL
    )  # which the policy allows by their digests
    return tags(text), policy, [len(text) for _, text in code]


def markup(text):
    """HTML but for bold words: of a program, those are Python's."""
    text.encode()
    return [tag for tag in tags(text) if tag not in (("b", []), "/b", "/span") and tag[0] != "span"]


def bar(text):
    """Lines as well; how often tqdm draws them is a matter of time."""
    terminal(text)


def terminal(text):
    """Lines of letters that a terminal prints."""
    strange = {c for c in text if not c.isprintable() and c not in "\n" + JOINERS}
    assert not strange
    assert max(map(len, text.split("\n"))) < 2500
    return len(text.split("\n"))


def mermaid(text):
    """The statements, with nothing in their boxes; entities by number are harmless."""
    terminal(text)
    text = re.sub(r"#\d+;", "", text)
    text = re.sub(r'\(\("[^"<>`#;\\%\n]*"\)\)', '(("a sign"))', text)
    text = re.sub(r'\["(?:<br/>|[^"<>`#;\\%\n])*"\](:::(value|parameter))?', '["a text"]', text)
    return Counter(line.strip() for line in re.sub(r"\b([vgm])\d+", r"\1", text).split("\n"))


def python(text):
    """The number of statements, all of them sums and products of names: nothing is called that was no operation."""
    tree = ast.parse(safe(text))
    for node in ast.walk(tree):
        assert not isinstance(node, (ast.Lambda, ast.JoinedStr, ast.Dict, ast.ListComp)), ast.dump(node)
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)))
        assert not (
            isinstance(node, ast.Call) and not isinstance(node.func, (ast.Name, ast.Attribute, ast.Subscript))
        )
    return [type(statement).__name__ for statement in tree.body]


def safe(text):
    """Numbers in the path of a parameter, `layers.0.w`, are no Python, and stay as they are."""
    return re.sub(r"(?<=[A-Za-z])\.(?=\d)", "_", text)


ALLOWED = {
    "cdot", "text", "mathrm", "operatorname", "left", "right", "max", "frac", "textbackslash", "textasciitilde",
    "textasciicircum", "textless", "textgreater", "textbar", "begin", "end", "lambda",
}  # fmt: skip


def latex(text):
    """Braces in pairs, and no command but those that write a formula."""
    terminal(text[:2000])
    bare = re.sub(r"\\[{}$&#_%,\\]", "", text)
    depth = 0
    for c in bare:
        depth += (c == "{") - (c == "}")
        assert depth >= 0
    assert depth == 0
    assert not set("$&#%<>|~") & set(bare)
    assert {*re.findall(r"\\([a-zA-Z]+)", bare)} <= ALLOWED
    assert [*re.findall(r"\\(?:begin|end)\{(\w+)\}", bare)] in ([], ["aligned", "aligned"])


def source(text):
    """What of Python's and of the table's a compiled program calls, beside the names that it gives itself."""
    tree = ast.parse(text)
    given = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    given |= {x.id for x in ast.walk(tree) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)}
    assert not given & {*WORDS, *autograd.TABLE, "np"}
    for node in ast.walk(tree):
        assert not isinstance(node, (ast.Import, ast.ImportFrom, ast.Lambda, ast.JoinedStr, ast.Global))
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)))
    assert not re.search(r"[^\x20-\x7eΑ-Ωα-ω\n]", text)
    read = {x.id for x in ast.walk(tree) if isinstance(x, ast.Name)} - given
    attributes = {x.attr for x in ast.walk(tree) if isinstance(x, ast.Attribute)}
    return read & {*WORDS, *autograd.TABLE, "np"}, attributes


STRUCTURES = {
    "bar": bar,
    "dot": dot, "html": markup, "latex": latex, "mermaid": mermaid, "page": page, "python": python,
    "source": source, "terminal": terminal,
}  # fmt: skip


def structures(outputs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a graph was collapsed
        return [(name, language, STRUCTURES[language](text)) for name, language, text in outputs]


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("harmless"))
    try:
        return structures(shown(PLAIN))
    finally:
        os.chdir(before)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_label_changes_no_structure(kind, harmless):
    for (name, language, found), (_, _, expected) in zip(
        structures(shown(HOSTILE[kind])), harmless, strict=True
    ):
        if one_line(HOSTILE[kind]) or language in ("latex", "page", "python"):  # no label is no line
            assert found == expected, (name, language)


def test_all_labels_together_change_none():
    labels = [label for label in HOSTILE.values() if one_line(label)]
    plain = [f"{PLAIN}{i}" for i in range(len(labels))]
    for (name, language, found), (_, _, expected) in zip(
        structures(shown_together(labels)), structures(shown_together(plain)), strict=True
    ):
        assert found == expected, (name, language)


COMPILED = [*HOSTILE.values(), *WORDS[::8], "a function's", "exp", "tanh", "square"]


@pytest.mark.parametrize("batch", [True, False])
def test_labels_change_no_compiled_program(batch):
    """Neither what it computes nor what it calls. How its lines are broken depends on the lengths of names."""
    data = [[0.5, 0.25]] * 2 if batch else (0.5, 0.25)
    found = []
    for labels in (COMPILED, [f"{PLAIN}{i}" for i in range(len(COMPILED))]):
        f, wrt = program(labels)
        compiled = autograd.compile(f, wrt=wrt, batch=batch)
        value, slopes = compiled.value_and_grad(*data)
        eager = np.mean([float(f(x, x)) for x in (0.5, 0.25)]) if batch else float(f(0.5, 0.25))
        assert value == pytest.approx(eager, rel=1e-12)
        found.append((value, slopes.tolist(), source(compiled.source)))
        dot(compiled.draw().source)
        terminal(repr(compiled))
        markup(compiled._repr_html_())
    assert found[0] == found[1]


# Names that are public and make no text of a user's, or none but what the others in `shown` make of it.
SILENT = [
    "Constant", "Program", "Scope", "TABLE", "Vector", "check_gradient", "dot", "grad", "gradient", "hessian",
    "hvp", "jacobian", "jvp", "no_grad", "record_lines", "take", "trace", "uniform", "value_and_grad", "vjp",
    "Checkpoint", "Callback", "DataLoader", "EarlyStopping", "Fit", "MinMax", "Optimizer", "Standardize",
    "TrainStep", "activations", "attention", "attention_weights", "binary_cross_entropy", "causal_mask",
    "clip_grad_norm", "clip_grad_value", "collapse_linear", "cross_entropy", "data", "hinge", "huber", "init",
    "kl", "load_arrays", "mae", "masked_cross_entropy", "metrics", "mse", "multi_margin", "next_token", "nll",
    "one_hot", "padding_mask", "penalties", "rotary", "schedules", "sinusoidal", "state_arrays", "summary",
    "to_torch", "train_step", "train_test_split", "watching",
]  # fmt: skip
BELOW = ["Op", "Value", "compile", "compile_graph", "op", "plots", "save"]  # in tests of their own, or in all


def test_whatever_is_public_is_here_or_shows_no_text():
    """A new output is noticed; of modules and optimisers, one stands for all."""
    names = {name for name, *_ in structures(chain(shown(PLAIN), shown_together([PLAIN, "other"])))}
    public = {name: getattr(nn, name) for name in nn.__all__}
    alike = {
        name for name, x in public.items() if isinstance(x, type) and issubclass(x, (nn.Module, nn.Optimizer))
    }
    known = names | alike | {*SILENT, *BELOW, *autograd.TABLE}
    assert {*autograd.__all__, *nn.__all__} == known & {*autograd.__all__, *nn.__all__}
    assert {*SILENT, *BELOW} <= {*autograd.__all__, *nn.__all__}


@pytest.mark.filterwarnings(
    "ignore:No artists with labels"
)  # matplotlib leaves out what begins with an underscore
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
def test_plots_show_names_as_they_stand():
    """Neither mathematics nor TeX, whatever matplotlib is set to, and SVG that a page can hold."""
    matplotlib = pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    def twice(x):
        return 2.0 * x

    kinds = ("dollar", "mathtext", "input", "colour", "lone", "long")
    for label in map(HOSTILE.__getitem__, kinds):
        model, conv = net(label), nn.Conv2d(1, 1, 2)
        conv.__class__ = type(type(model).__name__, (nn.Conv2d,), {})
        twice.__name__ = twice.__doc__ = label.encode(errors="replace").decode()
        plots: list[Any] = [
            lambda ax, label=label: nn.plots.history({label: [1.0, 2.0]}, ax, [label]),
            lambda ax: nn.plots.activation(twice, ax=ax),
            lambda ax, model=model: nn.plots.weights(model, ax),
            lambda ax, model=model: nn.plots.gradient_flow(model, ax),
            lambda ax, label=label: nn.plots.confusion([[1, 2], [3, 4]], [label, "x"], ax),
            lambda ax, conv=conv: nn.plots.filters(conv, ax),
        ]
        for plot in plots:
            with matplotlib.rc_context({"text.usetex": True}):
                ax = plot(Figure().subplots())
            legend = ax.get_legend()
            texts = [*ax.get_yticklabels(), *(legend.get_texts() if legend else ()), ax.title, ax._left_title]
            for text in texts:
                assert terminal(text.get_text())
                if (
                    one_line(label)[:10] in text.get_text()
                    and "10^" not in text.get_text()
                    and one_line(label)
                ):
                    assert not text.get_parse_math()
                    assert not text.get_usetex()
    svg = nn.History([{label: 1.0 for label in HOSTILE.values() if label}])._repr_svg_()
    assert svg is not None
    found = {e.tag.rpartition("}")[2] for e in ElementTree.fromstring(svg).iter()}
    assert not found & {"script", "a", "image", "foreignObject"}


# What reads it back -----------------------------------------------------------------------------------------------


def cut(label, longest=40):
    """A label as a picture shows it: on one line, no longer than that."""
    text = " ".join(NO_XML.sub("\N{REPLACEMENT CHARACTER}", label[: 8 * longest]).split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def pictures(labels):
    """Pictures with all labels, of values and operations, frames, parts and records; with how often a label is in
    each, and how long it may be."""
    leaves = [Value(1.0, label=label) for label in labels]
    own = [
        Op(label or "op", "x", lambda x: x, lambda g, out, x: g)(x)
        for x, label in zip(leaves, labels, strict=True)
    ]
    inside = []
    for label in labels:
        with within(scope=Scope(label, "", "layer")):
            inside.append(leaves[0] * 2.0)
    yield autograd.draw(own, level="scalar", glyphs=False), 2, 40
    yield autograd.draw(inside, level="scalar", glyphs=False), 1, 60
    yield autograd.draw(inside, level="layer", glyphs=False), 1, 60
    yield autograd.draw_dot(autograd.sum(leaves)), 1, 40
    frames = autograd.steps(autograd.sum(leaves), max_nodes=1000, glyphs=False)
    yield next(islice(frames, 1, 2)), 1, 40


def test_graphviz_shows_labels_and_nothing_else():
    pytest.importorskip("pygraphviz") if not measures_glyphs() else None
    labels = [label for label in HOSTILE.values() if cut(label)]
    plain = [f"{PLAIN}{i}" for i in range(len(labels))]
    for (picture, times, longest), (other, *_) in zip(pictures(labels), pictures(plain), strict=True):
        drawn, expected = (ElementTree.fromstring(layout(x, "svg")) for x in (picture, other))
        assert Counter(e.tag.rpartition("}")[2] for e in drawn.iter()) == Counter(
            e.tag.rpartition("}")[2] for e in expected.iter()
        )
        assert not any("href" in name or name.startswith("on") for e in drawn.iter() for name in e.attrib)
        texts = Counter(squeezed("".join(e.itertext())) for e in drawn.iter() if e.tag.endswith("text"))
        for label, n in Counter(squeezed(cut(label, longest)) for label in labels).items():
            assert texts[label] >= times * n, label


def squeezed(text):
    """Without spaces, of which Graphviz drops some in records."""
    return re.sub(r"\s", "", text)


def notebook(labels):
    """All that a notebook shows inline, in a page without any policy of its own."""
    for label in labels:
        model = net(label)
        yield model._repr_html_()
        yield autograd.display.code(label)
        yield autograd.display.table([[label, "n"], [label, "1"]], ("n",), label, label)
        yield autograd.explore(graph_of_two(label), title=label or "title")._repr_html_()
    for picture, *_ in pictures(labels):
        yield autograd.display.picture(picture) or ""
    f, wrt = program([*labels])
    compiled = autograd.compile(f, wrt=wrt)
    compiled(0.5, 0.25)
    yield compiled._repr_html_()
    yield nn.History([dict.fromkeys(labels, 1.0)])._repr_svg_() or ""


STRANGE = "img:not([src^='data:image/svg+xml;base64,']), a[href], object, embed, link, base, foreignObject, script[src]"


def nothing_came(browser):
    """Nothing ran, and no element is there that a label would have made."""
    assert browser.run(f"return '{MARK}' in window") is False
    assert browser.run("return document.querySelectorAll(arguments[0]).length", STRANGE) == 0
    named = """return [...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames())
        .filter((name) => name.startsWith('on') || name === 'autofocus').length"""
    assert browser.run(named) == 0


def test_nothing_runs_in_the_explorer(visit, tmp_path):
    out = autograd.sum([Value(1.0, label=label) * Value(2.0, label=label) for label in SEEN])
    browser = visit(autograd.explore(out, tmp_path / "graph.html", title=HOSTILE["end"], level="scalar"))
    assert browser.run("return document.querySelectorAll('[data-id]').length") > len(SEEN)
    browser.run(
        """for (const item of document.querySelectorAll('[data-id]'))
            for (const kind of ["click", "pointerover", "focusin"])
                item.dispatchEvent(new MouseEvent(kind, { bubbles: true }));"""
    )
    browser.press("/", *"<img", "Enter", "Escape", "n", "n", "End", "p")
    assert browser.run("return document.title") == HOSTILE["end"]
    texts = browser.run("return [...document.querySelectorAll('text')].map((e) => e.textContent)")
    assert {HOSTILE[kind] for kind in ("html label", "angles", "prototype")} <= {*texts}
    nothing_came(browser)


def test_nothing_runs_in_a_recording(visit, tmp_path):
    recorded([label or "empty" for label in SEEN])
    browser = visit(tmp_path / "run.html")
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
    browser.press("]", "Left", "End", "n")
    shown = browser.run("return document.body.innerText")
    assert HOSTILE["html label"] in shown
    assert HOSTILE["entities"] in shown
    nothing_came(browser)


def test_nothing_runs_in_a_notebook(visit, tmp_path):
    """What notebooks show inline, in a page that forbids nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of matplotlib, that a font lacks letters
        parts = "\n".join(notebook(SEEN)).encode()
    (tmp_path / "notebook.html").write_bytes(b"<!doctype html><meta charset=utf-8><body>" + parts)
    browser = visit(tmp_path / "notebook.html")
    assert browser.run("return frames.length") == len(SEEN)
    assert HOSTILE["script"] in browser.run("return document.body.innerText")
    nothing_came(browser)


# Files of strangers -----------------------------------------------------------------------------------------------


class Trap:
    """Unpickled, it leaves its mark."""

    def __reduce__(self):
        return open, (MARK, "w")


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(text, data=b""):
    """An array's file with that header, whatever it says."""
    line = text.encode() + b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line + data


def zipped(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")  # that a name stands twice
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def text(**changes):
    content = {"format": "neurongrad", "version": 1, "model": "Neuron(1)", "extra": {}, **changes}
    return "text.npy", npy(np.frombuffer(json.dumps(content).encode(), np.uint8))


W, B = ("model/w.npy", npy(np.ones(1))), ("model/b.npy", npy(np.ones(())))


def overlapping():
    """A directory that lists the same million bytes four hundred times."""
    data = zipped([text(), W, B, ("big.npy", npy(np.zeros(1_000_000, np.uint8)))])
    end = data.rfind(b"PK\5\6")
    count, size, start = struct.unpack("<HLL", data[end + 10 : end + 20])
    directory = data[start : start + size]
    last = directory[directory.rfind(b"PK\1\2") :]
    more = b"".join(last[:46] + b"%03d" % k + last[49:] for k in range(400))
    numbers = (0, 0, count + 400, count + 400, size + len(more), start, 0)
    return data[:start] + directory + more + b"PK\5\6" + struct.pack("<HHHHLLH", *numbers)


OBJECTS = npy(np.array([Trap()], object))
FILES = {
    "a pickle": pickle.dumps(Trap()),
    "a pickled array": OBJECTS,
    "a pickled member": zipped([text(), W, B, ("x.npy", OBJECTS)]),
    "a pickled text": zipped([("text.npy", OBJECTS), W, B]),
    "a pickled parameter": zipped([text(), ("model/w.npy", OBJECTS), B]),
    "code for a header": zipped([text(), W, ("model/b.npy", header(f"open('{MARK}', 'w')"))]),
    "a bomb": zipped([text(), W, B, ("x.npy", npy(np.zeros(50_000_000, np.uint8)))], zipfile.ZIP_DEFLATED),
    "members that overlap": overlapping(),
    "a member twice": zipped([text(), W, B, W]),
    "a text twice": zipped([text(), W, B, text(extra={"a": 1})]),
    "JSON without an end": zipped([("text.npy", npy(np.frombuffer(b"[" * 100_000, np.uint8))), W, B]),
    **{
        f"a shape of {shape}": zipped(
            [
                text(),
                W,
                ("model/b.npy", header(str({"descr": "<f8", "fortran_order": False, "shape": shape}))),
            ]
        )
        for shape in ((10**15,), (-1,), (0, 10**30), (2**62, 4), "x")
    },
    **{
        f"{name} that is {x!r}": zipped([text(**{name: x}), W, B])
        for name in ("optimizer", "schedule", "extra", "others", "model")
        for x in (5, None, [1], {"kind": 5, "state": {}}, {"kind": "SGD"}, {"kind": "SGD", "state": 5})
        if not (name in ("extra", "others") and isinstance(x, dict))
    },
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_mean_harm_are_refused(name, tmp_path):
    Path("model.npz").write_bytes(FILES[name])
    model = nn.Neuron(1, rng=0)
    before = [p.data for p in model.parameters()]
    tracemalloc.start()
    with pytest.raises(
        ValueError, match=r"load needs a complete file that save has written.* damaged or of another"
    ):
        nn.load("model.npz", model)
    assert tracemalloc.get_traced_memory()[1] < 10 * len(FILES[name]) + 1e6 or "shape" in name
    tracemalloc.stop()
    assert [p.data for p in model.parameters()] == before
    assert os.listdir(tmp_path) == ["model.npz"]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_names_come_back_and_name_no_file(suffix, tmp_path):
    """Whatever modules and entries of `extra` are called: the names in the archive stay within the folder of it."""
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    for label in HOSTILE.values():
        model, twin = Net(label), Net(label)
        extra = {label: np.arange(3.0), "a": {label: label}}
        path = tmp_path / f"model{suffix}"
        nn.save(path, model, extra=extra)
        for p in twin.parameters():
            p.data = 7.0
        found = nn.load(path, twin)
        assert [p.data for p in twin.parameters()] == [p.data for p in model.parameters()]
        assert (found[label].tolist(), found["a"]) == ([0.0, 1.0, 2.0], {label: label})
        if suffix == ".npz":
            names = zipfile.ZipFile(path).namelist()
            assert len({*names}) == len(names) > 5
            for name in names:
                assert re.fullmatch(r"[\w .\[\]/-]{1,250}", name)
                assert all(part.strip(" .") and not part.startswith(".") for part in name.split("/"))
    assert os.listdir(tmp_path) == [f"model{suffix}"]


READERS = {("np", "load"), ("numpy", "load")}
BUILTIN = {"eval", "exec", "__import__"}
DANGEROUS = {"load_module", "loads", "Unpickler", "system", "popen", "Popen", "run_path", "run_module"}
KNOWN = {  # where something of that kind is called all the same: what of it is
    ("autograd/compiler/text.py", "exec"),  # the text that the compiler has made of syntax trees
    ("nn/saving.py", "loads"),  # of JSON
}


def test_nothing_else_in_the_library_runs_text_or_unpickles():
    found = set()
    for path in sorted([*(ROOT / "autograd").rglob("*.py"), *(ROOT / "nn").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            f = node.func
            name = f.id if isinstance(f, ast.Name) else f.attr if isinstance(f, ast.Attribute) else ""
            if name in (BUILTIN if isinstance(f, ast.Name) else DANGEROUS):
                found.add((path.relative_to(ROOT).as_posix(), name))
            named = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
            assert not named.get("shell")
            assert not named.get("allow_pickle"), path
            if isinstance(f, ast.Attribute) and (ast.unparse(f.value), name) in READERS:
                assert named["allow_pickle"] is False, path
    assert found == KNOWN
