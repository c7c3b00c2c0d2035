"""The lesson on an engine from nothing: what it says comes out; its exercises, solved."""

import math

import numpy as np
import pytest

from autograd import Value


def test_the_chain_rule_by_hand(lesson):
    assert lesson["by_hand"] == {"w": 24.0, "x": -16.0, "b": 8.0}
    assert lesson["measured"] == pytest.approx(lesson["by_hand"], abs=1e-6)


def test_gradients_of_several_uses_add_up(lesson):
    assert [*lesson["setting"].values(), *lesson["adding"].values()] == [1.0, 2.0]


def test_a_diamond_needs_the_topological_order(lesson):
    assert lesson["right"] == 108.0 == lesson["in_order"] == lesson["drawn"].grad
    assert lesson["wrong"] == 156.0  # b hands on 4 x 12 when it is met first, and 4 x 27 when it is met again


def test_the_engine_agrees_with_the_package_and_with_differences(lesson):
    assert lesson["worst_package"] < 1e-12
    assert lesson["worst_measured"] < 1e-6


@pytest.mark.parametrize("seed", range(1000, 1020))
def test_the_engine_agrees_on_other_graphs(lesson, seed):
    start = np.random.default_rng(seed).uniform(-2.0, 2.0, 3).tolist()
    ours, theirs = [[kind(s) for s in start] for kind in (lesson["Value"], Value)]
    out, other = lesson["grow"](ours, seed), lesson["grow"](theirs, seed)
    lesson["backward"](out)
    other.backward()
    assert out.data == pytest.approx(other.data, rel=1e-13)
    assert [v.grad for v in ours] == pytest.approx([v.grad for v in theirs], rel=1e-10, abs=1e-13)


def test_every_operation_is_in_some_random_graph(lesson):
    used = set()

    def counted(i, operation):
        def apply(a, b):
            used.add(i)
            return operation(a, b)

        return apply

    operations = lesson["OPERATIONS"]
    scope = lesson["grow"].__globals__
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scope, "OPERATIONS", [counted(*pair) for pair in enumerate(operations)])
        for seed in range(20):
            lesson["grow"]([Value(0.5)] * 3, seed)
    assert used == set(range(len(operations)))


def test_only_the_package_walks_deep_chains(lesson):
    assert lesson["deep"].grad == 1.0
    assert lesson["too_deep"]


def test_exercise_sin(lesson):
    mine = lesson["Value"]
    sin = lambda v: v.one(math.sin(v.data), math.cos(v.data))
    v = mine(0.7)
    lesson["backward"](sin(v * v))
    up, down = (math.sin(x * x) for x in (0.7 + 1e-6, 0.7 - 1e-6))
    assert v.grad == pytest.approx((up - down) / 2e-6, abs=1e-8)


def test_exercise_a_loop_in_place_of_recursion(lesson):
    def topological(root):
        order, seen, stack = [], set(), [(root, False)]
        while stack:
            v, done = stack.pop()
            if done:
                order.append(v)
            elif v not in seen:
                seen.add(v)
                stack.append((v, True))
                stack.extend((operand, False) for operand in v.operands)
        return order

    v = lesson["Value"](0.0)
    end = lesson["chain"](v, 20_000)
    end.grad = 1.0
    for node in reversed(topological(end)):
        node._backward()
    assert v.grad == 1.0
    a = lesson["Value"](2.0)
    e = lesson["diamond"](a)
    e.grad = 1.0
    for node in reversed(topological(e)):
        node._backward()
    assert a.grad == 108.0


def test_exercise_train_a_neuron(lesson):
    w, b = lesson["Value"](0.0), lesson["Value"](0.0)
    for _ in range(500):
        loss = sum(((w * x + b).tanh() - y) ** 2 for x, y in ((1.0, 0.5), (-1.0, -0.8)))
        w.grad = b.grad = 0.0
        lesson["backward"](loss)
        w.data, b.data = w.data - 0.2 * w.grad, b.data - 0.2 * b.grad
    plus, minus = math.atanh(0.5), math.atanh(-0.8)
    assert (w.data, b.data) == pytest.approx(((plus - minus) / 2, (plus + minus) / 2), abs=1e-6)


def test_pictures_left(pictures):
    assert pictures <= {"diamond"}  # it needs Graphviz
