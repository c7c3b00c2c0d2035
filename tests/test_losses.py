"""Losses against their formulas in high precision, against finite differences, and at the edges."""

import math
from typing import Any

import numpy as np
import pytest
from mpmath import mp

import nn
from autograd import Value
from autograd.transform import grad

Z = [[1.5, -0.5, 0.25], [-3.0, 2.0, 0.0]]
T = [[1.0, 0.0, 0.5], [-2.5, 0.25, 1.0]]


def softplus(x):
    return mp.log(1 + mp.exp(x))


def binary(z, t):
    p = 1 / (1 + mp.exp(-mp.mpf(z)))
    return -t * mp.log(p) - (1 - t) * mp.log(1 - p)


def huber(d, delta):
    return d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)


SIGNS, SHARES = [[1, -1, 1], [-1, 1, 1]], [[1, 0, 0.5], [0.25, 1, 0]]
CASES: dict[str, Any] = {  # name: (loss, targets, the formula for one output)
    "mse": (nn.mse, T, lambda z, t: (z - t) ** 2),
    "mae": (nn.mae, T, lambda z, t: abs(z - t)),
    "huber": (nn.huber, T, lambda z, t: huber(z - t, 1.0)),
    "huber 0.3": (lambda z, t: nn.huber(z, t, delta=0.3), T, lambda z, t: huber(z - t, 0.3)),
    "hinge": (nn.hinge, SIGNS, lambda z, t: max(0.0, 1 - t * z)),
    "binary_cross_entropy": (nn.binary_cross_entropy, SHARES, binary),
}


@pytest.mark.parametrize("case", CASES)
def test_value_is_the_mean_of_the_formula_for_every_shape_and_type(case):
    loss, targets, formula = CASES[case]
    with mp.workdps(30):
        each = [
            [float(formula(z, t)) for z, t in zip(*row, strict=True)] for row in zip(Z, targets, strict=True)
        ]
    assert loss(Z, targets) == pytest.approx(np.mean(each), rel=1e-14)
    assert loss(Z[0], targets[0]) == pytest.approx(np.mean(each[0]), rel=1e-14)
    assert loss(Z[0][1], targets[0][1]) == pytest.approx(each[0][1], rel=1e-14)
    assert loss(np.array(Z), np.array(targets)) == loss(Z, targets)
    values = [[Value(z) for z in row] for row in Z]
    kinds: tuple[Any, ...] = (values, tuple(values), np.array(values))
    for outputs in kinds:
        assert loss(outputs, targets).data == pytest.approx(loss(Z, targets), rel=1e-15)
    as_values = [[Value(t) for t in row] for row in targets]
    assert loss(values, as_values).data == pytest.approx(loss(Z, targets), rel=1e-14)


def slopes_by_differences(loss, z, t, h=1e-6):
    found = []
    for i in range(len(z)):
        up, down = ([x + step * (i == j) for j, x in enumerate(z)] for step in (h, -h))
        found.append((loss(up, t) - loss(down, t)) / (2 * h))
    return found


@pytest.mark.parametrize("case", CASES)
def test_gradient_agrees_with_finite_differences(case):
    loss, targets, _ = CASES[case]
    for z, t in zip(Z, targets, strict=True):
        values = [Value(x) for x in z]
        loss(values, t).backward()
        assert [v.grad for v in values] == pytest.approx(
            slopes_by_differences(loss, z, t), rel=1e-6, abs=1e-8
        )


def exact_cross_entropy(z, t):
    with mp.workdps(400):
        total = mp.fsum(mp.exp(x) for x in z)
        return float(mp.fsum(-p * (mp.mpf(x) - mp.log(total)) for x, p in zip(z, t, strict=True)))


def test_cross_entropy():
    one_hot, mixed = [0.0, 1.0, 0.0], [0.25, 0.5, 0.25]
    for z in (*Z, [800.0, -800.0, 0.0], [1e-8, 0.0, -1e-8]):
        assert nn.cross_entropy(z, 1) == pytest.approx(exact_cross_entropy(z, one_hot), rel=1e-14)
        assert nn.cross_entropy(z, one_hot) == nn.cross_entropy(z, 1) == nn.cross_entropy([z], [1])
        assert nn.cross_entropy(z, mixed) == pytest.approx(exact_cross_entropy(z, mixed), rel=1e-14)
    mean = (nn.cross_entropy(Z[0], 2) + nn.cross_entropy(Z[1], 0)) / 2
    for logits, targets in (
        (Z, [2, 0]), (np.array(Z), np.array([2, 0])), (Z, np.array([2, 0], dtype=np.int8)),
        (Z, [[0, 0, 1], [1, 0, 0]]), (np.array(Z), np.eye(3)[[2, 0]]), (Z, [2, [1, 0, 0]]),
    ):  # fmt: skip
        assert nn.cross_entropy(logits, targets) == pytest.approx(mean, rel=1e-15)
    values = [Value(x) for x in Z[0]]
    nn.cross_entropy(values, 2).backward()
    softmax = np.exp(Z[0]) / np.exp(Z[0]).sum()
    assert [v.grad for v in values] == pytest.approx(softmax - [0, 0, 1], rel=1e-14)
    values = [Value(x) for x in Z[0]]
    nn.cross_entropy([values], [mixed]).backward()
    assert [v.grad for v in values] == pytest.approx(softmax - mixed, rel=1e-13)


def test_a_class_index_that_is_a_value():
    values, index = [Value(x) for x in Z[0]], Value(2)
    loss = nn.cross_entropy(values, index)
    loss.backward()
    slopes = [v.grad for v in values]
    assert index.grad == 0.0
    twins = [Value(x) for x in Z[0]]
    expected = nn.cross_entropy(twins, 2)
    expected.backward()
    assert loss.data == expected.data
    assert slopes == pytest.approx([v.grad for v in twins], rel=1e-15)
    assert nn.cross_entropy(Z, [Value(2), 0]).data == nn.cross_entropy(Z, [2, 0])
    assert nn.cross_entropy(Z[0], [Value(p) for p in (0.25, 0.5, 0.25)]).data == pytest.approx(
        nn.cross_entropy(Z[0], [0.25, 0.5, 0.25]), rel=1e-15
    )


def test_stable_far_out():
    for z in (40.0, 800.0, 1e300):
        for t, wrong in ((1, -z), (0, z)):
            right = Value(-wrong)
            loss = nn.binary_cross_entropy(right, t)
            loss.backward()
            assert loss.data == pytest.approx(math.exp(-z), rel=1e-14)  # not 0 before e^-z is
            assert nn.binary_cross_entropy(wrong, t) == z
            assert abs(right.grad) == pytest.approx(math.exp(-z), rel=1e-14)
    assert nn.cross_entropy([1e4, 0.0], 0) == 0.0
    assert nn.cross_entropy([1e4, 0.0], 1) == 1e4
    assert nn.cross_entropy([-math.inf, 0.0], 1) == 0.0 == nn.cross_entropy([-math.inf, 0.0], [0, 1])
    assert nn.cross_entropy([-math.inf, 0.0], 0) == math.inf
    assert nn.binary_cross_entropy(math.inf, 1) == 0.0
    assert nn.binary_cross_entropy(math.inf, 0) == math.inf
    for loss in (nn.mse, nn.mae, nn.huber, nn.hinge, nn.binary_cross_entropy):
        assert math.isnan(loss(math.nan, 1))
    assert math.isnan(nn.cross_entropy([math.nan, 0.0], 0))


def test_slopes_at_the_kinks():
    """PyTorch's: 0 for |0|, the parabola's own at huber's delta, 0 for a hinge just closed."""
    assert grad(lambda x: nn.mae(x, 2.0))(2.0) == 0.0
    assert grad(lambda x: nn.huber(x, 0.0))(1.0) == 1.0
    assert grad(lambda x: nn.huber(x, 0.0))(-5.0) == -1.0
    assert grad(lambda x: nn.hinge(x, 1))(1.0) == 0.0


def test_second_derivatives():
    curve = grad(grad(lambda z: nn.binary_cross_entropy(z, 0.3)))(0.7)
    p = 1 / (1 + math.exp(-0.7))
    assert curve == pytest.approx(p * (1 - p))
    assert grad(grad(lambda x: nn.mse(x, 3.0)))(1.0) == 2.0
    assert grad(grad(lambda z: nn.cross_entropy([z, 0.0], 1)))(0.7) == pytest.approx(p * (1 - p))


def test_generators_are_welcome():
    assert nn.mse((x for x in (1.0, 2.0)), iter([1.0, 0.0])) == 2.0
    assert nn.cross_entropy(iter([iter([1.0, 1.0])]), iter([0])) == pytest.approx(math.log(2.0))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.mse([1.0, 2.0], [1.0]), ValueError, "of one shape. Received: (2,) and (1,)"),
        (lambda: nn.mse([1.0, 2.0], 1.0), ValueError, "Received: (2,) and ()"),
        (lambda: nn.mse(1.0, [1.0]), ValueError, "Received: () and (1,)"),
        (lambda: nn.mae([1.0, 2.0], np.ones((2, 1))), ValueError, "Received: (2,) and (2, 1)"),
        (lambda: nn.mse([[1.0], [2.0, 3.0]], [[1.0], [2.0]]), ValueError, "Received: (2,) and (1,)"),
        (lambda: nn.mse([], []), ValueError, "mse needs at least one output. Received: none"),
        (lambda: nn.mse("ab", "ab"), TypeError, "mse needs numbers or Values, or lists of them. Received: str"),
        (lambda: nn.mse([1.0], ["a"]), TypeError, "mse needs numbers or Values, or lists of them. Received: str"),
        (lambda: nn.mse(None, 1.0), TypeError, "Received: NoneType"),
        (lambda: nn.huber([1.0], [1.0], delta=0.0), ValueError, "huber needs delta above 0. Received: delta=0"),
        (lambda: nn.hinge([1.0], [0]), ValueError, "hinge needs targets -1 or 1. Received: 0"),
        (lambda: nn.binary_cross_entropy([1.0], [-1]), ValueError, "needs targets from 0 to 1. Received: -1"),
        (lambda: nn.binary_cross_entropy([1.0], [math.nan]), ValueError, "needs targets from 0 to 1. Received: nan"),
        (lambda: nn.cross_entropy([1.0, 2.0], 2), ValueError, "a class index from 0 to 1. Received: 2"),
        (lambda: nn.cross_entropy([1.0, 2.0], -1), ValueError, "a class index from 0 to 1. Received: -1"),
        (lambda: nn.cross_entropy([1.0, 2.0], 1.0), TypeError, "for each sample. Received: 1.0"),
        (lambda: nn.cross_entropy([1.0, 2.0], True), TypeError, "Received: True"),
        (lambda: nn.cross_entropy([1.0, 2.0], Value(2)), ValueError, "a class index from 0 to 1. Received: 2"),
        (lambda: nn.cross_entropy([1.0, 2.0], Value(-1)), ValueError, "a class index from 0 to 1. Received: -1"),
        (lambda: nn.cross_entropy([1.0, 2.0], Value(0.5)), TypeError, "for each sample. Received: Value(data=0.5)"),
        (lambda: nn.cross_entropy([1.0, 2.0], [Value(0.5)] * 3), ValueError, "for each of 2 classes. Received: 3"),
        (lambda: nn.cross_entropy([1.0, 2.0], [Value(0.4)] * 2), ValueError, "whose sum is 1. Received: [0.4, 0.4]"),
        (lambda: nn.hinge([1.0], [Value(0.5)]), ValueError, "hinge needs targets -1 or 1. Received: 0.5"),
        (lambda: nn.binary_cross_entropy(1.0, Value(1.5)), ValueError, "needs targets from 0 to 1. Received: 1.5"),
        (lambda: nn.cross_entropy([1.0, 2.0], [0.5, 0.6]), ValueError, "whose sum is 1. Received: [0.5, 0.6]"),
        (lambda: nn.cross_entropy([1.0, 2.0], [1.5, -0.5]), ValueError, "whose sum is 1. Received: [1.5, -0.5]"),
        (lambda: nn.cross_entropy([1.0, 2.0], [0, 0, 1]), ValueError, "for each of 2 classes. Received: 3"),
        (lambda: nn.cross_entropy([[1.0, 2.0]], [0, 1]), ValueError, "Received: 1 samples, 2 targets"),
        (lambda: nn.cross_entropy([], []), ValueError, "at least one number. Received: 0 logits"),
        (lambda: nn.cross_entropy([[]], [0]), ValueError, "at least one number. Received: 0 logits"),
        (lambda: nn.cross_entropy(Value(1.0), 0), TypeError, "cross_entropy needs a list of logits. Received: Value"),
        (lambda: nn.cross_entropy([[[1.0]]], [0]), TypeError, "Received: list"),
        (lambda: nn.cross_entropy([["a", "b"]], [0]), TypeError, "Received: str"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
