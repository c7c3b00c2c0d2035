"""Diagnostics: units that are dead or saturated by construction, norms against NumPy, a product of matrices."""

import math
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Value
from nn import Conv2d, Flatten, Layer, MaxPool, Module, Neuron, Residual, Sequential, activations
from nn.diagnostics import (
    Dead,
    GradientReport,
    Gradients,
    Saturated,
    collapse_linear,
    dead_units,
    gradient_report,
    largest_slope,
    saturation,
)

RNG = np.random.default_rng(5)
X = RNG.uniform(0.1, 1.0, size=(6, 3))  # positive: with weights of 1 every ReLU is on
IMAGES = RNG.uniform(0.1, 1.0, size=(3, 1, 4, 4))
REPORTS: dict[str, Any] = {
    "dead_units": dead_units,
    "saturation": saturation,
    "gradient_report": lambda model, data: gradient_report(trained(model), data),
}


def trained(model):
    for p in model.parameters() if isinstance(model, Module) else ():
        p.grad = 1.0
    return model


def net_with_dead_units():
    model = nn.MLP(3, [4, 2, 1], init="ones")
    for k in (1, 3):
        model.layers[0].neurons[k].b.data = -1e3
    return model


# Dead units -------------------------------------------------------------------------------------------------------


def test_a_unit_that_its_bias_holds_down_is_dead_and_its_gradients_are_0():
    model = net_with_dead_units()
    found = dead_units(model, X)
    assert found == {
        "layers.0": (4, ["layers.0.neurons.1", "layers.0.neurons.3"]), "layers.1": (2, []), "layers.2": (1, []),
    }  # fmt: skip
    assert found["layers.0"].share == 0.5
    assert found.total == Dead(7, ["layers.0.neurons.1", "layers.0.neurons.3"])
    nn.mse([model(x) for x in X], [0.0] * 6).backward()
    grads = {path: p.grad for path, p in model.named_parameters()}
    silent = {
        path.rpartition(".")[0] for path, g in grads.items() if g == 0.0 and path.startswith("layers.0")
    }
    assert silent == set(found.total.dead)


def test_one_sample_that_reaches_a_unit_makes_it_alive():
    neuron = Neuron(1, activation="relu", init="ones")
    assert dead_units(neuron, [[-1.0], [-2.0], [0.0]]) == {"Neuron": (1, ["Neuron"])}  # the slope at 0 is 0
    assert dead_units(neuron, [[-1.0], [-2.0], [1e-300]]) == {"Neuron": (1, [])}


def test_small_slopes_are_not_dead():
    for name in ("leaky_relu", "elu", "softplus", "sigmoid", "prelu"):
        neuron = Neuron(1, activation=name, init="ones")
        assert dead_units(neuron, [[-30.0]])["Neuron"].dead == [], name
    assert dead_units(Neuron(1, activation="step", init="ones"), X[:, :1])["Neuron"].share == 1.0


def test_a_layer_with_the_identity_or_softmax_has_no_dead_units():
    model = nn.MLP(3, [2, 2], activation="identity", output_activation="softmax")
    model.layers[1].neurons[0].b.data = -1e3
    assert dead_units(model, X).total == Dead(4, [])


def test_a_filter_is_dead_only_if_it_is_at_every_place():
    model = Sequential(Conv2d(1, 3, 2, activation="relu", init="ones"), MaxPool(3), Flatten(), Layer(3, 1))
    sums = np.sort(
        [image[0][i : i + 2, j : j + 2].sum() for image in IMAGES for i in range(3) for j in range(3)]
    )
    first, second, _ = model[0].filters
    first.b.data = -1e3
    second.b.data = -(sums[-1] + sums[-2]) / 2.0  # on at a single place of a single image
    assert dead_units(model, IMAGES)["layers.0"] == (3, ["layers.0.filters.0"])
    second.b.data = -sums[-1] - 1e-9
    assert dead_units(model, IMAGES)["layers.0"].dead == ["layers.0.filters.0", "layers.0.filters.1"]


def test_activations_that_stand_alone_in_a_sequential_have_units_too():
    model = Sequential(Layer(3, 2, activation="identity", init="ones"), "relu", Layer(2, 1, nonlin=False))
    model[0].neurons[1].b.data = -1e3
    found = dead_units(model, X)
    assert found["layers.1"] == (2, ["layers.1[1]"])
    assert saturation(model, X)["layers.1"] == (12, 6)
    normed = Sequential(Conv2d(1, 2, 2, init="ones"), nn.BatchNorm(2), "relu", Flatten(), Layer(18, 1))
    normed[1].bias[0].data = -1e3
    assert dead_units(Sequential(normed), IMAGES)["layers.0.layers.2"] == (2, ["layers.0.layers.2[0]"])
    assert dead_units(Sequential(Layer(3, 1, nonlin=False), "relu"), X)["layers.1"].units == 1
    leaky = Sequential(Layer(3, 1, nonlin=False, init="ones"), partial(autograd.leaky_relu, slope=0.0))
    assert dead_units(leaky, -X)["layers.1"].share == 1.0
    chosen = Sequential(Layer(3, 2), lambda xs: xs[:1], activations.softmax)  # of vectors: they have no units
    assert [*dead_units(chosen, X)] == ["layers.0"]


def test_cells_and_attention_are_looked_into():
    lstm = nn.LSTM(3, 2)
    found = saturation(lstm, [X[:4], X[2:]])
    assert [*found] == [f"cells.0.{gate}" for gate in ("input", "forget", "output", "candidate")]
    assert found["cells.0.input"].outputs == 2 * 4 * 2
    assert dead_units(nn.GPT(5, 8, heads=2), [[1, 2]])["blocks.0.feed.widen"].units == 32


def test_units_that_are_not_called_are_left_out_and_shared_ones_counted_once():
    layer = Layer(3, 3, init="ones")
    assert dead_units(Sequential(layer, layer), X) == {"layers.0": (3, [])}
    assert saturation(Sequential(layer, layer), X)["layers.0"].outputs == 2 * 3 * 6

    class Unused(Module):
        def __init__(self):
            self.used, self.spare = Layer(3, 1, activation="tanh"), Layer(3, 1)

        def __call__(self, x):
            return self.used(x)

    assert [*dead_units(Unused(), X)] == ["used"]


def test_a_neuron_that_overrides_its_call_counts_once():
    perceptron = nn.Perceptron(3)
    perceptron.negative = -1
    assert saturation(perceptron, X)["Perceptron"] == (6, 6)
    report = gradient_report(trained(perceptron), X)["Perceptron"]
    assert report.mean == 1.0  # its own output, not that of the step


# Saturation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "edge"), [
    ("sigmoid", math.log((1.0 + math.sqrt(0.99)) / (1.0 - math.sqrt(0.99)))),  # s (1 - s) = 0.01 / 4
    ("tanh", math.atanh(math.sqrt(0.99))),  # 1 - t^2 = 0.01
    ("arctan", math.sqrt(99.0)),  # 1 / (1 + z^2) = 0.01
    ("softsign", 9.0),  # 1 / (1 + |z|)^2 = 0.01
    ("softplus", -math.log(99.0)), ("exponential", math.log(0.01)), ("relu", 0.0),
])  # fmt: skip
def test_saturated_is_what_lies_beyond_one_hundredth_of_the_largest_slope(name, edge):
    neuron = Neuron(1, activation=name, init="ones")
    beyond = edge + math.copysign(1e-3, edge) if edge else -1e-3
    within = edge - math.copysign(1e-3, edge) if edge else 1e-3
    assert saturation(neuron, [[beyond]]) == {"Neuron": Saturated(1, 1)}
    assert saturation(neuron, [[within]]) == {"Neuron": Saturated(1, 0)}


def test_a_saturated_sigmoid():
    model = nn.MLP(3, [2, 1], activation="sigmoid", output_activation="identity", init="ones")
    model.layers[0].neurons[1].b.data = 1e3
    found = saturation(model, X)
    assert found == {"layers.0": (12, 6), "layers.1": (6, 0)}
    assert found["layers.0"].share == 0.5
    slope = 1e-3 / 0.25  # of z = 6.9, or so
    z = math.log(1e3)
    assert saturation(Neuron(1, activation="sigmoid", init="ones"), [[z]], below=1.1 * slope)[
        "Neuron"
    ].saturated
    assert not saturation(Neuron(1, activation="sigmoid", init="ones"), [[z]], below=0.9 * slope)[
        "Neuron"
    ].saturated


def test_leaky_slopes_are_not_saturated_and_flat_ones_are():
    for name, saturated in (("leaky_relu", 0), ("identity", 0), ("prelu", 0), ("relu", 1), ("step", 1)):
        assert (
            saturation(Neuron(1, activation=name, init="ones"), [[-3.0]])["Neuron"].saturated == saturated
        ), name


def test_prelus_with_slopes_of_their_own():
    layer = Layer(1, 2, activation="prelu", init="ones")
    layer.neurons[0].slope.data, layer.neurons[1].slope.data = 1e-3, 5.0
    assert saturation(layer, [[-1.0]])["Layer"] == (2, 1)
    assert saturation(layer, [[1.0]])["Layer"] == (2, 0)
    layer.neurons[1].slope.data = 200.0
    assert saturation(layer, [[1.0]])["Layer"] == (2, 1)  # 1 is below a hundredth of 200


def test_largest_slopes_against_closed_forms():
    root = math.sqrt(2.0)
    gelu = 0.5 * (1.0 + math.erf(1.0)) + root * math.exp(-1.0) / math.sqrt(2.0 * math.pi)
    known = {
        "sigmoid": 0.25,
        "tanh": 1.0,
        "relu": 1.0,
        "identity": 1.0,
        "gelu": gelu,
        "gaussian": root / math.exp(0.5),
    }
    known |= {"hardsigmoid": 1.0 / 6.0, "sin": 1.0, "step": 0.0, "exponential": 1.0, "squared_relu": 1.0}
    for name, slope in known.items():
        assert largest_slope(activations.get(name).function) == pytest.approx(slope, rel=1e-3), name


# Gradients --------------------------------------------------------------------------------------------------------


def test_norms_and_ratios_against_numpy():
    model = nn.MLP(3, [4, 2], activation="tanh", rng=3)
    loss = nn.mse([model(x) for x in X], RNG.normal(size=(6, 2)).tolist())
    loss.backward()
    W1, W2 = (np.array([[w.data for w in n.w] for n in layer.neurons]) for layer in model.layers)
    found = gradient_report(model, X, lr=0.1)
    H = np.tanh(X @ W1.T)  # biases begin at 0
    for name, layer, W, out in zip(found, model.layers, (W1, W2), (H, H @ W2.T), strict=True):
        row = found[name]
        g = np.sqrt(sum(p.grad**2 for p in layer.parameters()))
        assert row.gradient == pytest.approx(g, rel=1e-12)
        assert row.weight == pytest.approx(np.sqrt((W**2).sum()), rel=1e-12)
        assert row.ratio == pytest.approx(0.1 * g / np.sqrt((W**2).sum()), rel=1e-12)
        assert (row.parameters, row.zeros) == (W.size + len(W), 0.0)
        assert (row.mean, row.deviation) == (pytest.approx(out.mean()), pytest.approx(out.std()))
    assert [row[:5] for row in gradient_report(model, lr=0.1).values()] == [row[:5] for row in found.values()]


def test_norms_by_hand():
    """y = relu(x1 + x2): its gradient is (x1, x2, 1), and the weights are (1, 1, 0)."""
    layer = Layer(2, 1, init="ones")
    layer([2.0, 4.0]).backward()
    row = gradient_report(layer)["Layer"]
    assert row == Gradients(3, math.sqrt(21.0), math.sqrt(2.0), math.sqrt(21.0) / math.sqrt(2.0), 0.0)


def test_norms_as_torch_has_them():
    torch = pytest.importorskip("torch")
    model = nn.MLP(3, [4, 2], activation="tanh", rng=3)
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    with torch.no_grad():
        for linear, layer in zip((theirs[0], theirs[2]), model.layers, strict=True):
            linear.weight[:] = torch.tensor(matrix(layer))
            linear.bias[:] = 0.0
    Y = RNG.normal(size=(6, 2))
    nn.mse([model(x) for x in X], Y.tolist()).backward()
    torch.nn.functional.mse_loss(theirs(torch.tensor(X)), torch.tensor(Y)).backward()
    for row, linear in zip(gradient_report(model).values(), (theirs[0], theirs[2]), strict=True):
        g = torch.cat([linear.weight.grad.ravel(), linear.bias.grad]).norm().item()
        assert row.gradient == pytest.approx(g, rel=1e-10)


def test_zeros_are_those_of_dead_units():
    model = net_with_dead_units()
    nn.mse([model(x) for x in X], [0.0] * 6).backward()
    found = gradient_report(model, X)
    assert [row.zeros for row in found.values()] == [8 / 16, 4 / 10, 0.0]  # their own; what reads their 0s
    assert [row.saturated for row in found.values()] == [0.5, 0.0, 0.0]


def test_all_layers_with_parameters_are_there_and_frozen_ones_are_not():
    model = Sequential(
        nn.BatchNorm(3), nn.Standardize([0.0] * 3, [1.0] * 3), Layer(3, 2), nn.LayerNorm(2), Layer(2, 1)
    )
    model[2].freeze()
    found = gradient_report(trained(model), X)
    assert [*found] == ["layers.0", "layers.3", "layers.4"]
    assert [row.parameters for row in found.values()] == [6, 4, 3]
    assert found["layers.3"].mean is None
    text = repr(found).splitlines()
    assert text[0].split()[-3:] == ["mean", "deviation", "saturated"]
    assert len({*map(len, text)}) == 2  # blank where there are no neurons
    for make in (
        nn.GPT(5, 8, heads=2),
        nn.GRU(3, 2),
        nn.MLP(2, [3, 1], activation="prelu"),
        nn.ViT(6, 3, 4, width=8),
    ):
        report = gradient_report(trained(make))
        assert sum(row.parameters for row in report.values()) == make.count_parameters(trainable=True)


def test_weights_that_are_all_0():
    layer = Layer(2, 1, init="zeros", nonlin=False)
    layer([1.0, 1.0]).backward()
    assert gradient_report(layer)["Layer"].ratio == math.inf
    assert math.isnan(gradient_report(layer, lr=0.0)["Layer"].ratio)


def test_vector_activations_give_the_outputs_of_the_layer():
    layer = Layer(3, 4, activation="softmax")
    row = gradient_report(trained(layer), X)["Layer"]
    P = np.array([[p.data for p in layer(x)] for x in X])
    assert (row.mean, row.deviation) == (pytest.approx(0.25), pytest.approx(P.std()))
    gated = Layer(3, 4, activation="glu")
    row = gradient_report(trained(gated), X)["Layer"]
    assert row.mean == pytest.approx(np.mean([[y.data for y in gated(x)] for x in X]))


# Nothing is changed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_model_is_as_it_was(report):
    model = Sequential(nn.BatchNorm(3), nn.Dropout(0.5), Layer(3, 2, activation=Learned()), Layer(2, 1))
    model[0].eval()
    trained(model)
    before = [(p.data, p.grad) for p in model.parameters()], [float(v) for _, v in model.named_buffers()]
    first, again = report(model, X), report(model, iter(X))
    assert first == again
    assert (
        [(p.data, p.grad) for p in model.parameters()],
        [float(v) for _, v in model.named_buffers()],
    ) == before
    assert [part.training for part in [model, *model]] == [True, False, True, True, True]


class Learned(Module):
    """An activation with a parameter."""

    def __init__(self):
        self.scale = Value(2.0)

    def __call__(self, z):
        return self.scale * autograd.relu(z)


# One layer for all ------------------------------------------------------------------------------------------------

LINEAR = {
    "MLP": lambda: nn.MLP(3, [5, 4, 2], activation="identity", rng=1),
    "one output": lambda: nn.MLP(3, [1, 2, 1], activation="identity", rng=1),
    "a Layer": lambda: Layer(3, 2, activation="identity", rng=1),
    "some biases": lambda: Sequential(
        Layer(3, 4, activation="identity", rng=1),
        "identity",
        Sequential(Layer(4, 2, activation="identity", bias=False), nn.MLP(2, [2], activation="identity")),
    ),
    "no biases": lambda: nn.MLP(3, [4, 2], activation="identity", bias=False, rng=1),
}


@pytest.mark.parametrize("make", LINEAR.values(), ids=LINEAR)
def test_a_linear_model_is_one_layer(make):
    model = make()
    for p in model.parameters():
        p.data = float(RNG.normal())
    one = collapse_linear(model)
    layers = [part for part in model.modules() if isinstance(part, Layer)]
    W = np.linalg.multi_dot([*[matrix(layer) for layer in layers[::-1]], np.eye(3)])
    np.testing.assert_allclose(matrix(one), W, rtol=1e-12, atol=1e-14)
    for x in RNG.normal(size=(5, 3)):
        np.testing.assert_allclose(listed(one(x)), listed(model(x)), rtol=1e-12, atol=1e-12)
    assert (one.neurons[0].b is None) == (not any(n.b is not None for layer in layers for n in layer.neurons))
    assert not {*one.parameters()} & {*model.parameters()}
    compiled = autograd.compile(one, batch=True)(X)
    np.testing.assert_allclose(
        np.reshape(compiled, (6, -1)), [listed(model(x)) for x in X], rtol=1e-12, atol=1e-12
    )


def matrix(layer):
    return np.array([[w.data for w in neuron.w] for neuron in layer.neurons])


def listed(out):
    return [float(v) for v in (out if isinstance(out, list) else [out])]


def identity(z):
    """Not what its name says."""
    return 2.0 * z


class Doubled(Layer):
    def __call__(self, x):
        return [2.0 * v for v in super().__call__(x)]


@pytest.mark.parametrize(("model", "received"), [
    (nn.MLP(2, [3, 4, 1]), "layers.0: Layer(2, 3), whose activation is relu"),
    (nn.MLP(2, [3, 4, 1], activation="identity", output_activation="softmax"),
     "layers.2: Layer(4, 1), whose activation is softmax"),
    (Layer(2, 1), "Layer(2, 1), whose activation is relu"),
    (Sequential(Layer(2, 2, activation="identity"), "tanh", Layer(2, 1)), "layers.1: tanh"),
    (Sequential(Sequential(Residual(Layer(2, 2, activation="identity")))), "layers.0.layers.0: Residual"),
    (Sequential(Doubled(2, 2, activation="identity")), "layers.0: Doubled(2, 2)"),
    (Sequential(lambda xs: xs), "layers.0: lambda"),
        (Layer(2, 1, activation=identity), "Layer(2, 1)"),
        (Sequential(Layer(2, 1, activation=identity)), "layers.0: Layer(2, 1)"),
])  # fmt: skip
def test_the_first_layer_that_is_not_linear_is_named(model, received):
    with pytest.raises(ValueError, match="linear layers alone") as error:
        collapse_linear(model)
    assert str(error.value) == f"collapse_linear needs linear layers alone. Received: {received}"


def test_nothing_to_collapse():
    with pytest.raises(ValueError, match=r"needs at least one Layer. Received: Sequential\(0\)$"):
        collapse_linear(Sequential())
    with pytest.raises(TypeError, match=r"needs a Module\. Received: list"):
        collapse_linear([])  # type: ignore[arg-type]
    wrong = Sequential(Layer(2, 3, activation="identity"), Layer(4, 1, activation="identity"))
    with pytest.raises(ValueError, match=r"^layers.1: Layer\(4, 1\) needs 4 inputs. Received: 3.$"):
        collapse_linear(wrong)


# Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_malformed_input(name):
    report = REPORTS[name]
    with pytest.raises(TypeError, match=f"^{name} needs a Module. Received: list$"):
        report([1.0], X)
    with pytest.raises(ValueError, match=f"^{name} needs at least one sample. Received: none$"):
        report(Layer(3, 1), [])
    with pytest.raises(ValueError, match=r"needs 3 inputs\. Received: 1"):
        report(Layer(3, 1), X[0])
    with pytest.raises(ValueError, match=f"^{name} needs a model with neurons. Received: LayerNorm"):
        report(nn.LayerNorm(3), X)


def test_a_share_is_between_0_and_1():
    for below in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"^saturation needs below between 0 and 1\. Received: below="):
            saturation(Layer(3, 1), X, below=below)


def test_gradients_that_are_not_there():
    model = nn.MLP(3, [2, 1])
    with pytest.raises(ValueError, match=r"^gradient_report needs gradients: call backward\(\) first."):
        gradient_report(model)
    model.layers[0]([1.0, 1.0, 1.0])[0].backward()
    assert [row.gradient for row in gradient_report(model).values()][1] == 0.0  # no backward came there
    model.freeze()
    with pytest.raises(ValueError, match="needs gradients"):
        gradient_report(model)


# Shown ------------------------------------------------------------------------------------------------------------


def test_reports_are_tables():
    model = nn.MLP(3, [12, 1], init="ones")
    for neuron in model.layers[0].neurons[:10]:
        neuron.b.data = -1e3
    lines = repr(dead_units(model, X)).splitlines()
    assert lines[0].split() == ["layer", "units", "dead", "share"]
    assert lines[3].split() == ["total", "13", "10", "76.9%"]
    assert lines[4].startswith("dead: layers.0.neurons.0, layers.0.neurons.1, ")
    assert lines[4].endswith("layers.0.neurons.7 and 2 more")
    assert str(saturation(model, X)).splitlines()[1].split() == ["layers.0", "72", "60", "83.3%"]
    text = repr(gradient_report(trained(model))).splitlines()
    assert text[0].split() == ["layer", "parameters", "|gradient|", "|weight|", "update:weight", "zeros"]
    assert text[2].split() == ["layers.1", "13", "3.61", "3.46", "1.04", "0.0%"]


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.mark.parametrize("name", REPORTS)
def test_plots(name, pyplot):
    report = REPORTS[name](net_with_dead_units(), X)
    _, given = pyplot.subplots()
    assert report.plot(ax=given) is given
    ax = report.plot()
    assert ax is not given
    assert [label.get_text() for label in ax.get_yticklabels()] == ["layers.0", "layers.1", "layers.2"]
    widths = [bar.get_width() for bar in ax.patches]
    if name == "gradient_report":
        assert widths == [row.gradient for row in report.values()] + [row.weight for row in report.values()]
        assert ax.get_xscale() == "log"
    else:
        assert widths == [50.0, 0.0, 0.0]
    ax.figure.canvas.draw()


def test_gradients_that_vanish_or_explode_can_be_plotted(pyplot):
    rows = {
        "a": (3, 0.0, 0.0, math.nan, 1.0),
        "b": (3, math.inf, 2.0, math.inf, 0.0),
        "c": (3, 0.0, 1.0, 0.0, 1.0),
    }
    for names in ("a", "abc"):
        ax = GradientReport({name: Gradients(*rows[name]) for name in names}).plot()
        ax.figure.canvas.draw()
        assert [note.get_text() for note in ax.texts] == ["nan", "inf", "0"][: len(names)]


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'^a plot needs matplotlib: pip install "neurongrad\[plot\]"$'):
        dead_units(Layer(3, 1), X).plot()
