"""The frames of a computation: what is known in each, the gradients as they accumulate, and one layout for all."""

import math
import re
import shutil
import subprocess

import pytest

import autograd
import nn
from autograd import Value, render
from autograd.frames import steps
from autograd.value import topological

BOX = re.compile(r'^\s*(v\w+) \[label=("(?:[^"\\]|\\.)*"|\S+)(.*)\]$', re.MULTILINE)


def boxes(frame):
    """The lines in each box or circle, by the name of the node."""
    return {name: label.strip('"').split("\\n") for name, label, _ in BOX.findall(frame.source)}


def attribute(frame, node, wanted):
    (rest,) = (rest for name, _, rest in BOX.findall(frame.source) if name == node)
    return dict(re.findall(r'(\w+)="?([^"\s]*)', rest))[wanted]


def neuron():
    unit = nn.Neuron(3, activation="sigmoid")
    for w, start in zip(unit.w, (0.4, -0.6, 0.9), strict=True):
        w.data = start
    unit.b.data = 0.1
    return unit([Value(number, label=f"x[{i}]") for i, number in enumerate((0.5, 0.8, 0.2))])


def twice():
    a = Value(3.0, label="a")
    b = a * a
    return b * 2.0 + b


GRAPHS = {
    "neuron": neuron,
    "twice": twice,
    "leaf": lambda: Value(1.0, label="a"),
    "MLP": lambda: nn.MLP(2, [2, 1], rng=0)([1.0, Value(2.0)]),
    "many": lambda: autograd.logsumexp([Value(float(i)) for i in range(6)]),
    "edges": lambda: Value(0.0, label="zero").log() * Value(-2.0),
    "settings": lambda: (Value(3.0) ** 2).leaky_relu(0.3),
}


@pytest.fixture(params=GRAPHS)
def graph(request):
    return GRAPHS[request.param]()


def test_a_frame_for_each_operation_forward_and_backward(graph):
    frames = list(steps(graph))
    ops = sum(name.endswith("op") for name in boxes(frames[0]))
    assert len(frames) == 2 * ops + 2
    said = [frame.comment for frame in frames]
    assert said[0] == "the leaves have their numbers"
    assert [text.partition(":")[0] for text in said[1 : ops + 1]] == [
        f"forward {i + 1} of {ops}" for i in range(ops)
    ]
    assert [text.partition(":")[0] for text in said[ops + 2 :]] == [
        f"backward {i + 1} of {ops}" for i in range(ops)
    ]


def test_numbers_appear_one_by_one_and_are_those_of_the_graph(graph):
    frames = list(steps(graph, number_format=".17g"))
    ops = [name for name in boxes(frames[0]) if name.endswith("op")]
    unknown = [sum("data -" in lines for lines in boxes(frame).values()) for frame in frames]
    assert unknown == [*range(len(ops), 0, -1), *[0] * (len(ops) + 2)]
    missing = [sum("grad -" in lines for lines in boxes(frame).values()) for frame in frames]
    assert missing == sorted(missing, reverse=True)
    graph.backward()
    final, drawn = boxes(frames[-1]), boxes(autograd.draw(graph, number_format=".17g"))
    assert final == drawn  # draw shows what `backward` left in `grad`


def test_gradients_accumulate():
    frames = list(steps(twice()))
    said = [frame.comment for frame in frames]
    assert said == [
        "the leaves have their numbers",
        "forward 1 of 3: a * a = 3 * 3 = 9",
        "forward 2 of 3: 9 * 2 = 18",
        "forward 3 of 3: 18 + 9 = 27",
        "backward: the gradient of the output is 1",
        "backward 1 of 3: grad of 18: 1 * 1 = 1; grad of 9: 1 * 1 = 1",
        "backward 2 of 3: grad of 9: 1 + 2 * 1 = 3",
        "backward 3 of 3: grad of a: 3 * 3 = 9; grad of a: 9 + 3 * 3 = 18",
    ]
    grads = [boxes(frame)["v1"][-1] for frame in frames]
    assert grads == [*["grad -"] * 5, "grad 1", "grad 3", "grad 3"]


def test_the_operation_of_the_step_stands_out():
    frames = list(steps(neuron()))
    for frame in frames:
        marked = re.findall(r"(v\d+)op \[.*fillcolor=\"#ffd33d\"", frame.source)
        strong = re.findall(r"(v\d+) \[label.*penwidth=2", frame.source)
        assert marked == strong
        assert len(marked) == (" of 7" in frame.comment)
    ghost = attribute(frames[0], "v3", "color")
    assert attribute(frames[1], "v3", "color") != ghost != attribute(frames[2], "v3", "color")
    dark = next(iter(steps(neuron(), theme="dark")))
    assert "#ffffff" not in dark.source


def test_all_frames_have_one_geometry(graph):
    """Whatever has a size is the same in all frames: boxes have fixed ones, and other texts do not change."""
    shapes = set()
    for frame in steps(graph):
        text = re.sub(
            r'(fill|font)?color="?#\w+"?|penwidth=\d|^//.*$|^\\s*label=<.*?WIDTH|<TD .*',
            "",
            frame.source,
            flags=re.M,
        )
        text = re.sub(r'(v\d+ )\[label=(?:"[^"]*"|\S+)(.*fixedsize=true)', r"\1[\2", text)
        shapes.add(re.sub(" +", " ", text))
    assert len(shapes) == 1
    for frame in steps(graph):
        for name, lines in boxes(frame).items():
            if not name.endswith("op") and "c" not in name:
                assert float(attribute(frame, name, "width")) >= 0.09 * max(map(len, lines))


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs the program dot")
@pytest.mark.parametrize("rankdir", ["LR", "TB"])
def test_graphviz_lays_all_frames_out_alike(graph, rankdir):
    def positions(frame):
        plain = subprocess.run(
            ["dot", "-Tplain"], input=frame.source, capture_output=True, encoding="utf-8", check=True
        )
        assert "too small" not in plain.stderr
        return [line.split()[:4] for line in plain.stdout.splitlines() if line.startswith("node")]

    frames = list(steps(graph, rankdir=rankdir, glyphs=False))
    chosen = [frames[0], frames[len(frames) // 2], frames[-1]]
    assert len({str(positions(frame)) for frame in chosen}) == 1


def test_nothing_in_the_graph_changes(graph):
    before = [(id(v), v.data, v.grad, v.op, v._x, v._dx) for v in topological(graph)]
    first = [frame.source for frame in steps(graph)]
    assert [(id(v), v.data, v.grad, v.op, v._x, v._dx) for v in topological(graph)] == before
    graph.backward()
    assert [frame.source for frame in steps(graph)] == first  # from 0, whatever `grad` holds


def test_a_folded_sum_may_stay_one_operation():
    assert len(list(steps(neuron(), unfold=False))) == 2 * 2 + 2


def test_where_no_gradient_goes():
    x = Value(2.0, label="x")
    said = [frame.comment for frame in steps(x * Value(3.0).detach())]
    assert said[-1] == "backward 1 of 1: grad of x: 3 * 1 = 3"
    assert len(list(steps(x.detach()))) == 1
    assert "data inf" in [*steps(x * math.inf)][-1].source
    assert '"#d7263d"' in [*steps(x * math.nan)][-1].source


def test_a_frame_is_written_by_render(tmp_path):
    for i, frame in enumerate(steps(twice())):
        assert render(frame, tmp_path / f"{i}.dot").read_text(encoding="utf-8") == frame.source


def test_errors():
    big = nn.MLP(10, [10, 1], rng=0)([0.0] * 10)
    with pytest.raises(ValueError, match=r"at most max_nodes=300 boxes and circles\. Received: \d+"):
        steps(big)
    with pytest.raises(ValueError, match=r"one output, where backward begins\. Received: 2"):
        steps([Value(1.0), Value(2.0)])
    with pytest.raises(TypeError, match=r"Received: float"):
        steps(3.0)
    with pytest.raises(ValueError, match=r"Received: theme='pink'"):
        steps(Value(1.0), theme="pink")
    a = Value(2.0)
    b = Value(4.0, (a,), "sq")
    b._backward = lambda: None
    with pytest.raises(TypeError, match=r"needs local derivatives\. Received: a node 'sq' made by hand"):
        steps(b * 2.0)
    by_hand = Value(4.0, [a], [4.0])  # with a local derivative
    assert [*steps(by_hand)][-1].comment.endswith("grad of 2: 4 * 1 = 4")
