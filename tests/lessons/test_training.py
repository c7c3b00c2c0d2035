"""The lesson on training dynamics: what it says comes out; its exercises, solved."""

import numpy as np
import pytest

import autograd
import nn


def matrices(model):
    """W and b of each layer."""
    return [
        (
            np.array([[w.data for w in n.w] for n in layer.neurons]),
            np.array([n.b.data for n in layer.neurons]),
        )
        for layer in model.layers
    ]


def by_hand(model, x):
    """The norm of each layer's gradient, weights and biases, of sigmoids and a linear output, by the chain rule."""
    layers = matrices(model)
    inputs = [np.asarray(x)]
    for W, b in layers[:-1]:
        inputs.append(1 / (1 + np.exp(-(W @ inputs[-1] + b))))
    norms, delta = [], np.ones(1)  # the slope of the output by each sum of the layer
    for (W, _), read in reversed([*zip(layers, inputs, strict=True)]):
        norms.append(np.sqrt(np.sum(delta**2) * (1 + np.sum(read**2))))
        delta = (delta @ W) * read * (1 - read)
    return norms[::-1]


@pytest.mark.parametrize("depth", [1, 5])
def test_the_gradients_are_those_of_the_chain_rule(lesson, depth):
    model = lesson["network"]("sigmoid", "xavier", depth, 3)
    x = np.random.default_rng(103).normal(size=lesson["width"])
    np.testing.assert_allclose(lesson["gradients"](model, 3), by_hand(model, x), rtol=1e-10)


def test_sigmoids_vanish_and_the_others_do_not(lesson):
    ratios = lesson["ratios"]
    for depth in (5, 10, 20):
        assert 0.3 < ratios["sigmoid, Xavier", depth][0] * 4**depth < 3
        for name in ("tanh, Xavier", "ReLU, He"):
            assert 0.25 < ratios[name, depth][0] < 4, (name, depth)
        assert 0.02 < ratios["sigmoid, Xavier, skips", depth][0] < 0.2


@pytest.mark.parametrize("seed", range(1, 5))  # the lesson's quick mode has the first
def test_so_do_other_seeds(lesson, seed):
    for name, low, high in (
        ("sigmoid, Xavier", 3e-7, 3e-6), ("tanh, Xavier", 0.25, 4), ("ReLU, He", 0.25, 5),
    ):  # fmt: skip
        first, *_, last = lesson["gradients"](lesson["kinds"][name](depth=10, seed=seed), seed)
        assert low < first / last < high, name


def test_ten_layers_learn_but_for_sigmoids(lesson):
    deep = lesson["deep"]
    assert deep["sigmoid, Xavier"][0][0] == pytest.approx(np.log(2), abs=1e-4)
    for name in ("tanh, Xavier", "ReLU, He"):
        loss, right = deep[name][0]
        assert loss < 0.2, name
        assert right == 1.0, name


def test_signals_are_those_of_products_of_matrices(lesson):
    for name, (init, _) in lesson["starts"].items():
        signals = np.random.default_rng(100).normal(size=(8, lesson["width"]))
        expected = []
        for W, b in matrices(lesson["network"]("relu", init, lesson["depth"], 0))[:-1]:
            signals = np.maximum(signals @ W.T + b, 0)
            expected.append(np.mean(signals**2))
        np.testing.assert_allclose(lesson["courses"][name][0], expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["He", "Xavier", "N(0, 0.01^2)", "U(-1, 1)"])
def test_signals_are_multiplied_as_the_variance_says(lesson, name):
    """By n v / 2 a layer, on average over many networks: of three layers, for over twenty few make all of a mean."""
    init, variance = lesson["starts"][name]
    width, rng = lesson["width"], np.random.default_rng(0)
    found = []
    for _ in range(2000):
        signal = rng.normal(size=width)
        for _ in range(3):
            signal = np.maximum(nn.init.weights(init, (width, width), rng) @ signal, 0)
        found.append(np.mean(signal**2))
    assert np.mean(found) == pytest.approx((width * variance / 2) ** 3, rel=0.1)
    assert np.median(found) < np.mean(found)  # most are below


def test_dead_units_get_no_gradient_at_all(lesson):
    assert len(lesson["dead"]) >= 28
    assert len(lesson["of_dead"]) > 200
    assert {*lesson["of_dead"]} == {0.0}


def test_who_recovers(lesson):
    recovered = {key: rows[0] for key, rows in lesson["recovered"].items()}
    biases, rate = lesson["ways"]
    before, after, right = recovered[biases, "relu"]
    assert (before, after, right) == (lesson["for_moons"], lesson["for_moons"], 0.5)
    assert recovered[biases, "leaky_relu"] == recovered[biases, "elu"] == (0, 0, 1.0)
    before, after, _ = recovered[rate, "relu"]
    assert 16 <= before <= after
    assert recovered[rate, "leaky_relu"] == (0, 0, 1.0)
    before, _, right = recovered[rate, "elu"]  # this seed is one of two that do not
    assert before > 0
    assert right < 0.9


@pytest.mark.parametrize("seed", range(5))
def test_three_steps_at_a_rate_of_5(lesson, seed):
    """Most ReLUs die, and were not dead before; two of the five networks of ELUs are thrown far away."""
    damaged, X, rate = lesson["damaged"], lesson["X"], lesson["ways"][1]
    unhurt = nn.MLP(2, [16, 16, 1], activation="relu", init="he", rng=seed)
    assert len(nn.dead_units(unhurt, X).total.dead) <= 3
    assert len(nn.dead_units(damaged("relu", rate, seed), X).total.dead) >= 12
    thrown = np.linalg.norm([p.data for p in damaged("elu", rate, seed).parameters()])
    assert (thrown > 1000) == (seed in (0, 2))
    assert thrown > 1000 or thrown < 200


def test_death_is_for_the_data_seen(lesson):
    assert lesson["woken"]
    assert all(": layers.1." in unit for unit in lesson["woken"])  # the first layer's inputs do not change
    for unit in lesson["woken"]:
        seed, path = unit.removeprefix("seed ").split(": ")
        fresh = nn.MLP(2, [16, 16, 1], activation="relu", rng=int(seed))
        assert path in nn.dead_units(fresh, lesson["X"]).total.dead
    assert lesson["for_larger"] < lesson["for_moons"] / 2


def test_pictures_left(pictures):
    assert pictures == {"gradients", "signals", "damaged"}


def test_exercise_halved_weights(lesson):
    """Each layer halves signal and gradient; by a weight it is the product of both, and 19 of the halves are left
    wherever one cuts. By a bias it is the gradient alone: the first layer's has 19 halves more than the last one's."""
    x = np.random.default_rng(1).normal(size=lesson["width"])
    model = lesson["network"]("relu", "he", 20, 0)

    def ratios():
        model.zero_grad()
        model(x).backward()
        norms = []
        for layer in (model.layers[0], model.layers[-2]):
            by_weights = np.array([w.grad for neuron in layer.neurons for w in neuron.w])
            by_biases = np.array([neuron.b.grad for neuron in layer.neurons])
            norms.append((np.sqrt(np.sum(by_weights**2)), np.sqrt(np.sum(by_biases**2))))
        return np.array(norms[0]) / np.array(norms[1])

    before = ratios()
    for layer in model.layers[:-1]:
        for neuron in layer.neurons:
            for w in neuron.w:
                w.data /= 2
    after = ratios()
    assert after[0] == before[0]
    assert after[1] == before[1] / 2**19


@pytest.mark.parametrize("seed", range(3))
def test_exercise_tanh_saturates(lesson, seed):
    """More than a quarter of the outputs stand where it is flat, with Xavier's weights hardly any; and on the way back
    the large weights win over the flat slopes: the gradient explodes."""
    data = np.random.default_rng(seed).normal(size=(8, lesson["width"]))

    def share(init):
        report = nn.saturation(lesson["network"]("tanh", init, 20, seed), data)
        return np.mean([row.share for row in [*report.values()][:-1]])

    model = lesson["network"]("tanh", "uniform", 20, seed)
    signals, flat = data, []
    for W, b in matrices(model)[:-1]:
        signals = np.tanh(signals @ W.T + b)
        flat.append(np.mean(1 - signals**2 < 0.01))
    assert share("uniform") == pytest.approx(np.mean(flat), abs=1e-3)
    assert 0.25 < share("uniform") < 0.32
    assert share("xavier") < 0.01
    first, *_, last = lesson["gradients"](model, seed)
    assert first > 10 * last


@pytest.mark.parametrize("seed", range(3))
def test_exercise_wake_the_dead(lesson, seed):
    model, X, y = lesson["damaged"]("relu", "biases of -3", seed), lesson["X"], lesson["y"]
    for layer in model.layers[:2]:
        for neuron in layer.neurons:
            neuron.b.data = 0.0
    step = nn.train_step(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), lr=0.02))
    for _ in range(600):
        step(X, y)
    assert nn.metrics.accuracy(autograd.compile(model, batch=True)(X), y) == 1.0
