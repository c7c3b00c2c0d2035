"""The lesson on depth and width: what it says comes out; its exercises, solved."""

from itertools import pairwise

import numpy as np
import pytest

import autograd
import nn
from demos.data import make_moons


def tent(x):
    return 1.0 - abs(2.0 * x - 1.0)


@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_both_networks_are_tents_of_tents(lesson, k):
    xs = np.arange(2 ** (k + 2) + 1) / 2 ** (k + 2)
    expected = xs
    for _ in range(k):
        expected = tent(expected)
    corners = np.arange(2**k + 1) / 2**k
    deep, one = lesson["deep"](k), lesson["interpolant"](corners, np.arange(2**k + 1) % 2)
    np.testing.assert_array_equal(lesson["values"](deep, xs), expected)  # dyadic numbers: exact
    np.testing.assert_array_equal(lesson["values"](one, xs), expected)
    assert lesson["pieces"](expected, xs) == 2**k
    assert deep.count_parameters() == 6 * k + 1
    assert one.count_parameters() == 3 * 2**k + 1
    if k == 10:
        assert (deep.count_parameters(), 3 * (2**k - 1) + 1) == (61, 3070)


def test_the_table(lesson):
    assert [*lesson["table"]] == [1, 2, 3, 4, 5, 6]
    for k, (pieces, deep, one, apart) in lesson["table"].items():
        assert (pieces, deep, one, apart) == (2**k, 6 * k + 1, 3 * 2**k + 1, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_an_interpolant_is_straight_between_its_points(lesson, seed):
    rng = np.random.default_rng(seed)
    xs, ys = np.sort(rng.uniform(-3, 3, 12)), rng.normal(size=12)
    places = np.linspace(xs[0], xs[-1], 300)
    found = lesson["values"](lesson["interpolant"](xs, ys), places)
    np.testing.assert_allclose(found, np.interp(places, xs, ys), rtol=1e-9, atol=1e-9)


def test_the_error_of_the_interpolant_is_within_its_bound(lesson):
    errors = lesson["errors"]
    for n, error in errors.items():
        assert error <= np.pi**2 / (2 * n**2)
    assert -2.05 < lesson["rate"] < -1.85
    assert errors[64] / errors[128] == pytest.approx(4.0, rel=0.01)


def test_squares_span_three_dimensions_and_no_more(lesson):
    best = lesson["best"]
    assert [best["square", n][0] for n in (4, 16, 64)] == [3, 3, 3]
    x = lesson["some"]
    powers = np.column_stack([np.ones_like(x), x, x * x])
    weights = np.linalg.solve(powers.T @ powers, powers.T @ np.sin(2 * np.pi * x))  # the normal equations
    parabola = np.mean((powers @ weights - np.sin(2 * np.pi * x)) ** 2)
    for n in (4, 16, 64):
        assert best["square", n][1] == pytest.approx(parabola, rel=1e-6)
    assert best["relu", 64][1] < best["relu", 16][1] < 0.01 < parabola


def test_learned_by_heart_and_the_remedies(lesson):
    """One seed, 300 epochs: sure of what is wrong without a remedy, less so with L2 and early stopping."""
    (seen, new, right), *_ = lesson["found"]["nothing"]
    assert seen < 0.05
    assert new > np.log(2)
    assert right > 0.65
    for remedy in ("L2", "early stopping"):
        ((seen, new_with, _),) = lesson["found"][remedy]
        assert new_with - seen < (new - lesson["found"]["nothing"][0][0]) / 2, remedy
        assert new_with < np.log(2), remedy


def test_pictures_left(pictures):
    assert pictures == {"tents", "approximation", "by-heart"}


@pytest.mark.parametrize("seed", range(10))
def test_exercise_a_neuron_is_one_kink(lesson, seed):
    """Each is 0 on one side of -b/w and a line on the other; the sum has kinks there and nowhere else."""
    model = nn.MLP(1, [6, 1], activation="relu", rng=seed)
    rng = np.random.default_rng(seed)
    for neuron in model.layers[0].neurons:
        neuron.b.data = rng.normal()
    places = np.sort([-n.b.data / n.w[0].data for n in model.layers[0].neurons])
    ends = np.concatenate([[places[0] - 2.0], places, [places[-1] + 2.0]])
    slopes = []
    for a, b in pairwise(ends):  # straight between neighbours of them
        y = lesson["values"](model, np.linspace(a, b, 5)[1:-1])
        assert y[2] - y[1] == pytest.approx(y[1] - y[0], rel=1e-6, abs=1e-9)
        slopes.append((y[2] - y[0]) / ((b - a) / 2))
    kinks = sum(abs(b - a) > 1e-9 for a, b in pairwise(slopes))
    assert 0 < kinks <= 6


@pytest.mark.parametrize("k", [1, 5, 20])
def test_exercise_the_slope_doubles_with_each_layer(lesson, k):
    """2^k: twenty layers multiply a gradient by a million."""
    x = autograd.Value(0.3)
    lesson["deep"](k)([x]).backward()
    assert abs(x.grad) == 2.0**k


def test_exercise_more_points_alone(lesson):
    """Learned by heart all the same: the gap is still there."""
    parts = [make_moons(30, noise=0.35, rng=0), make_moons(100, noise=0.35, rng=50)]
    X, y = (np.concatenate(both) for both in zip(*parts, strict=True))
    model = lesson["network"](0)
    step = nn.train_step(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), lr=0.01))
    for _ in range(1000):
        seen = step(X, y)
    new = nn.binary_cross_entropy(autograd.compile(model, batch=True)(lesson["X_new"]), lesson["y_new"])
    assert seen < 0.1
    assert float(new) > 1.0
