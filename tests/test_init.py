"""Initialisers: the variance that the formula says, seeded, and the micrograd order of draws."""

import math
import random
from functools import partial

import numpy as np
import pytest

from nn import init

SHAPE = (60, 140)  # fan_in 140, fan_out 60
VARIANCE = {
    "uniform": 1.0 / 3.0,
    "normal": 1.0,
    "xavier_uniform": 2.0 / 200.0,
    "xavier_normal": 2.0 / 200.0,
    "he_uniform": 2.0 / 140.0,
    "he_normal": 2.0 / 140.0,
    "lecun_uniform": 1.0 / 140.0,
    "lecun_normal": 1.0 / 140.0,
    "orthogonal": 1.0 / 140.0,
    "zeros": 0.0,
    "ones": 0.0,
    "constant": 0.0,
}
SOURCES = {
    "int": lambda: 3,
    "Random": lambda: random.Random(3),
    "Generator": lambda: np.random.default_rng(3),
}


def test_every_initialiser_is_tested_here():
    assert set(VARIANCE) == set(init.INITIALISERS)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", VARIANCE)
def test_shape_mean_variance_and_seed(name, source):
    w = init.get(name)(SHAPE, SOURCES[source]())
    assert w.shape == SHAPE
    assert w.dtype == np.float64
    assert np.array_equal(w, init.get(name)(SHAPE, SOURCES[source]()))
    variance, n = VARIANCE[name], w.size
    if variance:  # five standard deviations of the estimates; kurtosis of a normal
        assert abs(w.mean()) < 5.0 * math.sqrt(variance / n)
        assert abs(w.var() / variance - 1.0) < 5.0 * math.sqrt(2.0 / n)
        assert not np.array_equal(w, init.get(name)(SHAPE, 4))
    else:
        assert np.ptp(w) == 0.0
        assert w[0, 0] == {"zeros": 0.0, "ones": 1.0, "constant": 0.0}[name]


@pytest.mark.parametrize("name", [name for name in VARIANCE if "uniform" in name])
def test_uniform_draws_fill_their_bounds_and_normal_ones_do_not_have_any(name):
    bound = math.sqrt(3.0 * VARIANCE[name])
    assert 0.99 * bound < abs(init.get(name)(SHAPE, 0)).max() <= bound
    normal = init.get("normal")(SHAPE, 0) * math.sqrt(VARIANCE[name])
    assert abs(normal).max() > 1.5 * bound


def test_options():
    assert init.constant((2, 2), value=3).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert init.uniform(SHAPE, 0, low=2.0, high=3.0).min() >= 2.0
    assert abs(init.normal(SHAPE, 0, mean=5.0, std=0.1).mean() - 5.0) < 0.01
    assert np.allclose(init.xavier_uniform(SHAPE, 0, gain=2.0), 2.0 * init.xavier_uniform(SHAPE, 0))
    assert np.allclose(init.he_normal(SHAPE, 0, slope=1.0), init.he_normal(SHAPE, 0) / math.sqrt(2.0))
    assert np.allclose(init.orthogonal(SHAPE, 0, gain=3.0), 3.0 * init.orthogonal(SHAPE, 0))


def test_the_axes_of_a_kernel_count_into_both_fans():
    assert init.fans((8, 3, 5, 5)) == (75, 200)
    assert np.allclose(init.lecun_normal((8, 3, 5, 5), 0).std(), math.sqrt(1.0 / 75.0), rtol=0.15)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (5, 5), (4, 3, 2, 2), (1, 3), (3, 1)])
def test_orthogonal(shape):
    w = init.orthogonal(shape, 0).reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    assert np.allclose(product, np.eye(len(product)), atol=1e-12)


def test_orthogonal_takes_no_side():
    """Without the signs put right, the first entries of Q would all be negative."""
    first = [init.orthogonal((3, 3), seed)[0, 0] for seed in range(60)]
    assert 15 < sum(x > 0.0 for x in first) < 45


def test_the_global_generator_draws_in_micrograds_order():
    random.seed(5)
    expected = [random.uniform(-1, 1) for _ in range(6)]
    random.seed(5)
    assert init.uniform((2, 3)).ravel().tolist() == expected
    assert init.uniform((2, 3), 5).ravel().tolist() == expected


def test_a_generator_moves_on():
    for rng in (random.Random(0), np.random.default_rng(0)):
        assert not np.array_equal(init.normal((2, 2), rng), init.normal((2, 2), rng))


def test_names_and_what_else_counts_as_an_initialiser():
    for alias, name in init.ALIASES.items():
        assert init.get(alias) is init.get(name) is init.INITIALISERS[name]
    assert init.get("Xavier") is init.xavier_uniform
    assert init.get(2)((1, 2)).tolist() == [[2.0, 2.0]]
    assert init.weights(partial(init.normal, std=0.0), (1, 2), 0).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.get("xaver"), ValueError, "init is one of zeros, ones, .* Received: 'xaver'"),
        (lambda: init.get(None), TypeError, "init is a name, a number or a function.* Received: NoneType"),
        (lambda: init.generator("seed"), TypeError, "rng is None, an int, .* Received: str"),
        (lambda: init.generator(True), TypeError, "Received: bool"),
        (lambda: init.generator(1.5), TypeError, "Received: float"),
        (
            lambda: init.normal((2, 2), std=-1.0),
            ValueError,
            "normal needs std to be finite and at least 0. Received: std=-1",
        ),
        (lambda: init.he_normal((3,)), ValueError, r"weights have a shape .* Received: \(3,\)"),
        (
            lambda: init.weights(lambda shape, rng: [1.0], (1, 2), 0),
            ValueError,
            r"shape \(1, 2\). Received: \(1,\)",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
