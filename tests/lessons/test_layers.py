"""The lesson on layers: what it says comes out; its exercises, solved."""

import math

import numpy as np
import pytest

import nn
from demos.data import load_iris, split
from demos.lessons import main


@pytest.fixture(scope="module")
def layers(folder):
    return main("layers", quick=True, folder=folder)


def test_a_layer_is_a_product_of_a_matrix_and_a_vector(lesson):
    np.testing.assert_allclose(lesson["by_neurons"], lesson["by_matrix"], rtol=1e-14)
    assert lesson["by_neurons"].shape == (4,)


def test_parameters_are_counted(lesson):
    assert lesson["parameters"] == lesson["counted"] == 101_770


def test_moons_need_a_hidden_layer(lesson):
    assert lesson["moons"]["no hidden layer"] < 0.9
    assert lesson["moons"]["two hidden layers"] > 0.96


def test_slopes_of_the_losses_are_prediction_minus_truth(lesson):
    for name in ("two_classes", "one_of_many", "a_number"):
        by_backward, by_formula = lesson[name]
        np.testing.assert_allclose(by_backward, by_formula, rtol=1e-14)


def test_wrong_pairs_of_output_and_loss(lesson):
    p = 1 / (1 + math.exp(10))
    assert lesson["by_mse"] == pytest.approx(2 * (p - 1) * p * (1 - p), rel=1e-12)
    assert lesson["by_cross_entropy"] == pytest.approx(p - 1, rel=1e-12)
    assert (lesson["naive"], lesson["stable"]) == (math.inf, 1000.0)
    half = np.sin(lesson["t"]).clip(max=0)
    assert lesson["sine"]["identity"] < 1e-3 < np.mean(half**2) < lesson["sine"]["sigmoid"] < 0.26


def test_real_data_is_learned(lesson):
    assert min(lesson["iris"]) > 0.9
    assert min(lesson["held_out"]) > 0.95


def test_standardised_inputs_need_fewer_steps(lesson):
    X_train, X_test, scale = (lesson[name] for name in ("X_train", "X_test", "scale"))
    np.testing.assert_allclose(scale.mean, X_train.mean(axis=0))
    assert abs(scale(X_train).mean(axis=0)).max() < 1e-12 < abs(scale(X_test).mean(axis=0)).max()
    assert lesson["condition"](X_train) > 20 * lesson["condition"](scale(X_train))
    for raw, scaled in lesson["needed"]:
        assert scaled * 10 < raw < 1500


def test_pictures_left(pictures):
    assert pictures == {"missed-digits", "moons", "standardised"}


def test_exercise_count_parameters():
    by_hand = (20 * 50 + 50) + (50 * 50 + 50) + (50 * 3 + 3)
    assert f"{by_hand:,}" in nn.MLP(20, [50, 50, 3]).summary()
    assert by_hand == 3_753


def test_exercise_a_softmax_of_two_is_a_sigmoid():
    for a, b in ((0.3, -1.2), (4.0, 4.5), (-700.0, 100.0)):
        for k in (0, 1):
            assert nn.cross_entropy([a, b], k) == pytest.approx(nn.binary_cross_entropy(b - a, k), rel=1e-12)


def test_exercise_micrometres(lesson):
    flowers, species, _ = load_iris()
    X, _, y, _ = split(flowers, species, rng=0)
    micro = X * [10_000.0, 1.0, 1.0, 1.0]
    steps = {}
    for name, data in (("cm", X), ("micrometres", micro)):
        scale = nn.Standardize.fit(data)
        rates = [10.0**k for k in range(-9, 1)]
        steps[name] = (
            min(lesson["steps_needed"](data, y, lr, 0, most=300) for lr in rates),
            lesson["steps_needed"](scale(data), y, 1.0, 0, most=300),
        )
    assert steps["micrometres"][0] == 300  # not down to 0.1 at any rate
    assert steps["micrometres"][1] == steps["cm"][1] < 100
