"""The plots: what is drawn is what was computed otherwise."""

import math
import re
import sys
from typing import Any

import numpy as np
import pytest

import nn
from autograd import log, no_grad, sigmoid
from nn import charts, plots
from nn.activations import ACTIVATIONS, OURS

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (after the choice of Agg)

RNG = np.random.default_rng(0)
OF_NUMBER = [name for name in sorted(OURS) if not ACTIVATIONS[name].vector]


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def with_gradients(*args, **named):
    model = nn.MLP(*args, **named)
    model([0.5] * args[0]).backward()
    return model


# Each plot, called as its user does: on new axes, on given ones, and without matplotlib.
X, Y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
CALLS = {
    "activation": lambda **named: plots.activation("gelu", **named),
    "decision_boundary": lambda **named: plots.decision_boundary(nn.MLP(2, [3, 2], rng=0), X, Y, **named),
    "history": lambda **named: plots.history({"loss": [2.0, 1.0]}, **named),
    "weights": lambda **named: plots.weights(nn.MLP(2, [3, 1], rng=0), **named),
    "activations": lambda **named: plots.activations(nn.MLP(2, [3, 1], rng=0), X, **named),
    "gradient_flow": lambda **named: plots.gradient_flow(with_gradients(2, [3, 1], rng=0), **named),
    "confusion": lambda **named: plots.confusion([[3, 1], [0, 2]], **named),
    "attention_map": lambda **named: plots.attention_map([[1.0, 0.0], [0.5, 0.5]], **named),
    "matrix": lambda **named: plots.matrix(nn.Layer(3, 2, rng=0), **named),
    "filters": lambda **named: plots.filters(nn.Conv2d(1, 4, 3, rng=0), **named),
    "feature_maps": lambda **named: plots.feature_maps(
        nn.Conv2d(1, 4, 2, rng=0), np.ones((1, 4, 4)), **named
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_draws_on_the_axes_given_or_on_new_ones(name):
    _, (first, second) = pyplot.subplots(1, 2, layout="constrained")
    assert CALLS[name](ax=second) is second
    assert second.has_data()
    assert not first.has_data()
    new = CALLS[name]()
    assert new not in (first, second)
    for figure in (first.figure, new.figure):
        figure.canvas.draw()


@pytest.mark.parametrize("name", CALLS)
def test_each_says_what_to_install(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'^a plot needs matplotlib: pip install "neurongrad\[plot\]"$'):
        CALLS[name]()


@pytest.mark.parametrize("name", CALLS)
def test_each_refuses_what_is_not_axes(name):
    _, several = pyplot.subplots(1, 2)
    with pytest.raises(TypeError, match=r"^a plot needs matplotlib axes as ax\. Received: ndarray$"):
        CALLS[name](ax=several)


def test_every_plot_is_called_here():
    ours = {
        name
        for name, thing in vars(plots).items()
        if getattr(thing, "__module__", "") == plots.__name__ and ">>> " in (thing.__doc__ or "")
    }
    assert ours == {*CALLS}


def test_colours_can_be_told_apart_in_grey():
    def lightness(colour):
        return np.dot((0.299, 0.587, 0.114), matplotlib.colors.to_rgb(colour))

    dark, light = lightness(charts.COLOURS[0]), lightness(charts.COLOURS[1])
    assert light - dark > 0.25
    assert len({*charts.DASHES}) >= len({*charts.COLOURS})


# Functions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_NUMBER)
def test_activation_and_its_derivative(name):
    kind, (curve, slope) = ACTIVATIONS[name], plots.activation(name, -4.0, 4.5).lines
    xs = curve.get_xdata()
    known = ~np.isnan(xs)
    inside = [kink for kink in kind.kinks or () if -4.0 <= kink <= 4.5]
    assert (~known).sum() == len(inside)  # a gap for each
    assert xs[known].min() == -4.0
    assert xs[known].max() == 4.5
    assert [*curve.get_ydata()[known]] == [float(kind.function(x)) for x in xs[known].tolist()]
    assert np.isnan(curve.get_ydata()[~known]).all()
    step, smooth = 1e-6, [i for i in np.flatnonzero(known) if all(abs(xs[i] - k) > 1e-3 for k in inside)]
    rise = [float(kind.function(xs[i] + step)) - float(kind.function(xs[i] - step)) for i in smooth]
    np.testing.assert_allclose(
        slope.get_ydata()[smooth], np.divide(rise, 2 * step), rtol=1e-6, atol=2e-6 if inside else 1e-6
    )


def test_a_jump_is_not_bridged():
    curve, slope = plots.activation("step", -1.0, 1.0).lines
    xs, ys = curve.get_xdata(), curve.get_ydata()
    gap = int(np.flatnonzero(np.isnan(xs))[0])
    assert [*ys[[gap - 1, gap + 1]]] == [0.0, 1.0]
    assert 0.0 not in xs
    assert max(abs(xs[[gap - 1, gap + 1]])) < 1e-300
    curve, slope = plots.activation("relu", 0.0, 1.0).lines  # a kink at the end
    assert {*slope.get_ydata()[~np.isnan(slope.get_ydata())]} == {1.0}


def test_activation_of_ones_own():
    ax = plots.activation(lambda x: x**3, -2.0, 2.0, derivative=False)
    (curve,) = ax.lines
    np.testing.assert_allclose(curve.get_ydata(), curve.get_xdata() ** 3, rtol=1e-14)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["lambda"]
    (_, slope) = plots.activation(lambda x: 2.0).lines  # a constant
    assert {*slope.get_ydata()} == {0.0}
    (curve, _) = plots.activation(log).lines
    assert np.isnan(curve.get_ydata()[0])
    ax = plots.activation(
        nn.activations.Activation("dollar", lambda x: x, "$x_{$ for $")
    )  # no mathematics of TeX
    ax.figure.canvas.draw()


# Boundaries -------------------------------------------------------------------------------------------------------


def areas(ax):
    """The filled areas, and the lines between them."""
    sets = [part for part in ax.collections if isinstance(part, matplotlib.contour.ContourSet)]
    filled = [part for part in sets if part.filled]
    return filled, [part for part in sets if not part.filled]


def test_boundary_of_a_line():
    ax = plots.decision_boundary(lambda x: x[0] - 2.0 * x[1] + 0.25, X, Y)
    _, (line,) = areas(ax)
    (path,) = line.get_paths()
    np.testing.assert_allclose(path.vertices @ [1.0, -2.0], -0.25, atol=1e-12)
    assert ax.get_xlim() == ax.get_ylim() == (-0.1, 1.1)
    assert ax.get_title(loc="left") == "class 1 where the output is above 0"


@pytest.mark.parametrize("outputs", [1, 2, 3, 10])
def test_each_point_is_filled_as_its_class(outputs):
    model = nn.MLP(2, [8, outputs], activation="tanh", rng=3)
    xs = RNG.normal(size=(30, 2))
    y = RNG.integers(0, max(outputs, 2), 30)
    ax = plots.decision_boundary(model, xs, y)
    filled, _ = areas(ax)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [f"class {k}" for k in range(max(outputs, 2))]
    found: dict[int, set[int]] = {}  # by the class that is found, how many points lie in which area
    for point in RNG.uniform(xs.min(axis=0), xs.max(axis=0), size=(200, 2)):
        with no_grad():
            z = np.array(model(point), float).reshape(-1)
        z = np.array([0.0, z[0]]) if outputs == 1 else z
        near, far = np.sort(z)[-2:]
        if far - near > 0.05:
            here = [k for k, area in enumerate(filled) if area.get_paths()[0].contains_point(point)]
            assert len(here) == 1
            found.setdefault(int(np.argmax(z)), set()).update(here)
    assert len(found) > 1
    assert sorted(k for area in found.values() for k in area) == sorted(
        {k for a in found.values() for k in a}
    )
    order = [next(iter(found[k])) for k in sorted(found)]
    assert order == sorted(order)  # class by class


def test_samples_have_the_marker_of_their_class():
    ax = plots.decision_boundary(nn.MLP(2, [3, 2], rng=0), X, Y)
    points = [part for part in ax.collections if isinstance(part, matplotlib.collections.PathCollection)]
    assert [part.get_offsets().tolist() for part in points] == [[X[0], X[3]], [X[1], X[2]]]
    assert len({tuple(part.get_facecolors()[0]) for part in points}) == 2
    assert len({len(part.get_paths()[0].vertices) for part in points}) == 2
    ax = plots.decision_boundary(nn.MLP(2, [3, 1], rng=0), X, [-1, 1, 1, -1])
    points = [part for part in ax.collections if isinstance(part, matplotlib.collections.PathCollection)]
    assert [part.get_offsets().tolist() for part in points] == [[X[0], X[3]], [X[1], X[2]]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["class -1", "class 1"]


@pytest.mark.parametrize(
    ("model", "y", "threshold", "rule"),
    [
        (lambda x: sigmoid(x[0]), [0, 1, 1, 0], None, "above 0.5"),
        (lambda x: sigmoid(x[0]), [-1, 1, 1, -1], None, "above 0"),
        (lambda x: sigmoid(x[0]), [0, 1, 1, 0], 0.75, "above 0.75"),
        (lambda x: x[0] * 3.0, [0, 1, 1, 0], None, "above 0"),
        (lambda x: x[0] * 3.0, [False, True, True, False], 0.5, "above 0.5"),
        (lambda x: [x[0] * 3.0], [0, 0, 0, 0], 0.5, "above 0.5"),
        (lambda x: [x[0], x[1]], [0, 1, 1, 0], None, "largest"),
    ],
)
def test_the_rule_is_told(model, y, threshold, rule):
    title = plots.decision_boundary(model, X, y, threshold=threshold, steps=4).get_title(loc="left")
    assert title.endswith(rule)


def test_ties_and_nan():
    filled, lines = areas(plots.decision_boundary(lambda x: [x[0] * 0.0, x[1] * 0.0], X, Y, steps=3))
    assert len(filled) == 1  # all of the first class
    assert not lines
    inside = plots.decision_boundary(lambda x: [x[0] * 0.0, x[1].log()], X, Y, steps=5)
    filled, _ = areas(inside)  # nan below 0
    assert not any(area.get_paths()[0].contains_point((0.5, -0.05)) for area in filled)
    assert filled[0].get_paths()[0].contains_point((0.5, 0.5))
    filled, _ = areas(plots.decision_boundary(lambda x: x[0] * math.nan, X, Y, steps=3))
    assert not filled
    plots.decision_boundary(lambda x: x[0] * 2.0, [[1.0, 1.0]], [1]).figure.canvas.draw()


def test_the_model_stays_as_it_is():
    first = nn.Layer(2, 4, rng=0).eval()
    last = nn.Layer(4, 2, rng=0)
    model = nn.Sequential(first, nn.Dropout(0.5), last)
    model(X[1])[0].backward()
    before = [(p.data, float(p.grad)) for p in model.parameters()]
    modes = [module.training for module in model.modules()]
    assert len({*modes}) == 2
    random = str(np.random.get_state())
    one, other = (areas(plots.decision_boundary(f, X, Y))[0] for f in (model, nn.Sequential(first, last)))
    assert [module.training for module in model.modules()] == modes
    assert [(p.data, float(p.grad)) for p in model.parameters()] == before
    assert str(np.random.get_state()) == random
    for a, b in zip(one, other, strict=True):  # nothing was dropped
        assert np.array_equal(a.get_paths()[0].vertices, b.get_paths()[0].vertices)


def test_a_model_that_is_being_trained():
    model = nn.MLP(2, [4, 1], activation="tanh", rng=0)
    step = nn.train_step(model, nn.mse, nn.SGD(model.parameters(), lr=0.5))
    twin = nn.MLP(2, [4, 1], activation="tanh", rng=0)
    twin_step = nn.train_step(twin, nn.mse, nn.SGD(twin.parameters(), lr=0.5))
    for _ in range(3):
        loss = step(np.array(X), np.array(Y, float))
        plots.decision_boundary(model, X, Y, steps=4)
        assert twin_step(np.array(X), np.array(Y, float)) == loss
    assert [p.data for p in model.parameters()] == [p.data for p in twin.parameters()]


# Training ---------------------------------------------------------------------------------------------------------


def test_history():
    ax = plots.history({"loss": [3.0, 2.0, 1.0], "accuracy": [0.1, 0.2, 0.3], "val_loss": [3.0, None, 2.0]})
    loss, other = ax.lines
    assert [*loss.get_xdata()] == [*other.get_xdata()] == [1, 2, 3]
    assert [*loss.get_ydata()] == [3.0, 2.0, 1.0]
    assert np.array_equal(other.get_ydata(), [3.0, math.nan, 2.0], equal_nan=True)
    assert other.get_marker() != "None"  # or single points would not be seen
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["loss", "val_loss"]
    assert loss.get_linestyle() != other.get_linestyle()
    (only,) = plots.history({"loss": [1.0], "accuracy": [0.5]}, names=["accuracy"]).lines
    assert [*only.get_ydata()] == [0.5]
    ax = only.axes
    ax.figure.canvas.draw()
    assert [tick for tick in ax.get_xticks() if ax.get_xlim()[0] < tick < ax.get_xlim()[1]] == [1.0]


# Layers -----------------------------------------------------------------------------------------------------------


def ridge(patch, floor):
    """The heights of a histogram, the largest as 1; and its edges."""
    heights, edges, baseline = patch.get_data()
    assert baseline == floor
    return (heights - floor) / 0.85, edges


def layer_names(ax):
    return [label.get_text().split("\n")[0] for label in ax.get_yticklabels()]


def test_weights():
    model = nn.MLP(3, [40, 2], activation="prelu", rng=0)
    for p in model.parameters():
        p.data *= 2.0
    ax = plots.weights(model, bins=7)
    assert layer_names(ax) == ["layers.0", "layers.1"]
    rows = [[w.data for neuron in layer.neurons for w in neuron.w] for layer in model.layers]
    low, high = min(map(min, rows)), max(map(max, rows))
    for i, (row, patch) in enumerate(zip(rows, ax.patches, strict=True)):
        heights, edges = ridge(patch, 1 - i)
        np.testing.assert_allclose(edges, np.linspace(low, high, 8), rtol=1e-14)
        counts = np.zeros(7)
        for w in row:
            counts[min(int((w - low) / (high - low) * 7), 6)] += 1
        np.testing.assert_allclose(heights, counts / counts.max(), rtol=1e-13)
        note = ax.get_yticklabels()[i].get_text().split("\n")[1]
        assert note == f"{np.mean(row):.2g} ± {np.std(row):.2g}"


def test_which_weights():
    block = nn.TransformerBlock(4, 2, rng=0)
    ax = plots.weights(block)
    assert "attention.query" in layer_names(ax)
    assert len(layer_names(ax)) == len(ax.patches)
    shared = nn.Layer(3, 3, rng=0)
    assert len(plots.weights(nn.Sequential(shared, nn.Layer(3, 3, rng=0), shared)).patches) == 2


def test_numbers_without_a_bin_are_told():
    model = nn.MLP(2, [2, 1], init="ones")
    first = model.layers[0].neurons[0].w
    first[0].data, first[1].data = math.nan, -math.inf
    for p in model.layers[1].neurons[0].w:
        p.data = math.nan
    labels = [label.get_text() for label in plots.weights(model).get_yticklabels()]
    assert labels == ["layers.0\n1 ± 0, 2 inf or nan", "layers.1\n2 inf or nan"]


def test_activations():
    model = nn.Sequential(nn.Layer(2, 3, init="ones", activation="relu"), nn.Dropout(0.5), nn.Layer(3, 1))
    data = [[1.0, 2.0], [-3.0, 1.0], [0.5, 0.5]]
    ax = plots.activations(model, data, bins=4)
    assert layer_names(ax) == ["layers.0", "layers.2"]
    assert model.training
    lines = ax.get_yticklabels()[0].get_text().split("\n")
    assert lines[1] == f"{np.mean([3.0, 0.0, 1.0]):.2g} ± {np.std([3.0, 0.0, 1.0]):.2g}"
    with no_grad():
        last = [float(model.eval()(x)) for x in data]
    heights, edges = ridge(ax.patches[1], 0)
    counts = [sum(a <= y < b for y in last) for a, b in zip(edges, [*edges[1:-1], math.inf], strict=False)]
    np.testing.assert_allclose(heights, np.divide(counts, max(counts)), rtol=1e-12)


def test_gradient_flow():
    model = with_gradients(4, [5, 5, 1], activation="tanh", rng=0)
    ax = plots.gradient_flow(model)
    slopes = [[abs(p.grad) for p in layer.parameters()] for layer in model.layers]
    widths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(widths[:3], [sum(g) / len(g) for g in slopes], rtol=1e-14)
    assert widths[3:] == [max(g) for g in slopes]
    assert ax.get_xscale() == "log"
    assert layer_names(ax) == ["layers.0", "layers.1", "layers.2"]
    assert [note.get_text() for note in ax.texts] == [f"{max(g):.2g}" for g in slopes]
    model.layers[1].freeze()
    assert layer_names(plots.gradient_flow(model)) == ["layers.0", "layers.2"]
    model.zero_grad()
    model.layers[2]([1.0] * 5).backward()
    assert plots.gradient_flow(model).texts[0].get_text() == "0"  # no backward came there


# Matrices ---------------------------------------------------------------------------------------------------------


def test_confusion():
    counts = nn.metrics.confusion_matrix([0, 1, 1, 2, 2, 2], [0, 1, 2, 2, 2, 0])
    ax = plots.confusion(counts, ["ant", "bee", "c$at$"])
    assert ax.images[0].get_array().tolist() == counts.tolist()
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {(j, i): str(counts[i, j]) for i in range(3) for j in range(3)}
    for ticks in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == ["ant", "bee", "c$at$"]
        assert not any(tick.get_parse_math() for tick in ticks)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    shares = plots.confusion([[1.0, 0.0], [0.125, 0.875]])
    assert [text.get_text() for text in shares.texts] == ["1.00", "0.00", "0.12", "0.88"]
    assert [tick.get_text() for tick in shares.get_yticklabels()] == ["0", "1"]
    assert [text.get_color() for text in shares.texts] == ["white", "black", "black", "white"]
    plots.confusion([[0]]).figure.canvas.draw()


def test_attention_map():
    attend = nn.MultiHeadAttention(4, 2, causal=True, rng=0)
    head = attend.weights(RNG.normal(size=(3, 4)))[1]
    ax = plots.attention_map(head, ["the", "$", "$"])
    np.testing.assert_array_equal(ax.images[0].get_array(), [[float(w) for w in row] for row in head])
    for ticks in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == ["the", "$", "$"]
    ax = plots.attention_map(np.full((2, 4), 0.25), queries="ab", keys=range(4, 8))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["4", "5", "6", "7"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]
    assert ax.images[0].get_clim() == (0.0, 0.25)
    ax = plots.attention_map(np.full((2, 4), 0.25), queries="ab")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "2", "3"]


# Images -----------------------------------------------------------------------------------------------------------


def tiles_in(ax, shape, columns):
    """The small images, row after row; between them is nothing."""
    cells = ax.collections[0].get_array()
    h, w = shape
    rows = (cells.shape[0] + 1) // (h + 1)
    found = []
    for row in range(rows):
        for column in range(columns):
            top, left = row * (h + 1), column * (w + 1)
            found.append(cells[top : top + h, left : left + w])
    assert sum(tile.count() for tile in found) == cells.count()
    return [tile.data for tile in found if tile.count()]


@pytest.mark.parametrize(
    ("conv", "columns", "names"),
    [
        (nn.Conv2d(1, 5, (2, 3), rng=0), 2, ["0", "1", "2", "3", "4"]),
        (nn.Conv2d(2, 2, 3, rng=0), 2, ["0, 0", "0, 1", "1, 0", "1, 1"]),
        (nn.Conv2d(4, 4, 3, groups=4, rng=0), 2, ["0", "1", "2", "3"]),
    ],
)
def test_filters(conv, columns, names):
    ax = plots.filters(conv)
    weights = [[w.data for w in neuron.w] for neuron in conv.filters]
    found = tiles_in(ax, conv.kernel, columns)
    np.testing.assert_array_equal(np.ravel(found), np.ravel(weights))
    assert [text.get_text() for text in ax.texts] == names
    assert ax.get_title(loc="left") == f"Filters of {conv._title()}"
    low, high = ax.collections[0].get_clim()
    assert -low == high == np.abs(weights).max()
    assert ax.collections[0].get_cmap().name == "gray"


def test_where_small_images_stand():
    ax = plots.filters(nn.Conv2d(1, 3, (2, 4), rng=0))
    xs, ys = np.moveaxis(ax.collections[0].get_coordinates(), -1, 0)
    cells = ax.collections[0].get_array()
    columns, rows = (cells.shape[1] + 1) // 5, (cells.shape[0] + 1) // 3
    across = [column * 1.3 + k / 4 for column in range(columns) for k in range(5)]
    down = [row * 0.8 + k / 4 for row in range(rows) for k in range(3)]
    np.testing.assert_allclose(xs, np.tile(across, (len(down), 1)), rtol=1e-14)
    np.testing.assert_allclose(ys.T, np.tile(down, (len(across), 1)), rtol=1e-14)
    bottom, top = ax.get_ylim()
    assert bottom > top  # row after row downwards
    assert ax.get_aspect() == 1.0


def test_filters_of_signals():
    conv = nn.Conv1d(3, 4, 5, rng=0)
    found = tiles_in(plots.filters(conv), (3, 5), 2)
    np.testing.assert_array_equal(np.ravel(found), [w.data for neuron in conv.filters for w in neuron.w])
    many = plots.filters(nn.Conv2d(21, 2, 1, rng=0))
    assert not many.texts  # no room for names


def test_feature_maps():
    conv = nn.Conv2d(2, 3, 2, stride=2, rng=0)
    image = RNG.normal(size=(2, 4, 6))
    ax = plots.feature_maps(conv, image)
    wanted = np.zeros((3, 2, 3))
    for c, i, j in np.ndindex(wanted.shape):
        w = np.reshape([v.data for v in conv.filters[c].w], (2, 2, 2))
        wanted[c, i, j] = (w * image[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]).sum() + conv.filters[c].b.data
    columns = (ax.collections[0].get_array().shape[1] + 1) // 4
    np.testing.assert_allclose(tiles_in(ax, (2, 3), columns), wanted, rtol=1e-12)
    np.testing.assert_allclose(ax.collections[0].get_clim(), (wanted.min(), wanted.max()), rtol=1e-12)
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2"]


def test_feature_maps_of_signals_and_of_models():
    signal = RNG.normal(size=(1, 9))
    conv = nn.Conv1d(1, 2, 3, init="ones", rng=0)
    ax = plots.feature_maps(conv, signal)
    sums = [sum(signal[0, i : i + 3]) for i in range(7)]
    columns = (ax.collections[0].get_array().shape[1] + 1) // 8
    np.testing.assert_allclose(tiles_in(ax, (1, 7), columns), [[sums], [sums]], rtol=1e-12)
    model = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.Dropout(0.5), nn.MaxPool(2)).eval()
    image = RNG.normal(size=(1, 6, 6))
    with no_grad():
        wanted = np.array(model(image), float)
    ax = plots.feature_maps(model.train(), image)
    assert model.training
    np.testing.assert_allclose(tiles_in(ax, (2, 2), 2), wanted, rtol=1e-12)
    nothing = plots.feature_maps(nn.MaxPool(1), [[[math.nan, math.inf]]])
    nothing.figure.canvas.draw()


# Malformed --------------------------------------------------------------------------------------------------------

draw: Any = plots
boundary, LAYER, LOSSES = draw.decision_boundary, nn.Layer(2, 1, rng=0), {"loss": [1.0]}
THREE = nn.Layer(2, 3, rng=0)
MALFORMED = [
    (lambda: draw.activation("rellu"), ValueError, "no activation 'rellu'"),
    (lambda: draw.activation("softmax"), ValueError, "needs a function of one number. Received: softmax"),
    (lambda: draw.activation("relu", 1.0, 1.0), ValueError, "low < high. Received: low=1.0, high=1.0"),
    (lambda: draw.activation("relu", 0.0, math.nan), ValueError, "low < high. Received: low=0.0, high=nan"),
    (lambda: draw.activation(lambda x: [x, x]), TypeError, "one number"),
    (lambda: boundary(LAYER, [[1.0]], [1]), ValueError, "two numbers, and a class for each"),
    (lambda: boundary(LAYER, X, [1]), ValueError, "X of shape (4, 2), y of shape (1,)"),
    (lambda: boundary(LAYER, np.zeros((0, 2)), []), ValueError, "X of shape (0, 2)"),
    (lambda: boundary(LAYER, [[0.0, math.inf]], [1]), ValueError, "finite numbers as samples"),
    (lambda: boundary(LAYER, X, Y, steps=0), ValueError, "steps to be at least 1"),
    (lambda: boundary(LAYER, X, [0, 1, 2, 0]), ValueError, "among [0, 1], by the model's outputs. Received: 2"),
    (lambda: boundary(LAYER, X, [0, 1, -1, 0]), ValueError, "among [-1, 1], by the model's outputs. Received: 0"),
    (lambda: boundary(LAYER, X, [0, 0.5, 1, 0]), ValueError, "Received: 0.5"),
    (lambda: boundary(THREE, X, [0, 1, 3, 0]), ValueError, "among [0, 1, 2]"),
    (lambda: boundary(THREE, X, Y, threshold=0.0), ValueError, "single output to have a threshold. Received: 3"),
    (lambda: boundary(nn.Layer(3, 1, rng=0), X, Y), ValueError, "Layer(3, 1) needs 3 inputs. Received: 2"),
    (lambda: boundary(lambda x: (x[0], [x[1]]), X, Y), ValueError, "a number or a vector. Received: tuple"),
    (lambda: boundary(lambda x: [[x[0]]], X, Y), ValueError, "a number or a vector. Received: shape (1, 1)"),
    (lambda: boundary(3.0, X, Y), TypeError, "needs a function. Received: float"),
    (lambda: draw.history([1.0]), TypeError, "history needs a mapping from names to lists. Received: list"),
    (lambda: draw.history({"accuracy": [1.0]}), ValueError, "needs 'loss' to be among its names. Received: accuracy"),
    (lambda: draw.history({}), ValueError, "Received: none"),
    (lambda: draw.history(LOSSES, names=["val_loss"]), ValueError, "needs 'val_loss'"),
    (lambda: draw.history({"loss": []}), ValueError, "one epoch at least. Received: loss of shape (0,)"),
    (lambda: draw.history({"loss": [1.0, 2.0], "val_loss": [1.0]}), ValueError, "(2,), val_loss of shape (1,)"),
    (lambda: draw.history({"loss": [[1.0]]}), ValueError, "loss of shape (1, 1)"),
    (lambda: draw.history({"loss": ["a"]}), TypeError, "needs numbers or Values"),
    (lambda: draw.weights([LAYER]), TypeError, "weights needs a Module. Received: list"),
    (lambda: draw.weights(nn.Flatten()), ValueError, "needs a model with weights. Received: Flatten"),
    (lambda: draw.weights(LAYER, bins=0), ValueError, "bins to be at least 1. Received: bins=0"),
    (lambda: draw.activations(LAYER, []), ValueError, "activations needs at least one sample"),
    (lambda: draw.activations(LAYER, [[1.0, 2.0]], bins=2.5), TypeError, "needs an int as bins"),
    (lambda: draw.activations(None, [[1.0]]), TypeError, "activations needs a Module. Received: NoneType"),
    (lambda: draw.gradient_flow(LAYER), ValueError, "gradient_flow needs gradients"),
    (lambda: draw.gradient_flow(nn.Flatten()), ValueError, "gradient_flow needs gradients"),
    (lambda: draw.gradient_flow(3), TypeError, "gradient_flow needs a Module. Received: int"),
    (lambda: draw.confusion([[1, 2]]), ValueError, "needs a square matrix. Received: shape (1, 2)"),
    (lambda: draw.confusion([1, 2]), ValueError, "needs a matrix of numbers. Received: shape (2,)"),
    (lambda: draw.confusion([]), ValueError, "needs a matrix of numbers. Received: shape (0,)"),
    (lambda: draw.confusion([[1, -2], [0, 1]]), ValueError, "needs finite numbers from 0. Received: -2"),
    (lambda: draw.confusion([[1, 2], [3]]), ValueError, "lists of one length"),
    (lambda: draw.confusion([[1]], ["a", "b"]), ValueError, "confusion needs 1 names, as the matrix has. Received: 2"),
    (lambda: draw.attention_map([[[1.0]]]), ValueError, "shape (1, 1, 1), of which one is drawn"),
    (lambda: draw.attention_map([[math.nan]]), ValueError, "finite numbers from 0. Received: nan"),
    (lambda: draw.attention_map([[1.0, 0.0]], ["a", "b"]), ValueError, "1 queries, as the matrix has. Received: 2"),
    (lambda: draw.attention_map([[1.0, 0.0]], ["a"], ["b"]), ValueError, "2 keys, as the matrix has. Received: 1"),
    (lambda: draw.filters(LAYER), TypeError, "filters needs a Conv1d or a Conv2d. Received: Layer"),
    (lambda: draw.feature_maps(LAYER, [1.0, 2.0]), ValueError, "Received: Layer(2, 1), which gives shape ()"),
    (lambda: draw.feature_maps(abs, [[1.0]]), TypeError, "feature_maps needs a Module"),
    (lambda: draw.feature_maps(nn.Conv2d(1, 1, 3), [[1.0]]), ValueError, "needs an array of shape (1, any, any)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), MALFORMED, ids=[row[2] for row in MALFORMED])
def test_malformed(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call()
    assert not pyplot.get_fignums()  # nothing half-drawn is left open


def test_the_matrix_of_a_collapsed_model():
    model: Any = nn.MLP(3, [5, 2], activation="identity", rng=0)
    first, second = ([[w.data for w in neuron.w] for neuron in layer.neurons] for layer in model.layers)
    ax = plots.matrix(nn.collapse_linear(model))
    found = ax.collections[0].get_array()
    np.testing.assert_allclose(
        np.ma.compressed(found).reshape(2, 3), np.array(second) @ np.array(first), rtol=1e-12
    )
    with pytest.raises(TypeError, match=r"matrix needs a Layer\. Received: MLP"):
        plots.matrix(model)
