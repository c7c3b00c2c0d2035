"""The picture, compared as DOT text: what is in it, at which level, and that looking changes nothing."""

import math
import re
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest

import autograd
import nn
from autograd import Value, dot, draw, draw_dot, render
from autograd.context import Scope, within
from autograd.ops import Op
from autograd.value import topological
from autograd.vector import Vector

ROOT = Path(__file__).parents[1]


def statements(picture):
    """The attributes of each node and the edges of a Digraph, from its DOT text."""
    nodes, edges = {}, []
    for line in picture.source.splitlines():
        line = line.strip()
        if arrow := re.match(r'("[^"]+"|\w+) -> ("[^"]+"|\w+)', line):
            edges.append(arrow.groups())
        elif box := re.match(r'("[^"]+"|\w+) \[label=("(?:[^"\\]|\\.)*"|\S+)(.*)\]$', line):
            nodes[box[1]] = box[2].strip('"')
    return nodes, edges


def neuron():
    unit = nn.Neuron(3, activation="sigmoid")
    for w, start in zip(unit.w, (0.4, -0.6, 0.9), strict=True):
        w.data = start
    unit.b.data = 0.1
    x = [Value(number, label=f"x[{i}]") for i, number in enumerate((0.5, 0.8, 0.2))]
    return unit, x, unit(x)


def test_the_worked_neuron():
    _, _, out = neuron()
    nodes, edges = statements(draw(out, glyphs=False))
    assert Counter(label for name, label in nodes.items() if name.endswith("op")) == {
        "*": 3,
        "+": 3,
        "sigmoid": 1,
    }
    values = [label for name, label in nodes.items() if not name.endswith("op")]
    assert len(values) == 4 + 3 + 7  # parameters, inputs, and what was computed
    assert all(label.endswith("grad -") for label in values)
    assert len(edges) == 7 + 13
    out.backward()
    after, _ = statements(draw(out, glyphs=False))
    assert "w[0]\\ndata 0.4\\ngrad 0.125" in after.values()
    assert "x[1]\\ndata 0.8\\ngrad -0.15" in after.values()
    assert "σ" in draw(out, glyphs=True).source


def test_local_derivatives_stand_on_the_edges():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    source = draw(a * b).source
    assert re.findall(r'v\d -> v2op \[label=" (\S+)"\]', source) == ["-3", "2"]
    assert "label" not in "".join(re.findall(r"v\d -> .*", draw(a * b, local_grads=False).source))


def test_numbers_are_drawn_where_they_are_operands_and_stand_in_the_symbol_where_they_are_settings():
    x = Value(3.0, label="x")
    nodes, _ = statements(draw(x * 2.0 + 1.0, glyphs=False))
    assert {"2", "1"} <= set(nodes.values())
    nodes, _ = statements(draw((x**2).leaky_relu(0.3), glyphs=False))
    assert {"**2", "leaky_relu 0.3"} <= set(nodes.values())


def state(out):
    return [
        (id(v), v.data, v.grad, v.label, v.op, v.scope, v._x, v._y, v._dx, v._dy, dict(v.__dict__))
        for v in topological(out)
    ]


@pytest.mark.parametrize("options", [{}, {"unfold": False}, {"level": "neuron"}, {"level": "model"}])
def test_drawing_changes_nothing(options):
    _, _, out = neuron()
    before = state(out)
    first = draw(out, **options).source
    assert state(out) == before
    assert draw(out, **options).source == first


@pytest.mark.parametrize("backward", [False, True])
def test_a_folded_sum_is_drawn_as_the_one_written_out(backward):
    def both(make):
        w, x, b = [Value(0.5), Value(-2.0)], [Value(3.0), Value(4.0)], Value(1.0)
        out = make(w, x, b)
        if backward:
            out.backward()
        return draw(out).source

    assert both(dot) == both(lambda w, x, b: sum((wi * xi for wi, xi in zip(w, x, strict=True)), b))
    assert both(lambda w, x, b: autograd.sum([*w, b])) == both(lambda w, x, b: w[0] + w[1] + b)


def test_folded_is_one_operation():
    _, _, out = neuron()
    nodes, _ = statements(draw(out, unfold=False, glyphs=False))
    assert Counter(label for name, label in nodes.items() if name.endswith("op")) == {"dot": 1, "sigmoid": 1}


def test_clusters_nest_as_the_modules_and_hold_their_parameters():
    model = nn.MLP(2, [2, 1], rng=0)
    x = [Value(1.0, label="x0"), Value(2.0, label="x1")]
    lines = [line.strip() for line in draw(model(x)).source.splitlines()]
    titles = [found[1] for line in lines if (found := re.match(r'color=.* label="(.*?)"', line))]
    assert titles == [
        "MLP: MLP(2, [2, 1])",
        "layers.0: Layer(2, 2)",
        "neurons.0: Neuron(2)",
        "neurons.1: Neuron(2)",
        "layers.1: Layer(2, 1)",
        "neurons.0: Neuron(2)",
    ]
    depth, where = 0, {}
    for line in lines:
        if found := re.match(r'v\d+ \[label="?([\w.\[\]]+)\\n', line):
            where[found[1]] = depth
        depth += line.endswith("{")
        depth -= line == "}"
    assert where["x0"] == 1  # outside the model
    assert where["layers.0.neurons.0.w[1]"] == where["layers.1.neurons.0.b"] == 4


def test_a_shared_weight_is_one_box():
    unit = nn.Neuron(1, rng=0)
    nodes, _ = statements(draw(unit([1.0]) + unit([2.0])))
    assert sum(label.startswith("w[0]") for label in nodes.values()) == 1


def test_the_text_is_the_same_in_every_process():
    code = (
        "import random, nn; from autograd import draw; random.seed(0); m = nn.MLP(3, [4, 4, 1]);"
        "y = m([1.0, 2.0, 3.0]); y.backward(); print(draw(y).source, draw(y, level='neuron').source)"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1", "42")
    }  # fmt: skip
    assert len(texts) == 1


# Levels -----------------------------------------------------------------------------------------------------------


def big():
    model = nn.MLP(20, [12, 3], rng=0)
    loss = nn.cross_entropy(model([0.1 * i for i in range(20)]), 1)
    loss.backward()
    return model, loss


def test_levels_show_what_is_inside():
    model, loss = big()
    nodes, _ = statements(draw(loss, level="model"))
    (inside,) = [label for label in nodes.values() if label.startswith("MLP")]
    assert "291 parameters" in inside
    assert "27 values" in inside  # 12 sums, 12 relus, 3 sums
    values = [v for v in topological(loss) if v.scope] + model.parameters()
    largest, total = max(abs(v.grad) for v in values), sum(abs(v.grad) for v in values)
    assert f"|grad| mean {total / len(values):.4g}, max {largest:.4g}" in inside
    assert "20 numbers" in nodes.values()
    layers, _ = statements(draw(loss, level="layer"))
    assert [label.split("\\n")[1] for label in layers.values() if label.startswith("MLP")] == [
        "Layer(20, 12)",
        "Layer(12, 3)",
    ]
    neurons, edges = statements(draw(loss, level="neuron"))
    assert sum(label.startswith("MLP") for label in neurons.values()) == 15
    assert len(edges) == len(set(edges))


def test_auto_is_full_when_small_and_collapses_aloud_when_large():
    _, _, out = neuron()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert draw(out).source == draw(out, level="scalar").source
    _, loss = big()
    with pytest.warns(UserWarning, match=r"nodes: collapsed to neurons; draw\(\.\.\., level="):
        picture = draw(loss)
    assert "collapsed to neurons" in picture.source
    with pytest.warns(UserWarning, match="collapsed to layers"):
        draw(loss, max_nodes=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(loss, max_nodes=5000)
        draw(loss, level="layer")


def test_inputs_that_are_read_together_are_one_box():
    x = [Value(float(i)) for i in range(30)]
    with within(scope=Scope("m", "M", "model")):
        out = dot([Value(1.0) for _ in x], Vector(x)).tanh()
    nodes, _ = statements(draw(out, level="model"))
    assert any(label.startswith("30 inputs") for label in nodes.values())


def test_a_long_chain_without_modules_shows_its_end_and_says_so():
    v = Value(1.0, label="start")
    for _ in range(100_000):
        v = v + 1.0
    with pytest.warns(UserWarning, match="only the part nearest to the output"):
        nodes, _ = statements(draw(v))
    assert 50 < len(nodes) <= 300
    assert any(re.fullmatch(r"\.\.\. \d+ more", label) for label in nodes.values())
    assert "start" not in "".join(nodes.values())


# Unusual graphs and labels ----------------------------------------------------------------------------------------

HOSTILE = [
    '"',
    "\\",
    "{}|<>",
    "<b>bold</b>",
    "a\nb",
    "&lt;",
    "x" * 500,
    "שלום",
    "🦀",
    "\\N",
    '"]; evil [label="',
    "<>",
]


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_stay_labels(label):
    v = Value(1.0, label=label) * 2.0
    for picture in (draw(v), draw(v, level="model"), draw_dot(v)):
        assert max(map(len, picture.source.splitlines())) < 700
        names = set(statements(picture)[0])
        assert "evil" not in names
        pytest.importorskip("pygraphviz")
        drawn = render_source(picture)
        assert drawn.startswith(b"<?xml")


def render_source(picture):
    from autograd.render import layout

    return layout(picture, "svg")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_and_inf_stand_out(number):
    a = Value(1.0)
    source = draw(a * number).source
    assert f"data {number}" in source
    assert "#d7263d" in source


def test_other_kinds_of_node():
    a = Value(2.0, label="a")
    by_hand = Value(8.0, (a,), "cube")
    a.backward()
    slope = (a * a * a).tanh()
    slope.backward(create_graph=True)
    single, _ = statements(draw(Value(3.0, label="alone")))
    assert list(single.values()) == ["alone\\ndata 3\\ngrad -"]
    assert "cube" in draw(by_hand).source
    assert draw(a.grad).source
    assert "grad" not in statements(draw(a.detach()))[0]["v0"]
    assert len(statements(draw([a, a * 2.0, a]))[0]) == 4


@pytest.mark.parametrize(
    "op", [op for op in autograd.TABLE.values() if not op.variadic], ids=lambda op: op.name
)
def test_every_operation_is_drawn(op: Op):
    out = op(*[Value(0.7, label=f"in{i}") for i in range(len(op.rules))])
    nodes, edges = statements(draw(out, glyphs=False, local_grads=False))
    assert len(edges) == len(op.rules) + 1
    assert op.symbol in nodes.values()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([],), {}, ValueError, "at least one Value. Received: none"),
        ((3.0,), {}, TypeError, "Received: float"),
        (("loss",), {}, TypeError, "Received: str"),
        ((Value(1.0),), {"level": "atom"}, ValueError, "Received: level='atom'"),
        ((Value(1.0),), {"theme": "pink"}, ValueError, "Received: theme='pink'"),
        ((Value(1.0),), {"rankdir": "up"}, ValueError, "Received: rankdir='up'"),
        ((Value(1.0),), {"number_format": "q"}, ValueError, "q"),
    ],
)
def test_errors_name_what_was_received(arguments, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        draw(*arguments, **options)


# Files, notebooks, the tutorials' picture -------------------------------------------------------------------------


def test_render_writes_by_the_ending(tmp_path):
    _, _, out = neuron()
    assert render(out, tmp_path / "n.dot").read_text(encoding="utf-8") == draw(out).source
    with pytest.raises(ValueError, match="svg"):
        render(out, tmp_path / "n.jpeg")
    pytest.importorskip("pygraphviz")
    for ending, start in ((".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")):
        assert render(out, tmp_path / f"n{ending}", theme="dark").read_bytes().startswith(start)


def test_a_notebook_shows_the_picture_or_else_the_text(monkeypatch):
    _, _, out = neuron()
    pytest.importorskip("pygraphviz")
    assert "<svg" in out._repr_mimebundle_()["image/svg+xml"]

    def fails(*_, **__):
        raise RuntimeError("no Graphviz")

    monkeypatch.setattr(sys.modules["autograd.draw"], "layout", fails)
    assert out._repr_mimebundle_() == {"text/plain": repr(out)}


def test_the_tutorials_picture():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b|{<}>")
    c = a * b
    c.backward()
    picture = draw_dot(c, format="png", rankdir="TB")
    nodes, edges = statements(picture)
    assert (picture.format, picture.graph_attr["rankdir"]) == ("png", "TB")
    assert "{ a | data 2.0000 | grad -3.0000 }" in nodes.values()
    assert any(label.startswith("{ b\\|\\{\\<\\}\\> |") for label in nodes.values())
    assert len(nodes) == 4
    assert len(edges) == 3
    with pytest.raises(ValueError, match="rankdir"):
        draw_dot(c, rankdir="LEFT")
