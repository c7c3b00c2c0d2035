"""Losses against their formulas in high precision, against finite differences, and at the edges."""

import math
from typing import Any

import numpy as np
import pytest
from mpmath import mp

import autograd
import nn
from autograd import Value
from autograd.transform import grad
from nn import losses as of
from nn.optim import AdamW
from nn.penalties import l1, l2

from .test_compile import Twins, mlp, normal

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


# Reductions, weights, smoothing ------------------------------------------------------------------------------------

INDICES, SMOOTH = [2, 0], [[0.25, 0.5, 0.25], [0.0, 0.125, 0.875]]
WEIGHT = [0.5, 2.0, 1.25]
LOG_P = [(np.array(z) - np.log(np.exp(z).sum())).tolist() for z in Z]


def class_terms(log_p, t, weight=None, smoothing=0.0):
    """The loss of each sample and what it counts in the mean, in NumPy, from the definition."""
    found = []
    for row, target in zip(np.array(log_p), t, strict=True):
        k, index = len(row), np.ndim(target) == 0
        w = np.ones(k) if weight is None else np.array(weight)
        shares = (1 - smoothing) * (np.eye(k)[target] if index else np.array(target)) + smoothing / k
        found.append((-(shares * w * row).sum(), w[target] if index else 1.0))
    return np.array(found).T


def divergence(x, t):
    return sum(q * (math.log(q) - v) for v, q in zip(x, t, strict=True) if q)


def margins(z, k):
    return sum(max(0.0, 1.0 - z[k] + v) for i, v in enumerate(z) if i != k) / len(z)


def nll_weighted(log_p, targets, **more):
    return of.nll(log_p, targets, weight=WEIGHT, **more)


KL, MARGINS = map(divergence, LOG_P, SMOOTH), map(margins, Z, INDICES)
CLASS_CASES: dict[str, Any] = {  # name: (loss, outputs, targets, NumPy's losses and weights of the samples)
    "cross_entropy": (of.cross_entropy, Z, INDICES, class_terms(LOG_P, INDICES)),
    "cross_entropy of shares": (of.cross_entropy, Z, SMOOTH, class_terms(LOG_P, SMOOTH)),
    "nll": (of.nll, LOG_P, INDICES, class_terms(LOG_P, INDICES)),
    "nll weighted": (nll_weighted, LOG_P, INDICES, class_terms(LOG_P, INDICES, WEIGHT)),
    "kl": (of.kl, LOG_P, SMOOTH, np.array([[*KL], [1.0, 1.0]])),
    "multi_margin": (of.multi_margin, Z, INDICES, np.array([[*MARGINS], [1.0, 1.0]])),
}
for kind, its_targets in (("index", INDICES), ("shares", SMOOTH)):
    for weight, smoothing in ((WEIGHT, 0.0), (None, 0.1), (WEIGHT, 0.1)):
        CLASS_CASES[f"cross_entropy of {kind}, {weight}, {smoothing}"] = (
            lambda z, t, weight=weight, smoothing=smoothing, **more: of.cross_entropy(
                z, t, weight=weight, label_smoothing=smoothing, **more
            ),
            Z,
            its_targets,
            class_terms(LOG_P, its_targets, weight, smoothing),
        )


@pytest.mark.parametrize("case", CLASS_CASES)
def test_losses_of_classes(case):
    loss, outputs, targets, (each, weights) = CLASS_CASES[case]
    values = [[Value(x) for x in row] for row in outputs]
    for given, wrap in ((outputs, float), (np.array(outputs), float), (values, lambda v: v.data)):
        mean = each.sum() / weights.sum()
        assert wrap(loss(given, targets)) == pytest.approx(mean, rel=1e-13)
        assert wrap(loss(given, np.array(targets))) == pytest.approx(mean, rel=1e-13)
        assert wrap(loss(given, targets, reduction="sum")) == pytest.approx(each.sum(), rel=1e-13)
        found = [wrap(v) for v in loss(given, targets, reduction="none")]
        assert found == pytest.approx(each, rel=1e-13)
        assert wrap(loss(given[0], targets[0], reduction="none")) == pytest.approx(each[0], rel=1e-13)
    loss(values, targets).backward()
    flat = lambda x: loss(np.reshape(x, np.shape(outputs)), targets)
    assert [v.grad for row in values for v in row] == pytest.approx(
        slopes_by_differences(lambda z, t: flat(z), np.ravel(outputs).tolist(), targets), rel=1e-6, abs=1e-8
    )


@pytest.mark.parametrize("case", CASES)
def test_reductions_keep_the_shape(case):
    loss, targets, _ = CASES[case]
    name = case.split()[0]
    settings = {"delta": 0.3} if "0.3" in case else {}
    f = getattr(of, name)
    each = [[loss(z, t) for z, t in zip(*row, strict=True)] for row in zip(Z, targets, strict=True)]
    assert f(Z, targets, reduction="none", **settings) == each
    assert f(Z, targets, reduction="sum", **settings) == pytest.approx(np.sum(each), rel=1e-14)
    assert f(Z[0][0], targets[0][0], reduction="none", **settings) == each[0][0]


def test_pos_weight():
    for w in (3.0, [0.5, 2.0, 3.0]):
        yes, no = ([[float(softplus(sign * z)) for z in row] for row in Z] for sign in (-1, 1))
        each = np.array(SHARES) * w * yes + (1.0 - np.array(SHARES)) * no
        assert nn.binary_cross_entropy(Z, SHARES, pos_weight=w) == pytest.approx(np.mean(each), rel=1e-14)
        found = nn.binary_cross_entropy(Z, SHARES, pos_weight=w, reduction="none")
        np.testing.assert_allclose(found, each, rtol=1e-14)
    assert nn.binary_cross_entropy(2.0, 1, pos_weight=3) == 3 * nn.binary_cross_entropy(2.0, 1)
    assert nn.binary_cross_entropy(2.0, 0, pos_weight=3) == nn.binary_cross_entropy(2.0, 0)


def test_classes_at_the_edges():
    assert of.kl([-math.inf, 0.0], [0.0, 1.0]) == 0.0
    assert of.kl([0.0, -math.inf], [0.0, 1.0]) == math.inf
    assert of.nll([-math.inf, 0.0], 0) == math.inf
    assert math.isnan(of.nll([-1.0, -2.0], 0, weight=[0.0, 1.0]))  # PyTorch's 0 / 0
    assert of.nll([-1.0, -2.0], 0, weight=[0.0, 1.0], reduction="sum") == 0.0
    assert of.multi_margin([9.0, 0.0, 1.0], 0) == 0.0
    assert of.multi_margin([1.0, 1.0], 0, margin=0.25) == 0.125


def test_torch_agrees_on_losses_of_classes():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    draw = np.random.default_rng(0)
    z, k, w = draw.normal(size=(7, 4)) * 3, draw.integers(4, size=7), draw.uniform(0.1, 2.0, size=4)
    t = draw.dirichlet(np.ones(4), size=7)
    pairs: list[Any] = []
    for reduction in ("mean", "sum", "none"):
        for weight in (None, w):
            tw = None if weight is None else torch.tensor(weight)
            for smoothing in (0.0, 0.3):
                a: dict[str, Any] = {"label_smoothing": smoothing, "reduction": reduction}
                for target in (k, t):
                    pairs.append((
                        lambda x, y, a=a, weight=weight: of.cross_entropy(x, y, weight=weight, **a),
                        lambda x, y, a=a, tw=tw: F.cross_entropy(x, y, weight=tw, **a), target))  # fmt: skip
            pairs.append((
                lambda x, y, r=reduction, weight=weight: of.nll(x, y, weight=weight, reduction=r),
                lambda x, y, r=reduction, tw=tw: F.nll_loss(x, y, weight=tw, reduction=r), k))  # fmt: skip
        pairs.append((
            lambda x, y, r=reduction: of.multi_margin(x, y, margin=0.7, reduction=r),
            lambda x, y, r=reduction: F.multi_margin_loss(x, y, margin=0.7, reduction=r), k))  # fmt: skip
        for pw in (w, 2.5):
            pairs.append((
                lambda x, y, r=reduction, pw=pw: of.binary_cross_entropy(x, y, pos_weight=pw, reduction=r),
                lambda x, y, r=reduction, pw=pw: F.binary_cross_entropy_with_logits(
                    x, y, pos_weight=torch.tensor(pw), reduction=r), t))  # fmt: skip
    pairs.append((of.kl, lambda x, y: F.kl_div(x, y, reduction="batchmean"), t))
    for ours, theirs, target in pairs:
        x = torch.tensor(z, requires_grad=True)
        expected = theirs(x, torch.tensor(target))
        expected.sum().backward()
        values = [[Value(v) for v in row] for row in z]
        found = ours(values, target)
        np.testing.assert_allclose(np.vectorize(float)(found), expected.detach().numpy(), rtol=1e-10)
        autograd.sum(found).backward()
        np.testing.assert_allclose(
            np.vectorize(lambda v: v.grad)(values), x.grad.numpy(), rtol=1e-10, atol=1e-15
        )


RECORDED: dict[str, Any] = {  # name: (loss of outputs and target, whether targets are probabilities)
    "nll": (lambda y, t: of.nll(nn.activations.log_softmax(y), t), False),
    "smoothed": (lambda y, t: of.cross_entropy(y, t, label_smoothing=0.1), False),
    "smoothed shares": (lambda y, t: of.cross_entropy(y, t, label_smoothing=0.1, weight=WEIGHT), True),
    "kl": (lambda y, t: of.kl(nn.activations.log_softmax(y), t), True),
    "multi_margin": (of.multi_margin, False),
    "weighted sum": (lambda y, t: of.cross_entropy(y, t, weight=WEIGHT, reduction="sum"), False),
    "pos_weight": (lambda y, t: of.binary_cross_entropy(y, t, pos_weight=WEIGHT), True),
    "summed": (lambda y, t: of.mse(y, t, reduction="sum"), True),
}


@pytest.mark.parametrize("name", RECORDED)
def test_compiled_steps_with_losses(name):
    loss, shares = RECORDED[name]
    twins = Twins(mlp(2, 4, 3), loss, lambda ps: nn.SGD(ps, lr=0.1))
    for seed in range(4):
        draw = np.random.default_rng(seed)
        T = np.eye(3)[draw.integers(3, size=6)] if seed % 2 else draw.dirichlet(np.ones(3), size=6)
        twins.train(normal(6, 2, seed=seed), T if shares else draw.integers(3, size=6), 1e-12)


@pytest.mark.parametrize("loss", [of.cross_entropy, of.nll])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_weighted_mean_is_over_the_batch_that_is_compiled(loss, smoothing):
    """For a single sample the weight would cancel: compiled, it is PyTorch's for the batch."""
    more: dict[str, Any] = {"label_smoothing": smoothing} if loss is of.cross_entropy else {}
    model = mlp(2, 4, 3)
    X, Y = normal(6, 2), np.array([0, 1, 2, 1, 1, 0])
    program = autograd.compile(lambda x, y: loss(model(x), y, weight=WEIGHT, **more), wrt=model, batch=True)
    value, slopes = program.value_and_grad(X, Y)
    expected = loss([model(x) for x in X], Y, weight=WEIGHT, **more)
    expected.backward()
    assert value == pytest.approx(expected.data, rel=1e-12)
    np.testing.assert_allclose(slopes, [p.grad for p in model.parameters()], rtol=1e-11, atol=1e-14)
    single = autograd.compile(lambda z, y: loss(z, y, weight=WEIGHT, **more))
    assert single(np.array(Z[0]), 1) == pytest.approx(loss(Z[0], 1, weight=WEIGHT, **more), rel=1e-12)


@pytest.mark.parametrize("case", CLASS_CASES)
def test_second_derivatives_of_classes(case):
    loss, outputs, targets, _ = CLASS_CASES[case]
    f = lambda x: loss([[x, *outputs[0][1:]], [v * x for v in outputs[1]]], targets)
    slope, h = grad(f), 1e-5
    differences = (slope(0.4 + h) - slope(0.4 - h)) / (2 * h)
    assert grad(slope)(0.4) == pytest.approx(differences, rel=1e-6, abs=1e-8)
    assert autograd.compile(grad(f))(0.4) == pytest.approx(slope(0.4), rel=1e-12)


def test_none_can_be_compiled():
    program = autograd.compile(lambda z, t: nn.mse(z, t, reduction="none"), batch=True)
    np.testing.assert_allclose(program(np.array(Z), np.array(T)), (np.array(Z) - T) ** 2, rtol=1e-14)


# Penalties ---------------------------------------------------------------------------------------------------------


def test_penalties():
    model = nn.MLP(2, [3, 1], rng=0)
    ps = model.parameters()
    numbers = np.array([p.data for p in ps])
    for penalty, total, slopes in (
        (l1, abs(numbers).sum(), np.sign(numbers)),
        (l2, (numbers**2).sum(), 2 * numbers),
    ):
        for given in (model, ps, iter(ps), [*ps, ps[0]]):  # a parameter counts once
            model.zero_grad()
            loss = penalty(given)
            loss.backward()
            assert loss.data == pytest.approx(total, rel=1e-14)
            assert [p.grad for p in ps] == pytest.approx(slopes, rel=1e-14)
    for wrong, message in (
        (ps[0], "l2 needs a Module or a list of Values. Received: Value"),
        ([1.0], "float"),
    ):
        with pytest.raises(TypeError, match=message):
            l2(wrong)


@pytest.mark.parametrize("penalty", [l1, l2])
def test_a_penalty_within_compiled_steps(penalty):
    c, model, other = 0.03, mlp(3, 8, 1), mlp(3, 8, 1)
    optimizers = [nn.SGD(m.parameters(), lr=0.1, momentum=0.9) for m in (model, other)]
    step = nn.train_step(model, lambda m, x, y: nn.mse(m(x), y) + c * penalty(m.parameters()), optimizers[0])
    for i in range(5):
        X, Y = normal(6, 3, seed=i), normal(6, seed=i)
        loss = autograd.mean([nn.mse(other(x), y) for x, y in zip(X, Y, strict=True)]) + c * penalty(other)
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        assert step(X, Y) == pytest.approx(loss.data, rel=1e-12)
        ours, theirs = ([p.data for p in m.parameters()] for m in (model, other))
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-14)
    if penalty is l2:  # the whole vector at once
        assert "g[...] += 0.06 * p\n" in step.source
        assert "0.03 * (p @ p)" in step.source
    else:
        assert "np.abs(p).sum()" in step.source


def test_l2_is_the_weight_decay_of_sgd_and_adam_and_not_of_adamw():
    kinds: tuple[Any, ...] = ((nn.SGD, True), (nn.Adam, True), (AdamW, False))
    for kind, same in kinds:
        found = []
        for penalised in (True, False):
            p = Value(2.0)
            optimizer = kind([p], lr=0.1, weight_decay=0.0 if penalised else 0.5)
            for g in (1.0, -3.0, 0.5):
                optimizer.zero_grad()
                (g * p + (0.25 * l2([p]) if penalised else 0.0)).backward()
                optimizer.step()
            found.append(p.data)
        assert (found[0] == pytest.approx(found[1], rel=1e-13)) is same


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.mse(1.0, 1.0, reduction="max"), ValueError,
         "mse needs reduction to be one of ['mean', 'sum', 'none']. Received: 'max'"),
        (lambda: of.nll([[0.0, 1.0]], [0], reduction=""), ValueError, "nll needs reduction"),
        (lambda: of.nll([0.0, 1.0], 2), ValueError, "nll needs a class index from 0 to 1. Received: 2"),
        (lambda: of.nll([0.0, 1.0], [0.5, 0.5]), TypeError, "nll needs an int for each sample. Received: [0.5, 0.5]"),
        (lambda: of.nll([0.0, 1.0], 0, weight=[1.0]), ValueError, "a weight of at least 0 for each of 2 classes"),
        (lambda: of.nll([0.0, 1.0], 0, weight=[1.0, -1.0]), ValueError, "Received: [1.0, -1.0]"),
        (lambda: of.nll([[0.0, 1.0], [0.0]], [0, 0], weight=[1.0, 1.0]), ValueError, "of 1 or 2 classes"),
        (lambda: nn.cross_entropy([0.0, 1.0], 0, weight=2.0), TypeError, "needs a list of weights. Received: float"),
        (lambda: nn.cross_entropy([0.0, 1.0], 0, label_smoothing=1.5), ValueError, "Received: label_smoothing=1.5"),
        (lambda: of.kl([0.0, 1.0], 0), TypeError, "kl needs a row of probabilities for each sample. Received: 0"),
        (lambda: of.kl([0.0, 1.0], [0.5, 0.6]), ValueError, "kl needs probabilities whose sum is 1"),
        (lambda: of.kl([0.0, 1.0], [1.0]), ValueError, "kl needs a probability for each of 2 classes. Received: 1"),
        (lambda: of.multi_margin([0.0, 1.0], 0, margin=-1.0), ValueError, "margin to be finite and at least 0"),
        (lambda: nn.binary_cross_entropy(1.0, 1, pos_weight=-1.0), ValueError, "Received: pos_weight=-1"),
        (lambda: nn.binary_cross_entropy([1.0, 2.0], [1, 0], pos_weight=[1.0]), ValueError,
         "a weight for each of 2 outputs. Received: 1"),
        (lambda: nn.binary_cross_entropy(1.0, 1, pos_weight=[1.0]), ValueError, "a list of outputs for a list"),
    ],
)  # fmt: skip
def test_errors_of_settings(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
