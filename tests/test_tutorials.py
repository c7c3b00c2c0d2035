"""Code in the manner of the tutorials runs with only its import line changed.

Every program here is written anew, in the dialect of micrograd, of the lecture that builds it live, of its exercise,
or of microgpt. Where micrograd itself is installed, its numbers are compared too.
"""

import itertools
import math
import random

import numpy as np
import pytest

import nn
from autograd import Value, draw_dot, trace
from autograd.value import gradients, topological
from nn import MLP, Layer, Neuron

# micrograd ----------------------------------------------------------------------------------------------------------


def readme(Value):
    """The expression of micrograd's README: every operation that it has."""
    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return a, b, g


def test_the_numbers_of_micrograd_s_readme():
    a, b, g = readme(Value)
    assert (a.grad, b.grad, g.grad) == (0, 0, 0)
    g.backward()
    assert (f"{g.data:.4f}", f"{a.grad:.4f}", f"{b.grad:.4f}") == ("24.7041", "138.8338", "645.5773")


def test_micrograd_agrees_on_its_readme():
    engine = pytest.importorskip("micrograd.engine")
    a, b, g = readme(Value)
    c, d, h = readme(engine.Value)
    g.backward()
    h.backward()
    assert g.data == h.data
    assert (a.grad, b.grad) == pytest.approx((c.grad, d.grad), rel=1e-14)


def test_its_own_checks():
    """A sanity check and more operations, with the values that calculus gives."""
    x = Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    # z = 3x + 2 = -10, relu(z) = 0, y = z^2 + z x (1 + x): dy/dx = 6z + 3x(1+x) + z(1+2x)
    assert (y.data, x.grad) == (100.0 - 120.0, -60.0 + 36.0 + 70.0)
    assert (z._op, q._op, h._op, (x**3)._op, (x**-1)._op, (x**0.5)._op) == (
        "+",
        "+",
        "ReLU",
        "**3",
        "**-1",
        "**0.5",
    )
    assert (x.exp()._op, x.tanh()._op, (z * x)._op, x.log()._op, x._op) == ("exp", "tanh", "*", "log", "")


# The lecture: a neuron, its labels, backward by hand -----------------------------------------------------------------


def neuron():
    """One neuron of two inputs with labels on everything, as on the blackboard."""
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    x1w1 = x1 * w1
    x1w1.label = "x1*w1"
    x2w2 = x2 * w2
    x2w2.label = "x2*w2"
    both = x1w1 + x2w2
    both.label = "x1*w1 + x2*w2"
    n = both + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    return {
        "x1": x1,
        "x2": x2,
        "w1": w1,
        "w2": w2,
        "b": b,
        "x1w1": x1w1,
        "x2w2": x2w2,
        "both": both,
        "n": n,
        "o": o,
    }


SLOPES = {
    "x1": -1.5,
    "x2": 0.5,
    "w1": 1.0,
    "w2": 0.0,
    "b": 0.5,
    "x1w1": 0.5,
    "x2w2": 0.5,
    "both": 0.5,
    "n": 0.5,
    "o": 1.0,
}


def test_backward_by_hand_step_by_step():
    v = neuron()
    v["o"].grad = 1.0
    for name in ("o", "n", "b", "both", "x1w1", "x2w2"):
        v[name]._backward()
    assert {name: x.grad for name, x in v.items()} == pytest.approx(SLOPES)


def by_hand(root):
    """The lecture's own sort, and then `_backward` in reverse."""
    topo, visited = [], set()

    def build_topo(v):
        if v not in visited:
            visited.add(v)
            for child in v._prev:
                build_topo(child)
            topo.append(v)

    build_topo(root)
    root.grad = 1.0
    for node in reversed(topo):
        node._backward()


def test_backward_by_hand_in_topological_order():
    v = neuron()
    by_hand(v["o"])
    assert {name: x.grad for name, x in v.items()} == pytest.approx(SLOPES)
    w = neuron()
    w["o"].backward()
    assert {name: x.grad for name, x in w.items()} == {name: x.grad for name, x in v.items()}


def test_the_same_neuron_taken_apart():
    """tanh written as (e^2n - 1) / (e^2n + 1)."""
    v = neuron()
    e = (2 * v["n"]).exp()
    o = (e - 1) / (e + 1)
    o.backward()
    assert o.data == pytest.approx(v["o"].data, rel=1e-14)
    for name in ("x1", "x2", "w1", "w2", "b", "n"):
        assert v[name].grad == pytest.approx(SLOPES[name], rel=1e-12, abs=1e-12)


def test_the_surface_that_is_looked_at():
    a, b, c = Value(2.0, label="a"), Value(-3.0, label="b"), Value(10.0, label="c")
    e = a * b
    d = e + c
    assert d._prev == {e, c}
    assert e._prev == {a, b}
    assert a._prev == set()
    assert (d._op, e._op, a._op) == ("+", "*", "")
    assert repr(d) == "Value(data=4.0)"
    assert Value(3.0, (a, b), "+", label="made")._prev == {a, b}
    twice = a + a
    assert twice._prev == {a}
    twice.backward()
    assert a.grad == 2.0


def test_trace_and_draw_dot():
    v = neuron()
    nodes, edges = trace(v["o"])
    assert nodes == set(v.values())
    assert edges == {
        (v["x1"], v["x1w1"]), (v["w1"], v["x1w1"]), (v["x2"], v["x2w2"]), (v["w2"], v["x2w2"]), (v["x1w1"], v["both"]),
        (v["x2w2"], v["both"]), (v["both"], v["n"]), (v["b"], v["n"]), (v["n"], v["o"]),
    }  # fmt: skip
    picture = draw_dot(v["o"], format="svg", rankdir="LR")
    for name in ("x1", "w2", "x1*w1 + x2*w2", "tanh"):
        assert name in picture.source
    picture.node("note", "more may be added, it is a Digraph")
    awkward = draw_dot(Value(1.0, label="{a|b} <c>") * 2)
    for escaped in (r"\{a\|b\} \<c\>", "&#", "&lt;"):
        if escaped in awkward.source:
            break
    else:
        pytest.fail("a label with record characters must be escaped")


# The exercise: functions by hand ------------------------------------------------------------------------------------


class Derived(Value):
    """A class that a student extends, in the manner of the exercise."""

    def exp_by_hand(self):
        out = Value(math.exp(self.data), (self,), "exp")

        def _backward():
            self.grad += out.data * out.grad

        out._backward = _backward
        return out


def log_by_hand(x):
    out = Value(math.log(x.data), (x,), "log")

    def _backward():
        x.grad += out.grad / x.data

    out._backward = _backward
    return out


def softmax(logits):
    counts = [logit.exp() for logit in logits]
    denominator = sum(counts)
    return [c / denominator for c in counts]


@pytest.mark.parametrize("log", [log_by_hand, lambda x: x.log()], ids=["by hand", "ours"])
def test_a_softmax_and_its_likelihood(log):
    logits = [Value(0.0), Value(3.0), Value(-2.0), Value(1.0)]
    probabilities = softmax(logits)
    loss = -log(probabilities[3])
    loss.backward()
    p = np.exp([0.0, 3.0, -2.0, 1.0])
    p /= p.sum()
    assert loss.data == pytest.approx(-math.log(p[3]), rel=1e-14)
    assert [v.grad for v in logits] == pytest.approx(list(p - np.eye(4)[3]), rel=1e-12)


def test_a_student_s_method_with_a_backward_of_its_own():
    x = Derived(0.5)
    y = x.exp_by_hand() * 3.0
    y.backward()
    assert x.grad == pytest.approx(3.0 * math.exp(0.5))


def test_a_stable_softmax_takes_the_maximum_of_the_data():
    logits = [Value(1000.0), Value(1001.0)]
    top = max(v.data for v in logits)
    exps = [(v - top).exp() for v in logits]
    total = sum(exps)
    loss = -(exps[0] / total).log()
    loss.backward()
    assert loss.data == pytest.approx(math.log1p(math.e), rel=1e-14)
    assert logits[1].grad == pytest.approx(1 / (1 + math.exp(-1)), rel=1e-12)


def test_sums_from_a_value_and_from_nothing():
    xs = [Value(1.0), Value(2.0)]
    start = Value(0.5)
    for total, data in ((sum((x * 2 for x in xs), start), 6.5), (sum(xs), 3.0), (sum(xs, 1.0), 4.0)):
        assert isinstance(total, Value)
        assert total.data == data
    sum((x * 2 for x in xs), start).backward()
    assert (start.grad, xs[0].grad) == (1.0, 2.0)


# microgpt: children and their local gradients -----------------------------------------------------------------------


def double_plus(a, b):
    return Value(2 * a.data + b.data, (a, b), (2.0, 1.0))


def walk_back(root):
    """Its backward, from `_children` and `_local_grads` alone."""
    order, seen = [], set()

    def visit(v):
        if v not in seen:
            seen.add(v)
            for child in v._children:
                visit(child)
            order.append(v)

    visit(root)
    root.grad = 1
    for v in reversed(order):
        for child, slope in zip(v._children, v._local_grads, strict=True):
            child.grad += slope * v.grad


def test_children_with_local_gradients():
    def loss():
        a, b = Value(3.0), Value(-2.0)
        c = double_plus(a, b)
        return a, b, (c * a).relu() + c**2 + (c / 10).exp() + (a * a).log() + c**-0.5

    a, b, y = loss()
    y.backward()
    c, d, z = loss()
    walk_back(z)
    assert (c.grad, d.grad) == pytest.approx((a.grad, b.grad), rel=1e-15)


def linear(x, w):
    return [sum(wi * xi for wi, xi in zip(row, x, strict=True)) for row in w]


def rmsnorm(x):
    ms = sum(xi * xi for xi in x) / len(x)
    scale = (ms + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def language_model(Value, steps=25):
    """Next-letter prediction with an embedding, a norm, one hidden layer and Adam, every scalar a Value of its own."""
    generator = random.Random(42)
    word, letters, width = "abcacb", "abc", 4
    matrix = lambda rows, columns: [
        [Value(generator.gauss(0, 0.5)) for _ in range(columns)] for _ in range(rows)
    ]
    state = {"wte": matrix(3, width), "fc": matrix(2 * width, width), "head": matrix(3, 2 * width)}
    params = [p for mat in state.values() for row in mat for p in row]
    for p in params:
        p.m, p.v = 0.0, 0.0
    history = []
    for step in range(steps):
        losses = []
        for here, target in itertools.pairwise(word):
            x = rmsnorm(state["wte"][letters.index(here)])
            x = [xi.relu() for xi in linear(x, state["fc"])]
            logits = linear(x, state["head"])
            probabilities = softmax([logit - max(v.data for v in logits) for logit in logits])
            losses.append(-probabilities[letters.index(target)].log())
        loss = (1 / len(losses)) * sum(losses)
        loss.backward()
        for p in params:
            p.m = 0.9 * p.m + 0.1 * p.grad
            p.v = 0.99 * p.v + 0.01 * p.grad**2
            m_hat, v_hat = p.m / (1 - 0.9 ** (step + 1)), p.v / (1 - 0.99 ** (step + 1))
            p.data -= 0.05 * m_hat / (v_hat**0.5 + 1e-8)
            p.grad = 0
        history.append(loss.data)
    return history


def test_a_small_language_model_learns():
    history = language_model(Value)
    assert history[0] > 0.9
    assert (
        0.8 * math.log(2.0) < history[-1] < 0.6
    )  # two of the letters have two successors, so 4/5 ln 2 is least
    assert language_model(Value) == history  # nothing is random


# Nets ---------------------------------------------------------------------------------------------------------------


def make_moons(n_samples, noise):
    """The draws of scikit-learn's make_moons from NumPy's global generator, in its order: a shuffle, then noise."""
    outer, inner = np.linspace(0, np.pi, n_samples // 2), np.linspace(0, np.pi, n_samples - n_samples // 2)
    x = np.append(np.cos(outer), 1 - np.cos(inner))
    y = np.append(np.sin(outer), 1 - np.sin(inner) - 0.5)
    points = np.vstack([x, y]).T
    labels = np.append(np.zeros(len(outer), int), np.ones(len(inner), int))
    order = np.arange(n_samples)
    np.random.shuffle(order)
    return points[order] + np.random.normal(scale=noise, size=points.shape), labels[order]


@pytest.fixture(scope="module")
def moons():
    """The data of micrograd's demo, and the state of both generators after it."""
    before = random.getstate(), np.random.get_state()
    np.random.seed(1337)
    random.seed(1337)
    points, labels = make_moons(n_samples=100, noise=0.1)
    after = random.getstate()
    random.setstate(before[0])
    np.random.set_state(before[1])
    return points, labels * 2 - 1, after


@pytest.fixture
def seeded(moons):
    before = random.getstate()
    random.setstate(moons[2])
    yield moons[:2]
    random.setstate(before)


def demo_loss(model, points, labels):
    """The demo's max-margin loss with L2, as its notebook computes it."""
    inputs = [list(map(Value, row)) for row in points]
    scores = list(map(model, inputs))
    losses = [(1 + -y * score).relu() for y, score in zip(labels, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    total = data_loss + 1e-4 * sum(p * p for p in model.parameters())
    accuracy = [(y > 0) == (score.data > 0) for y, score in zip(labels, scores, strict=True)]
    return total, sum(accuracy) / len(accuracy)


def test_the_first_loss_of_micrograd_s_demo(seeded):
    model = MLP(2, [16, 16, 1])
    loss, accuracy = demo_loss(model, *seeded)
    assert len(model.parameters()) == 337
    assert (loss.data, accuracy) == (0.8958441028683222, 0.5)


def test_the_demo_learns(seeded):
    points, labels = seeded[0][:40], seeded[1][:40]
    model = MLP(2, [8, 1])
    first, _ = demo_loss(model, points, labels)
    for k in range(30):
        loss, accuracy = demo_loss(model, points, labels)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * 0.5 * p.grad
    assert loss.data < 0.5 * first.data
    assert accuracy > 0.8


def test_weights_are_drawn_as_micrograd_draws_them(seeded):
    model = MLP(2, [3, 1])
    random.seed(5)
    expected = [random.uniform(-1, 1) for _ in range(2)]
    random.seed(5)
    n = Neuron(2)
    assert [w.data for w in n.w] == expected
    assert n.b.data == 0.0
    assert [len(layer.neurons) for layer in model.layers] == [3, 1]
    assert n.parameters() == [*n.w, n.b]


def test_the_surface_of_the_nets():
    assert (
        repr(MLP(2, [2, 1])) == "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]"
    )
    assert repr(Neuron(3, nonlin=False)) == "LinearNeuron(3)"
    assert repr(Layer(2, 1)) == "Layer of [ReLUNeuron(2)]"
    x = [1.0, -2.0]
    assert isinstance(Layer(2, 1)(x), Value)
    assert [type(v) for v in Layer(2, 2)(x)] == [Value, Value]
    assert len(Layer(2, 3, nonlin=False)(x)) == 3
    model = MLP(3, [4, 4, 1])
    assert len(model.parameters()) == 41
    model([2.0, 3.0, -1.0]).backward()
    model.zero_grad()
    assert all(p.grad == 0 for p in model.parameters())
    assert isinstance(model, nn.Module)


def test_the_lecture_s_net_learns_four_points():
    before = random.getstate()
    random.seed(3)
    n = MLP(3, [4, 4, 1])
    random.setstate(before)
    xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]
    losses = []
    for _ in range(60):
        ypred = [n(x) for x in xs]
        loss = sum((yout - ygt) ** 2 for ygt, yout in zip(ys, ypred, strict=True))
        for p in n.parameters():
            p.grad = 0.0
        loss.backward()
        for p in n.parameters():
            p.data += -0.01 * p.grad
        losses.append(loss.data)
    assert losses[-1] < 0.3 * losses[0]


def test_micrograd_s_demo_agrees_after_three_steps(moons):
    theirs = pytest.importorskip("micrograd.nn")
    engine = pytest.importorskip("micrograd.engine")

    def train(MLP, make):
        before = random.getstate()
        random.setstate(moons[2])
        model = MLP(2, [5, 4, 1])
        random.setstate(before)
        for _ in range(3):
            scores = [model(list(map(make, row))) for row in moons[0][:20]]
            losses = [(1 + -y * s).relu() for y, s in zip(moons[1], scores, strict=False)]
            total = sum(losses) * (1.0 / 20) + 1e-4 * sum(p * p for p in model.parameters())
            model.zero_grad()
            total.backward()
            for p in model.parameters():
                p.data -= 0.3 * p.grad
        return [total.data, *(p.data for p in model.parameters())]

    assert train(MLP, Value) == pytest.approx(train(theirs.MLP, engine.Value), rel=1e-10)


# A neuron is recorded folded and shown in full ----------------------------------------------------------------------


def written_out(model, x):
    """What the model computes, in the binary operations of micrograd's own Neuron."""
    for layer in model.layers:
        outs = []
        for n in layer.neurons:
            act = sum((wi * xi for wi, xi in zip(n.w, x, strict=True)), n.b)
            outs.append(act.relu() if layer is not model.layers[-1] else act)
        x = outs
    return x[0]


def shape(root):
    """Operations, data, gradients and edges in the order of a walk over `_children`: equal for equal graphs."""
    names: dict = {}
    rows = []
    stack = [root]
    while stack:
        v = stack.pop()
        if v not in names:
            names[v] = len(names)
            rows.append((v._op, v.data, float(v.grad)))
            stack.extend(reversed(v._children))
    return rows, [[names[c] for c in v._children] for v in names], [list(v._local_grads) for v in names]


def pair():
    """One net and one input twice: as `nn` records it, and written out by hand."""
    before = random.getstate()
    random.seed(7)
    model = MLP(3, [4, 2, 1])
    random.setstate(before)
    folded_x, plain_x = ([Value(0.5), Value(-1.5), Value(2.0)] for _ in range(2))
    return model, model(folded_x) * Value(1.5), written_out(model, plain_x) * Value(1.5), folded_x, plain_x


@pytest.mark.parametrize("look", ["before backward", "after backward", "between two"])
def test_the_unfolded_view_is_what_was_meant(look):
    model, folded, plain, folded_x, plain_x = pair()
    passes = {"before backward": 0, "after backward": 1, "between two": 2}[look]
    for i in range(passes):
        if i:
            shape(folded)
        model.zero_grad()
        folded.backward()
    seen = shape(folded)
    for v in [*folded_x, *plain_x]:
        assert isinstance(v.grad, (int, float))
    for _ in range(passes):
        model.zero_grad()
        plain.backward()
    assert seen == shape(plain)
    assert shape(folded) == seen  # looking twice shows the same


def test_looking_gives_the_same_nodes_each_time():
    _, folded, *_ = pair()
    first = trace(folded)
    assert trace(folded) == first
    assert all(v._prev == set(v._children) for v in first[0])
    assert [v._children for v in topological(folded)] == [v._children for v in topological(folded)]


@pytest.mark.parametrize("manner", [by_hand, walk_back])
@pytest.mark.parametrize("looked", [False, True])
def test_a_net_s_backward_by_hand_is_backward(manner, looked):
    model, folded, plain, *_ = pair()
    if looked:
        trace(folded)
    plain.backward()
    expected = [p.grad for p in model.parameters()]
    model.zero_grad()
    manner(folded)
    assert [p.grad for p in model.parameters()] == pytest.approx(expected, rel=1e-13)
    model.zero_grad()
    folded.backward()
    assert [p.grad for p in model.parameters()] == pytest.approx(expected, rel=1e-13)
    found = gradients(folded)
    assert [found[p] for p in model.parameters() if p in found] == pytest.approx(
        [g for p, g in zip(model.parameters(), expected, strict=True) if p in found], rel=1e-13
    )


def test_one_push_of_a_folded_neuron_and_then_the_next():
    """Its products appear at the first push, and have received nothing before it."""
    before = random.getstate()
    random.seed(1)
    n = Neuron(2, nonlin=False)
    random.setstate(before)
    x = [Value(3.0), Value(-4.0)]
    out = n(x)
    out.grad = 2.0
    out._backward()
    for v in reversed(topological(out)[:-1]):
        v._backward()
    assert [w.grad for w in n.w] == [6.0, -8.0]
    assert (x[0].grad, n.b.grad) == (2.0 * n.w[0].data, 2.0)
