"""The lesson on activation functions: what it says comes out; its exercises, solved."""

import math

import numpy as np
import pytest

import nn
from autograd import Value


def test_all_activations_are_shown_and_as_the_table_says(lesson):
    names = [f.name for f in lesson["scalar"] + lesson["vector"]]
    assert set(names) >= nn.activations.OURS
    assert len(names) == len(set(names))
    assert lesson["disagree"] == []
    assert len(lesson["axes"].flat) == 2  # the last figure; the one of all has room for them:
    assert len(lesson["scalar"]) <= 7 * 6


def test_slopes_that_a_sigmoid_and_others_have(lesson):
    for name, most in {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0, "step": 0.0, "sign": 0.0}.items():
        assert lesson["steepest"][name] == pytest.approx(most, abs=1e-12), name
    assert lesson["steepest"]["gelu"] > 1.0
    assert lesson["naive"] == 0.0
    assert lesson["careful"] == pytest.approx(math.exp(-40.0), rel=1e-12)


def test_positive_inputs_tie_the_signs_of_gradients(lesson):
    alike = lesson["alike"]
    assert (alike["sigmoid"], alike["relu"]) == (1.0, 1.0)
    assert alike["tanh"] < 0.5


def test_slopes_at_kinks_are_pytorch_s_choice(lesson):
    assert lesson["at_kinks"] == {
        ("relu", 0): 0.0, ("leaky_relu", 0): 0.01, ("relu6", 0): 0.0, ("relu6", 6): 0.0,
        ("hardtanh", -1): 0.0, ("hardtanh", 1): 0.0, ("hardswish", -3): 0.0, ("hardswish", 3): 1.0,
    }  # fmt: skip


def test_nothing_is_learned_through_a_step(lesson):
    assert lesson["moved"]["step"] == 0.0
    assert lesson["first"]["step"] == lesson["last"]["step"] == 0.75
    assert lesson["last"]["sigmoid"] < 0.1 * lesson["first"]["sigmoid"]


def test_what_gelu_is(lesson):
    assert lesson["gelu_error"] < 1e-14
    assert lesson["lowest"] == pytest.approx(-0.16997, abs=1e-5)
    assert lesson["lowest_at"] == pytest.approx(-0.75179, abs=1e-5)


def test_softmax_gives_shares(lesson):
    assert sum(lesson["shares"]) == pytest.approx(1.0, abs=1e-15)
    assert lesson["shifted"] == pytest.approx(lesson["shares"], abs=1e-12)
    assert lesson["shares"] == pytest.approx(np.exp([2, 1, 0.1]) / np.exp([2, 1, 0.1]).sum(), abs=1e-15)


def test_linear_layers_collapse_and_cannot_fit_xor(lesson):
    assert lesson["sizes"] == (177, 3)
    assert lesson["collapse_error"] < 1e-13
    assert lesson["best"] == pytest.approx(0.25, abs=1e-15)
    assert lesson["solution"] == pytest.approx([0.0, 0.0, 0.5], abs=1e-12)
    assert lesson["errors"]["identity"] == pytest.approx([0.25] * lesson["seeds"], abs=1e-6)
    assert max(lesson["errors"]["tanh"]) < 1e-3


def test_pictures_left(pictures):
    assert pictures == {"all", "xor"}


@pytest.mark.usefixtures("catalogue")
def test_exercise_an_activation_of_your_own(lesson):
    """With s = x[0] + x[1] - 1: XOR is 1 - s^2, and (s + 1)^3 - (s - 1)^3 = 6 s^2 + 2."""
    nn.activations.register(lambda z: z**3, "cube")
    model = nn.MLP(2, [2, 1], activation="cube", init="ones")
    for neuron, start in zip(model.layers[0].neurons, (0.0, -2.0), strict=True):
        neuron.b.data = start
    (last,) = model.layers[1].neurons
    last.w[0].data, last.w[1].data, last.b.data = -1 / 6, 1 / 6, 4 / 3
    assert [model(x).data for x in lesson["X"]] == pytest.approx(lesson["XOR"], abs=1e-12)

    arrived = 0
    for seed in range(10):  # some stay where two neurons are stuck
        model = nn.MLP(2, [2, 1], activation="cube", rng=seed)
        step = nn.train_step(model, nn.mse, nn.Adam(model.parameters(), lr=0.02))
        for _ in range(1000):
            error = step(np.array(lesson["X"]), np.array(lesson["XOR"]))
        arrived += error < 1e-3
    assert 0 < arrived < 10


def test_exercise_where_silu_is_lowest():
    silu, z = nn.activations.get("silu"), Value(0.0)
    for _ in range(1000):
        z.grad = 0.0
        silu(z).backward()
        z.data -= 0.5 * z.grad
    assert z.data == pytest.approx(-1.27846, abs=1e-5)
    assert silu(z.data) == pytest.approx(min(silu.range or ()), abs=1e-12)


def test_exercise_tanh_is_a_sigmoid():
    """tanh(z) = 2 sigmoid(2 z) - 1: twice as tall, and squeezed to half the width, so four times as steep."""
    z = np.linspace(-5.0, 5.0, 101)
    assert nn.activations.get("tanh")(z) == pytest.approx(2.0 * nn.activations.get("sigmoid")(2.0 * z) - 1.0)
