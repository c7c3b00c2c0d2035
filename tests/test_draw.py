"""The picture, compared as DOT text: what is in it, at which level, and that looking changes nothing."""

import html
import math
import random
import re
import subprocess
import sys
import warnings
from collections import Counter
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

import autograd
import nn
from autograd import Value, dot, draw, draw_dot, render
from autograd.context import Scope, within
from autograd.levels import LEVELS, Recorded
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
    (inside,) = [label for label in nodes.values() if label.startswith("MLP\\nMLP(20, [12, 3])")]
    assert "291 parameters" in inside
    assert "27 values" in inside  # 12 sums, 12 relus, 3 sums
    values = [v for v in topological(loss) if v.scope] + model.parameters()
    largest, total = max(abs(v.grad) for v in values), sum(abs(v.grad) for v in values)
    assert f"|grad| mean {total / len(values):.4g}, max {largest:.4g}" in inside
    assert "20 numbers" in nodes.values()
    layers, _ = statements(draw(loss, level="layer"))
    assert [label.split("\\n")[:2] for label in layers.values() if "Layer" in label] == [
        ["layers.0", "Layer(20, 12)"],
        ["layers.1", "Layer(12, 3)"],
    ]
    neurons, edges = statements(draw(loss, level="neuron"))
    assert [label.partition("\\n")[0] for label in neurons.values() if "Neuron" in label] == [
        *(f"neurons.{i}" for i in range(12)),
        *(f"neurons.{i}" for i in range(3)),
    ]
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
        draw(loss, max_nodes=36)
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


# Large models -----------------------------------------------------------------------------------------------------


def numbers(*shape, draws=None):
    """Nested lists of random numbers."""
    draws = draws or random.Random(0)
    if not shape:
        return draws.uniform(-1.0, 1.0)
    return [numbers(*shape[1:], draws=draws) for _ in range(shape[0])]


def mnist():
    return nn.cross_entropy(nn.MLP(784, [128, 10], rng=0)(numbers(784)), 3)


def cnn():
    conv = nn.Conv2d(1, 8, 3, padding=1, activation="relu", rng=0)
    head = nn.Layer(8 * 4 * 4, 10, activation="identity", rng=0)
    model = nn.Sequential(conv, nn.MaxPool(2), nn.Flatten(), head)
    return nn.cross_entropy(model(numbers(1, 8, 8)), 3)


def recurrent(kind, steps=8, **options):
    outputs, _ = kind(4, 8, rng=0, **options)(numbers(steps, 4))
    return nn.cross_entropy(nn.Layer(len(outputs[-1]), 3, activation="identity", rng=1)(outputs[-1]), 1)


def gpt(blocks):
    return nn.cross_entropy(nn.GPT(27, 16, 4, blocks, rng=0)([1, 2, 3, 4, 5, 6, 7]), [2, 3, 4, 5, 6, 7, 8])


class Own(nn.Module):
    """A recurrent network as somebody writes it who knows no cells."""

    def __init__(self):
        self.of_x, self.of_h = (nn.Layer(2, 2, activation="identity", rng=seed) for seed in (0, 1))

    def __call__(self, xs):
        h = [0.0, 0.0]
        for x in xs:
            h = [(a + b).tanh() for a, b in zip(self.of_x(x), self.of_h(h), strict=True)]
        return h[0] * h[1]


def outside():
    """A loop around a layer, outside any module."""
    layer, h = nn.Layer(2, 2, activation="tanh", rng=0), [Value(0.1), Value(0.2)]
    for _ in range(4):
        h = [a + 0.5 * b for a, b in zip(h, layer(h), strict=True)]
    return h[0] * h[1]


LARGE = {
    "784-128-10": (mnist, "layers"),
    "CNN": (cnn, "neurons"),
    "LSTM": (lambda: recurrent(nn.LSTM), "blocks"),
    "two LSTMs": (lambda: recurrent(nn.LSTM, layers=2), "blocks"),
    "bidirectional GRU": (lambda: recurrent(nn.GRU, bidirectional=True), "blocks"),
    "RNN": (lambda: recurrent(nn.RNN, 16), "layers"),
    "GPT of 1 block": (lambda: gpt(1), "layers"),
    "GPT of 2 blocks": (lambda: gpt(2), "blocks"),
    "GPT of 4 blocks": (lambda: gpt(4), "models"),
    "a loop in a module": (lambda: Own()(numbers(12, 2)), "models"),
    "a loop outside": (outside, None),
}
RECORDED: dict[str, Value] = {}


def recorded(name):
    if name not in RECORDED:
        RECORDED[name] = LARGE[name][0]()
    return RECORDED[name]


@pytest.mark.parametrize("name", LARGE)
def test_a_large_model_is_read_at_a_glance(name):
    loss, (_, level) = recorded(name), LARGE[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        picture = draw(loss)
    assert [str(w.message).partition(";")[0].partition("collapsed to ")[2] for w in caught] == [level] * bool(
        level
    )
    if level:
        nodes, edges = statements(picture)
        assert len(nodes) <= 50
        assert len(nodes) + len(edges) <= 150
        assert len(edges) == len(set(edges))
        loss.backward()
        with pytest.warns(UserWarning, match="collapsed"):
            assert draw(loss).source.count("|grad|") > 1


@pytest.mark.parametrize("level", LEVELS[1:])
@pytest.mark.parametrize("name", LARGE)
def test_arrows_never_lead_in_a_circle(name, level):
    groups, edges = Recorded([recorded(name)]).groups(level)
    order = TopologicalSorter({group: set() for group in groups})
    for source, target in edges:
        order.add(target, source)
    assert len([*order.static_order()]) == len(groups)
    values = [v for group in groups for v in group.values]
    assert len(values) == len(set(values))
    assert set(values) == set(topological(recorded(name)))


def test_a_cell_is_a_box_for_each_step():
    nodes, edges = statements(draw(recorded("LSTM"), level="block"))
    cells = {name: label for name, label in nodes.items() if "LSTMCell(4, 8)" in label}
    assert [label.split("\\n")[2:] for label in cells.values()] == [
        [f"step {t} of 8", "104 values", "416 parameters", *label.split("\\n")[5:]]
        for t, label in enumerate(cells.values(), 1)
    ]
    steps = [*cells]
    assert [edge for edge in edges if set(edge) <= set(steps)] == [*pairwise(steps)]
    (line,) = {
        line.strip()
        for line in draw(recorded("LSTM"), level="block").source.splitlines()
        if f"{steps[0]} ->" in line
    }
    assert '" 16"' in line  # h and c
    assert sum(label == "4 numbers" for label in nodes.values()) == 7
    gates = draw(recorded("LSTM"), level="layer").source
    assert gates.count("cells.0: LSTMCell(4, 8), step") == 8
    assert gates.count("forget\\n") == 8
    whole, _ = statements(draw(recorded("LSTM"), level="model"))
    assert any(label.startswith("LSTM\\nLSTM(4, 8)\\n832 values, 416 parameters") for label in whole.values())


def test_what_is_made_of_an_input_alone_belongs_to_the_step_that_reads_it():
    nodes, _ = statements(draw(recorded("a loop in a module"), level="layer"))
    assert Counter(label.split("\\n")[0] for label in nodes.values() if "Layer" in label) == {
        "of_x": 12,
        "of_h": 12,
    }
    sizes = {(*label.split("\\n")[2:4],) for label in nodes.values() if "Layer" in label}
    assert sizes == {("2 values", "6 parameters")}


def test_a_gru_is_unrolled_like_any_cell():
    nodes, _ = statements(draw(recorded("bidirectional GRU"), level="block"))
    cells = [label.split("\\n") for label in nodes.values() if "GRUCell" in label]
    # of the cell that runs backwards, the last output has seen one step
    assert [lines[0] for lines in cells] == [*["cells.0"] * 8, "cells.1"]
    assert all({"104 values", "320 parameters"} < set(lines) for lines in cells)


def test_residual_additions_stand_between_the_parts_that_they_join():
    nodes, edges = statements(draw(recorded("GPT of 2 blocks"), level="block"))
    names = [label.split("\\n")[0] for label in nodes.values()]
    assert names.count("+ (112 values)") == 4
    assert "step" not in " ".join(names)
    label = dict(zip(nodes, names, strict=True))
    into = [
        sorted(label[a] for a, b in edges if b == sum_) for sum_ in nodes if label[sum_] == "+ (112 values)"
    ]
    assert into == [
        ["attention", "positions"],
        ["+ (112 values)", "feed"],
        ["+ (112 values)", "attention"],
        ["+ (112 values)", "feed"],
    ]


def test_a_layer_in_a_loop_outside_modules_is_drawn_once_for_each_turn():
    nodes, _ = statements(draw(outside(), level="layer"))
    assert [label.split("\\n")[2] for label in nodes.values() if "Layer" in label] == [
        f"part {i} of 4" for i in (1, 2, 3, 4)
    ]


def test_what_is_computed_alike_outside_modules_is_one_box():
    nodes, _ = statements(draw(recorded("GPT of 1 block"), level="model"))
    assert Counter(label.split("\\n")[0] for label in nodes.values())["logsumexp (7 values)"] == 1
    a, b = (Value(float(i), label="ab"[i]) for i in (0, 1))
    left, right = a * 2.0, b * 2.0
    assert len(statements(draw(left + right, level="model"))[0]) == 5  # labels tell them apart
    left.label = right.label = "same"
    assert len(statements(draw([left, right], level="model"))[0]) == 4  # and so does being asked for


def test_a_layer_without_a_model_is_as_large_as_it_gets():
    nodes, _ = statements(draw(nn.Layer(2, 3, rng=0)([1.0, 2.0]), level="model"))
    assert [label.split("\\n")[1] for label in nodes.values() if "Layer" in label] == ["Layer(2, 3)"]


def test_the_full_name_of_a_module_is_in_the_tooltip():
    source = draw(recorded("784-128-10"), level="layer").source
    assert 'tooltip="MLP.layers.1"' in source or "tooltip=MLP.layers.1" in source
    assert '" 128"' in source


# The neighbourhood of a node, and what lies between two ------------------------------------------------------------


def test_focus_draws_what_is_near():
    a, b, c = (Value(x, label=name) for x, name in ((2.0, "a"), (3.0, "b"), (4.0, "c")))
    d = a * b
    e = d + c
    out = e.tanh()
    near, _ = statements(draw(out, focus="a", hops=1, glyphs=False))
    assert list(near.values()) == ["a\\ndata 2\\ngrad -", "data 6\\ngrad -", "*", "...", "..."]
    two, _ = statements(draw(out, focus=a, hops=2, glyphs=False))
    assert [label for label in two.values() if "..." not in label] == [
        "a\\ndata 2\\ngrad -", "b\\ndata 3\\ngrad -", "data 6\\ngrad -", "*", "data 10\\ngrad -", "+"
    ]  # fmt: skip
    everything, _ = statements(draw(out, focus=a, hops=9, glyphs=False))
    assert not any("..." in label for label in everything.values())
    assert sorted(everything.values()) == sorted(statements(draw(out, glyphs=False))[0].values())
    assert "a and what is within 1 hop of it" in draw(out, focus="a", hops=1).source


def test_focus_unfolds_sums_and_keeps_parameters_in_their_module():
    _, _, out = neuron()
    before = state(out)
    picture = draw(out, focus="w[1]", hops=2, glyphs=False)
    nodes, _ = statements(picture)
    assert sum(label.startswith(("w[1]", "x[1]")) for label in nodes.values()) == 2
    assert "w[0]" not in picture.source
    cluster = picture.source.index("Neuron: Neuron(3)")
    assert cluster < picture.source.index("w[1]\\n")
    assert state(out) == before


def test_focus_in_a_large_graph_is_small():
    loss = recorded("784-128-10")
    weight = next(v for v in Recorded([loss]).owners if v.label == "layers.0.neurons.5.w[700]")
    nodes, _ = statements(draw(loss, focus=weight, hops=1))
    assert len(nodes) <= 5
    with pytest.warns(UserWarning, match="larger max_nodes"):
        nodes, _ = statements(draw(recorded("CNN"), focus="layers.3.neurons.5.b", hops=100, max_nodes=100))
    assert len(nodes) <= 200  # boxes, circles, and the hints that the graph goes on


def test_path_draws_what_leads_from_one_to_the_other():
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    c = a * b
    out = (c + a) * b.exp()
    out.backward()
    picture = draw(out, path=("a", out), glyphs=False)
    nodes, edges = statements(picture)
    assert "from a to the output: 2 paths" in picture.source
    assert [label for label in nodes.values() if "data" not in label] == ["*", "+", "*"]
    assert not any(label.startswith(("b", "data 20.09")) for label in nodes.values())
    assert len(edges) == 3 + 4
    one, _ = statements(draw(out, path=(c, out), glyphs=False))
    assert [label for label in one.values() if "data" not in label] == ["+", "*"]
    alone, edges = statements(draw(out, path=("a", a)))
    assert (len(alone), edges) == (1, [])


def test_the_gradient_is_the_sum_over_the_paths():
    model = nn.MLP(2, [3, 2, 1], rng=0)
    xs = [Value(0.3, label="x0"), Value(-0.7, label="x1")]
    out = model(xs)
    out.backward()
    source = draw(out, path=("x0", out), number_format=".17g").source
    slopes: dict[str, list[tuple[str, float]]] = {}
    for a, b, label in re.findall(r'(\w+) -> (\w+)(?: \[label=" ([^"]+)"\])?', source):
        slopes.setdefault(a, []).append((b, float(label or 1.0)))
    (start,) = re.findall(r'(v\d+) \[label="x0\\n', source)

    def ways(node):
        return sum(d * ways(b) for b, d in slopes[node]) if node in slopes else 1.0

    assert ways(start) == pytest.approx(xs[0].grad, rel=1e-14)
    assert "6 paths" in source


def test_a_long_path_collapses_like_any_graph():
    loss = recorded("784-128-10")
    with pytest.warns(UserWarning, match="collapsed to neurons"):
        picture = draw(loss, path=("layers.0.neurons.3.b", loss))
    nodes, _ = statements(picture)
    assert "from layers.0.neurons.3.b to the output: 11 paths; " in picture.source
    assert [label.split("\\n")[0] for label in nodes.values() if "Neuron(784)" in label] == ["neurons.3"]
    assert "1 parameter" in picture.source
    assert "numbers" not in picture.source
    v = start = Value(1.0, label="start")
    for _ in range(2000):
        v = v + Value(1.0)
    with pytest.warns(UserWarning, match="only the part nearest"):
        nodes, _ = statements(draw(v, path=(start, v)))
    assert any(re.fullmatch(r"\.\.\. \d+ more", label) for label in nodes.values())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"focus": "nme"}, ValueError, "Received: focus='nme'; similar: name"),
        (
            {"focus": Value(1.0)},
            ValueError,
            "focus needs a node of the graph. Received: focus=Value(data=1.0)",
        ),
        ({"focus": 3}, TypeError, "focus needs a Value or a label. Received: int"),
        ({"focus": "name", "hops": 0}, ValueError, "Received: hops=0"),
        ({"focus": "name", "hops": True}, ValueError, "Received: hops=True"),
        ({"focus": "name", "level": "layer"}, ValueError, "Received: focus='name', level='layer', path=None"),
        ({"focus": "name", "path": ("a", "b")}, ValueError, "path=('a', 'b')"),
        ({"path": "name"}, TypeError, "path is a pair of Values or labels, (from, to). Received: 'name'"),
        ({"path": ("name",)}, TypeError, "Received: ('name',)"),
        ({"path": ("out", "name")}, ValueError, "computed from its first. Received: path=('out', 'name')"),
        ({"path": ("name", "nowhere")}, ValueError, "Received: path='nowhere'"),
    ],
)
def test_errors_of_focus_and_path(options, error, message):
    out = Value(1.0, label="name") * 2.0
    out.label = "out"
    with pytest.raises(error, match=re.escape(message)):
        draw(out, **options)


# Unusual graphs ---------------------------------------------------------------------------------------------------


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
    assert op.symbol in map(html.unescape, nodes.values())


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
    assert render(draw(out), tmp_path / "drawn.dot").read_text(encoding="utf-8") == draw(out).source
    with pytest.raises(TypeError, match=r"takes no options\. Received: level"):
        render(draw(out), tmp_path / "n.dot", level="layer")
    pytest.importorskip("pygraphviz")
    for ending, start in ((".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")):
        assert render(out, tmp_path / f"n{ending}", theme="dark").read_bytes().startswith(start)


def test_the_tutorials_picture():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b|{<}>")
    c = a * b
    c.backward()
    picture = draw_dot(c, format="png", rankdir="TB")
    nodes, edges = statements(picture)
    assert (picture.format, picture.graph_attr["rankdir"]) == ("png", "TB")
    assert "{ a | data 2.0000 | grad -3.0000 }" in nodes.values()
    assert any(label.startswith("{ b\\|\\{&lt;\\}&gt; |") for label in nodes.values())
    assert len(nodes) == 4
    assert len(edges) == 3
    with pytest.raises(ValueError, match="rankdir"):
        draw_dot(c, rankdir="LEFT")
