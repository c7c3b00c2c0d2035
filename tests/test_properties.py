"""Laws that hold on every graph: random expressions over the whole table, with reuse, constants and folded sums."""

import copy
import math
import pickle

from hypothesis import assume, given, settings
from hypothesis import strategies as st

import autograd
from autograd import TABLE, Value, Vector, trace
from autograd.value import gradients, topological

from .programs import distances

SMOOTH = settings(max_examples=60, deadline=None, derandomize=True)  # the same in every run


def inside(interval):
    """A map of any number into an interval, made of operations that are smooth, so that it may stand in a graph."""
    low, high = interval
    if math.isinf(low) and math.isinf(high):
        return lambda v: 2.0 * (0.5 * v).tanh()
    if math.isinf(high):
        return lambda v: low + 0.3 + (1.0 + v * v).sqrt()
    return lambda v: low + (high - low) * (0.1 + 0.8 * v.sigmoid_())


def logistic(v):
    return 1.0 / (1.0 + (-(v.tanh())).exp())


Value.sigmoid_ = logistic  # type: ignore[attr-defined]
SCALAR = sorted(name for name, op in TABLE.items() if not op.variadic)
VECTOR = sorted(name for name, op in TABLE.items() if op.variadic and name not in ("dot", "pick"))


class Expression:
    """A recipe for a graph, so that the same one can be built again from other leaves: each row is an operation and
    the places of its operands among what came before, leaves first. Equal places make reuse and diamonds."""

    def __init__(self, leaves, rows):
        self.leaves, self.rows = leaves, rows

    def __repr__(self):
        return f"Expression({self.leaves!r}, {self.rows!r})"

    def build(self, leaves):
        """(output, how near the points of the graph come to a kink)."""
        nodes, near = list(leaves), math.inf
        pick = lambda place: nodes[place % len(nodes)]
        for name, places, constant in self.rows:
            if name == "dot":
                half = len(places) // 2
                ws, xs = map(
                    Vector, ([pick(p) for p in places[:half]], [pick(p) for p in places[half : 2 * half]])
                )
                nodes.append(autograd.dot(ws, xs, pick(places[0])) * 0.3)
                nodes.append(autograd.dot(ws, [constant] * half).tanh())
            elif name in VECTOR:
                spread = [*map(pick, places), constant]
                nodes.append(TABLE[name](spread).tanh() if name == "prod" else TABLE[name](spread) * 0.5)
            else:
                op = TABLE[name]
                inputs = [inside(d)(pick(p)) for d, p in zip(op.domain, places, strict=False)]
                if constant > 0.5 and len(inputs) == 2:  # a plain number on one side
                    side = int(constant > 0.75)
                    inputs[side] = float(inside(op.domain[side])(Value(constant)))
                data = [*map(float, inputs)]
                near = min(near, *distances(op, data))
                nodes.append(op(*inputs) if any(isinstance(v, Value) for v in inputs) else Value(op(*inputs)))
        return sum(nodes[len(leaves) :], nodes[0] * 0.0), near

    def value(self, data):
        return self.build([Value(x) for x in data])[0].data

    def record(self):
        leaves = [Value(x) for x in self.leaves]
        output, near = self.build(leaves)
        assume(near > 0.02)
        assume(all(abs(v.data) < 1e3 for v in topological(output)))
        return leaves, output


@st.composite
def expressions(draw, names=(*SCALAR, *VECTOR, "dot", "dot", "sum", "mul", "add")):
    leaves = draw(st.lists(st.floats(-2, 2).map(lambda x: round(x, 3)), min_size=1, max_size=3))
    row = st.tuples(
        st.sampled_from(names), st.lists(st.integers(0, 30), min_size=3, max_size=6), st.floats(0.1, 1.0)
    )
    return Expression(leaves, draw(st.lists(row, min_size=1, max_size=6)))


def test_every_operation_takes_part():
    """A new entry in the table is covered by being there."""
    covered = set()
    for name in (*SCALAR, *VECTOR, "dot"):
        leaves = [Value(x) for x in (0.37, -0.81, 1.3)]
        output, _ = Expression([], [(name, [0, 1, 2, 0], 0.3)]).build(leaves)
        covered |= {v.op.name for v in topological(output)}
        assert math.isfinite(output.data), name
    assert covered >= set(TABLE) - {"pick"}  # its last operand is an index


def close(x, y, scale, tolerance):
    return abs(x - y) <= tolerance * (scale + abs(x) + abs(y))


def central(f, data, i, h):
    """d f / d data[i] by Richardson's extrapolation of central differences, and an estimate of its error."""

    def difference(h):
        up, down = list(data), list(data)
        up[i] += h
        down[i] -= h
        return (f(up) - f(down)) / (2 * h)

    wide, narrow = difference(h), difference(h / 2)
    return (4 * narrow - wide) / 3, abs(narrow - wide)


@SMOOTH
@given(expressions())
def test_recorded_rules_and_differences_agree(expression):
    leaves, output = expression.record()
    found, recorded = gradients(output), gradients(output, create_graph=True)
    output.backward()
    assert found.keys() == recorded.keys()
    size = sum(abs(g) for g in found.values())
    for v, g in found.items():
        assert close(float(recorded[v]), g, 1e-3 * size, 1e-11), (v, g, recorded[v])
        assert close(v.grad, g, 1e-3 * size, 1e-13), (v, g)
    for i, x in enumerate(leaves):
        slope, error = central(expression.value, expression.leaves, i, 1e-4)
        assert close(found.get(x, 0.0), slope, 1 + abs(output.data), 1e-7 + 10 * error), (
            i,
            found.get(x),
            slope,
        )


@SMOOTH
@given(expressions())
def test_second_derivatives_are_symmetric_and_right(expression):
    leaves, output = expression.record()
    slopes = [gradients(output, create_graph=True).get(x, 0.0) for x in leaves]
    hessian = [[gradients(s).get(x, 0.0) if isinstance(s, Value) else 0.0 for x in leaves] for s in slopes]
    size = 1.0 + max(abs(h) for row in hessian for h in row)
    for i, row in enumerate(hessian):
        for j, h in enumerate(row):
            assert close(h, hessian[j][i], size, 1e-9), (i, j, h, hessian[j][i])

            def slope(data, i=i):
                other = [Value(x) for x in data]
                return gradients(expression.build(other)[0]).get(other[i], 0.0)

            expected, error = central(slope, expression.leaves, j, 1e-4)
            assert close(h, expected, size, 1e-6 + 10 * error), (i, j, h, expected)


def carried(leaves, output, carry):
    """Gradients of all leaves after the graph was carried elsewhere, and the number it ends in."""
    leaves, output = carry((leaves, output))
    found = gradients(output)
    output.backward()
    return output.data, [found.get(x, 0.0) for x in leaves], [x.grad for x in leaves]


@SMOOTH
@given(expressions(), st.booleans())
def test_copies_and_pickles_give_the_same_numbers_to_the_bit(expression, backward_before):
    leaves, output = expression.record()
    if backward_before:
        output.backward()
        for x in leaves:
            x.grad = 0.0
    expected = carried(leaves, output, lambda both: both)
    for x in leaves:
        x.grad = 0.0
    for carry in (copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))):
        assert repr(carried(leaves, output, carry)) == repr(expected)


@SMOOTH
@given(expressions(("dot", "dot", "sum", "mul", "add", "tanh", "div", "mean")))
def test_a_look_changes_no_number(expression):
    leaves, output = expression.record()
    output.backward()
    expected = output.data, [x.grad for x in leaves]
    trace(output)
    assert all(v.op.name not in ("dot", "sum") for v in topological(output) if len(v.operands) > 2)
    second = gradients(output)
    for x in leaves:
        x.grad = 0.0
    output.backward()
    for x, g in zip(leaves, expected[1], strict=True):
        assert close(x.grad, g, 1e-3, 1e-13)
        assert close(second.get(x, 0.0), g, 1e-3, 1e-13)
    assert output.data == expected[0]
    again = [Value(x) for x in expression.leaves]
    assert expression.build(again)[0].data == expected[0]


@SMOOTH
@given(expressions(), st.floats(-3, 3), st.floats(-3, 3))
def test_gradients_are_linear_in_where_they_start(expression, a, b):
    leaves, output = expression.record()
    found = [gradients(output, seed) for seed in (1.0, a, b, a + b)]
    for x in leaves:
        one, ga, gb, both = (f.get(x, 0.0) for f in found)
        assert close(ga + gb, both, 1e-3 + abs(one), 1e-10)
        assert close(ga, a * one, 1e-3 + abs(one), 1e-10)


@SMOOTH
@given(expressions(), st.integers(1, 4))
def test_passes_add_up_in_leaves_alone(expression, passes):
    leaves, output = expression.record()
    output.backward()
    first = {v: v.grad for v in [*topological(output), *leaves]}
    for _ in range(passes - 1):
        output.backward()
    for v, g in first.items():
        expected = g if v.op else passes * g
        assert close(v.grad, expected, 1e-9, 1e-13)
