"""Steps of a recurrence as a loop: the same bits as line by line, and a text that does not grow with the steps."""

import ast

import numpy as np
import pytest

import autograd
import nn
from autograd import Value
from autograd.compiler import text


def plain(lines, results):
    return [*lines], [*results]


def unrolled(monkeypatch, make, *args):
    with monkeypatch.context() as patched:
        patched.setattr(text, "rolled", plain)
        program = make()
        return program, program.value_and_grad(*args), program(*args)


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


def flat(tree):
    if isinstance(tree, (tuple, list)):
        return np.concatenate([np.ravel(flat(x)) for x in tree])
    return np.ravel(tree)


def same(found, wanted):
    return np.array_equal(flat(found), flat(wanted), equal_nan=True)


def last(outputs):
    return autograd.sum([h * h for h in outputs[-1]])


def every(outputs):
    return autograd.sum([h * (1.0 + k) for k, hs in enumerate(outputs) for h in hs])


def by_hand(xs):
    w, u, b = Value(0.3, label="w"), Value(-0.7, label="u"), Value(0.1, label="b")
    h = Value(0.2, label="h")

    def f(xs):
        state = h
        for x in xs:
            state = autograd.tanh(w * x + u * state + b)
        return state * state

    return f, [w, u, b, h]


def leaky(xs):
    """Two states, one of them read after it has been replaced, and every second input."""
    w = Value(0.9, label="w")

    def f(xs):
        a, b = w, 1.0 - w
        for k in range(len(xs) // 2):
            a, b = autograd.sin(b) + xs[2 * k] * w, autograd.tanh(a) * xs[2 * k + 1]
        return a * b

    return f, [w]


def backwards(xs):
    w = Value(0.5, label="w")

    def f(xs):
        h = w
        for x in reversed(list(xs)):
            h = autograd.sigmoid(h * x - w)
        return h

    return f, [w]


def twice(xs):
    """Lines of a step that look the same, and what no step changes; arguments and labels with the loop's names."""
    w, u = ([Value(x, label=f"{name}[{k}]") for k in range(4)] for name, x in (("t", 0.5), ("h_steps", 0.3)))

    def f(t):
        h = [0.0] * 4
        for x in t:
            h = [
                autograd.tanh(autograd.exp(a) * x + autograd.sin(b) * k)
                for a, b, k in zip(w, u, h, strict=True)
            ]
        return autograd.sum(h)

    return f, w + u


def one_beginning(xs):
    """Two recurrences that begin with the same number, which is read again at the end."""
    w, u = Value(0.4, label="w"), Value(-0.6, label="u")

    def f(xs):
        begin = autograd.exp(w * xs[0])
        a = b = begin
        for x in xs:
            a = autograd.tanh(u * a + x)
        for k, x in enumerate(reversed(list(xs))):
            b = autograd.sin(w * b + x / (k + 1)) * 0.9
        return a * b + begin

    return f, [w, u]


def recurrent(kind, output, nin=3, **more):
    def make(xs):
        model = getattr(nn, kind)(nin, 4, rng=1, **more)
        return lambda xs: output(model(xs)[0]), model

    return make


CASES = {
    "by hand": (by_hand, ()),
    "two states": (leaky, ()),
    "backwards": (backwards, ()),
    "twice the same": (twice, ()),
    "one beginning": (one_beginning, ()),
    **{
        f"{kind}, {output.__name__}": (recurrent(kind, output), (3,))
        for kind in ("RNN", "LSTM", "GRU")
        for output in (last, every)
    },
    "two layers": (recurrent("LSTM", last, layers=2), (3,)),
    "both directions": (recurrent("GRU", every, bidirectional=True), (3,)),
    "with dropout": (recurrent("RNN", last, layers=2, dropout=0.5), (3,)),
}


def programs(case, steps, batch, wrt):
    make, shape = CASES[case]
    sample = (steps, *shape)
    xs = normal(*((3, *sample) if batch else sample))
    f, parameters = make(xs)

    def compiled():
        return autograd.compile(f, wrt=parameters if wrt else None, batch=batch)

    return compiled, xs


@pytest.mark.parametrize("wrt", [True, False], ids=["by parameters", "by inputs"])
@pytest.mark.parametrize("batch", [True, False], ids=["batch", "sample"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_bits(monkeypatch, case, batch, wrt):
    for steps in (3, 5, 8, 12):
        compiled, xs = programs(case, steps, batch, wrt)
        _, gradient, value = unrolled(monkeypatch, compiled, xs)
        program = compiled()
        assert same(program.value_and_grad(xs), gradient)
        assert same(program(xs), value)


UNEVEN = ("two states", "twice the same", "one beginning", "both directions")


@pytest.mark.parametrize("case", [case for case in CASES if case not in UNEVEN])
def test_more_steps_are_no_more_lines(case):
    def lines(steps):
        compiled, xs = programs(case, steps, True, True)
        program = compiled()
        program.value_and_grad(xs)
        return program.source.count("\n"), program.source.count("for t in ")

    (few, loops), (many, more) = lines(12), lines(24)
    assert loops == more >= 2
    adding_all = (
        1 if case.endswith("every") else 0
    )  # the sum of all outputs is one expression, of as many terms
    assert many - few <= 6 * adding_all


def source(case, steps=9, wrt=True):
    compiled, xs = programs(case, steps, True, wrt)
    program = compiled()
    program.value_and_grad(xs)
    return program.source


def test_lines_of_a_pass_that_look_the_same():
    """s * d and then h * (s * d), step by step: a product a line, two lines a pass."""
    text = source("twice the same")
    assert text.count("    for ") == 2
    assert "(t):" in text  # the argument has its name, the variable that counts another one
    assert "for t3 in range(" in text


@pytest.mark.parametrize("case", ["RNN, last", "GRU, last", "by hand", "twice the same"])
def test_no_second_name_for_what_a_loop_begins_with(case):
    assignments = [node for node in ast.walk(ast.parse(source(case))) if isinstance(node, ast.Assign)]
    assert not [ast.unparse(node) for node in assignments if isinstance(node.value, ast.Name)]
