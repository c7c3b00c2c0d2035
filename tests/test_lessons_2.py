"""Lessons 5 to 8, run quickly: what they say comes out; and their exercises, solved."""

import math

import numpy as np
import pytest

import nn
from demos.data import load_iris, split
from demos.lessons import main

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


def pictures(folder, lesson):
    """The names of the pictures that a lesson left, none of them empty."""
    found = sorted(folder.glob(f"{lesson}-*"))
    assert all(path.stat().st_size > 2000 for path in found)
    return [path.stem.removeprefix(f"{lesson}-") for path in found]


# Layers --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def layers(folder):
    return main("layers", quick=True, folder=folder)


def test_a_layer_is_a_product_of_a_matrix_and_a_vector(layers):
    np.testing.assert_allclose(layers["by_neurons"], layers["by_matrix"], rtol=1e-14)
    assert layers["by_neurons"].shape == (4,)


def test_parameters_are_counted(layers):
    assert layers["parameters"] == layers["counted"] == 101_770


def test_moons_need_a_hidden_layer(layers):
    assert layers["moons"]["no hidden layer"] < 0.9
    assert layers["moons"]["two hidden layers"] > 0.96


def test_slopes_of_the_losses_are_prediction_minus_truth(layers):
    for name in ("two_classes", "one_of_many", "a_number"):
        by_backward, by_formula = layers[name]
        np.testing.assert_allclose(by_backward, by_formula, rtol=1e-14)


def test_wrong_pairs_of_output_and_loss(layers):
    p = 1 / (1 + math.exp(10))
    assert layers["by_mse"] == pytest.approx(2 * (p - 1) * p * (1 - p), rel=1e-12)
    assert layers["by_cross_entropy"] == pytest.approx(p - 1, rel=1e-12)
    assert (layers["naive"], layers["stable"]) == (math.inf, 1000.0)
    half = np.sin(layers["t"]).clip(max=0)
    assert layers["sine"]["identity"] < 1e-3 < np.mean(half**2) < layers["sine"]["sigmoid"] < 0.26


def test_real_data_is_learned(layers):
    assert min(layers["iris"]) > 0.9
    assert min(layers["held_out"]) > 0.95


def test_standardised_inputs_need_fewer_steps(layers):
    X_train, X_test, scale = (layers[name] for name in ("X_train", "X_test", "scale"))
    np.testing.assert_allclose(scale.mean, X_train.mean(axis=0))
    assert abs(scale(X_train).mean(axis=0)).max() < 1e-12 < abs(scale(X_test).mean(axis=0)).max()
    assert layers["condition"](X_train) > 20 * layers["condition"](scale(X_train))
    for raw, scaled in layers["needed"]:
        assert scaled * 10 < raw < 1500


def test_pictures_of_layers(layers, folder):
    assert pictures(folder, "layers") == ["missed-digits", "moons", "standardised"]


def test_exercise_count_parameters():
    by_hand = (20 * 50 + 50) + (50 * 50 + 50) + (50 * 3 + 3)
    assert f"{by_hand:,}" in nn.MLP(20, [50, 50, 3]).summary()
    assert by_hand == 3_753


def test_exercise_a_softmax_of_two_is_a_sigmoid():
    for a, b in ((0.3, -1.2), (4.0, 4.5), (-700.0, 100.0)):
        for k in (0, 1):
            assert nn.cross_entropy([a, b], k) == pytest.approx(nn.binary_cross_entropy(b - a, k), rel=1e-12)


def test_exercise_micrometres(layers):
    flowers, species, _ = load_iris()
    X, _, y, _ = split(flowers, species, rng=0)
    micro = X * [10_000.0, 1.0, 1.0, 1.0]
    steps = {}
    for name, data in (("cm", X), ("micrometres", micro)):
        scale = nn.Standardize.fit(data)
        rates = [10.0**k for k in range(-9, 1)]
        steps[name] = (
            min(layers["steps_needed"](data, y, lr, 0, most=300) for lr in rates),
            layers["steps_needed"](scale(data), y, 1.0, 0, most=300),
        )
    assert steps["micrometres"][0] == 300  # not down to 0.1 at any rate
    assert steps["micrometres"][1] == steps["cm"][1] < 100
