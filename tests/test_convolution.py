"""Convolution and pooling: against plain loops in NumPy, finite differences, PyTorch, and compiled against eager."""

# mypy: disable-error-code="arg-type, union-attr"

import math
import pickle
from itertools import product

import numpy as np
import pytest

import autograd
import nn
from autograd import Value, draw, grad, no_grad
from nn.convolution import AvgPool, Conv1d, Conv2d, Flatten, MaxPool

# Settings of a convolution, and the shape of an image, which need not be square; what is left out is usual.
CONVOLUTIONS = [
    (Conv1d, (1, 1, 1), {}, (4,)),
    (Conv1d, (2, 3, 3), {}, (7,)),
    (Conv1d, (2, 4, 3), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}, (8,)),
    (Conv1d, (3, 2, 4), {"padding": "same", "bias": False}, (5,)),
    (Conv1d, (1, 2, 2), {"padding": 3}, (2,)),  # windows in which there is padding alone
    (Conv2d, (1, 2, 3), {}, (5, 4)),
    (Conv2d, (2, 3, (2, 3)), {"stride": (2, 1), "padding": (0, 2)}, (5, 3)),
    (Conv2d, (2, 2, 2), {"dilation": (1, 2), "bias": False}, (3, 5)),
    (Conv2d, (4, 6, 3), {"padding": 1, "groups": 2}, (3, 4)),
    (Conv2d, (3, 6, 2), {"groups": 3, "stride": 2}, (4, 5)),  # depthwise, two filters a channel; a remainder
    (Conv2d, (1, 2, (3, 4)), {"padding": "same"}, (4, 5)),
    (Conv2d, (2, 2, (2, 1)), {"padding": "same", "dilation": 3}, (4, 3)),
    (Conv2d, (2, 1, 3), {"stride": 3, "padding": 2, "dilation": 2}, (6, 5)),
]
POOLS = [
    (MaxPool, {"size": 2}, (2, 7)),
    (MaxPool, {"size": 3, "stride": 2, "padding": 1}, (2, 6)),
    (MaxPool, {"size": 2}, (2, 4, 5)),
    (MaxPool, {"size": (3, 2), "stride": (1, 2), "padding": (1, 0)}, (1, 4, 5)),
    (MaxPool, {}, (3, 2, 4)),
    (AvgPool, {"size": 2}, (2, 7)),
    (AvgPool, {"size": 3, "stride": 2, "padding": 1}, (2, 6)),
    (AvgPool, {"size": 2, "stride": 1}, (2, 3, 4)),
    (AvgPool, {"size": (3, 2), "stride": (2, 1), "padding": (1, 1)}, (1, 4, 3)),
    (AvgPool, {}, (3, 4)),
]


def convolution(kind, sizes, settings, sides):
    """One with weights, biases and an image drawn at random."""
    rng = np.random.default_rng(3)
    module = kind(*sizes, **settings, rng=rng)
    for p in module.parameters():
        p.data = float(rng.normal())
    return module, rng.normal(size=(sizes[0], *sides))


def numbers(x):
    return np.vectorize(float, otypes=[float])(np.asarray(x, dtype=object))


def gradients(values):
    return np.vectorize(lambda v: float(v.grad), otypes=[float])(np.asarray(values, dtype=object))


def values(x):
    return np.vectorize(Value, otypes=[object])(x)


def weighted(out):
    """One number from many, by which each matters differently."""
    return sum(math.cos(k) * v for k, v in enumerate(np.asarray(out, dtype=object).ravel()))


def pairs(n, axes):
    return n if isinstance(n, tuple) else (n,) * axes


# A plain reference -------------------------------------------------------------------------------------------------


def convolved(module, x, kernel, stride=1, padding=0, dilation=1, groups=1, **_):
    """By the definition, number by number; places outside the image are 0."""
    axes = x.ndim - 1
    kernel, stride, dilation = pairs(kernel, axes), pairs(stride, axes), pairs(dilation, axes)
    if padding == "same":
        before = [(k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True)]
        places = x.shape[1:]
    else:
        before = pairs(padding, axes)
        places = [
            (n + 2 * p - (k - 1) * d - 1) // s + 1
            for n, p, k, d, s in zip(x.shape[1:], before, kernel, dilation, stride, strict=True)
        ]
    read, share = len(x) // groups, len(module.filters) // groups
    out = np.zeros((len(module.filters), *places))
    for c, neuron in enumerate(module.filters):
        w = numbers(neuron.w).reshape(read, *kernel)
        for place in product(*map(range, places)):
            total = 0.0 if neuron.b is None else neuron.b.data
            for d, *offset in np.ndindex(w.shape):
                at = [
                    i * s + k * t - p
                    for i, s, k, t, p in zip(place, stride, offset, dilation, before, strict=True)
                ]
                if all(0 <= a < n for a, n in zip(at, x.shape[1:], strict=True)):
                    total += w[(d, *offset)] * x[(c // share * read + d, *at)]
            out[(c, *place)] = total
    return out


def pooled(kind, x, size=None, stride=None, padding=0):
    axes = x.ndim - 1
    size = x.shape[1:] if size is None else pairs(size, axes)
    stride, padding = size if stride is None else pairs(stride, axes), pairs(padding, axes)
    fill = -math.inf if kind is MaxPool else 0.0
    padded = np.pad(x, [(0, 0), *((p, p) for p in padding)], constant_values=fill)
    places = [(n - k) // s + 1 for n, k, s in zip(padded.shape[1:], size, stride, strict=True)]
    out = np.empty((len(x), *places))
    for c, *place in np.ndindex(out.shape):
        window = padded[(c, *(slice(i * s, i * s + k) for i, s, k in zip(place, stride, size, strict=True)))]
        out[(c, *place)] = window.max() if kind is MaxPool else window.mean()
    return out


@pytest.mark.parametrize(("kind", "sizes", "settings", "sides"), CONVOLUTIONS)
def test_convolution_is_the_sum_of_its_definition(kind, sizes, settings, sides):
    module, x = convolution(kind, sizes, settings, sides)
    expected = convolved(module, x, sizes[2], **settings)
    for given in (x, x.tolist(), values(x), values(x).tolist(), [*values(x)]):
        out = module(given)
        assert isinstance(out, np.ndarray)
        assert out.shape == expected.shape
        assert all(type(v) is Value for v in out.flat)
        assert numbers(out) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    with no_grad():
        assert numbers(module(x)) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("kind", "settings", "shape"), POOLS)
def test_pooling_is_the_max_or_mean_of_each_window(kind, settings, shape):
    x = np.random.default_rng(4).normal(size=shape)
    expected = pooled(kind, x, **settings)
    for given in (x, x.tolist(), values(x), values(x).tolist()):
        out = kind(**settings)(given)
        assert out.shape == expected.shape
        assert numbers(out) == pytest.approx(expected, rel=1e-14)
    assert all(type(v) is float for v in kind(**settings)(x).flat)  # plain numbers stay plain numbers


def test_integers_and_values_among_numbers():
    conv = Conv1d(1, 1, 2, init="ones")
    assert numbers(conv([[1, 2, 3]])).tolist() == [[3.0, 5.0]]
    x = Value(2.0)
    out = conv([[1, x, np.float64(3.0)]])
    assert numbers(out).tolist() == [[3.0, 5.0]]
    sum(out.flat).backward()
    assert x.grad == 2.0
    assert numbers(MaxPool(2)([[1, x, 3, 0]])).tolist() == [[2.0, 3.0]]
    assert numbers(AvgPool(2)(np.array([[1, 2, 3, 4]]))).tolist() == [[1.5, 3.5]]


# What a convolution is ---------------------------------------------------------------------------------------------


def test_when_the_image_moves_the_output_moves_with_it():
    conv, x = convolution(Conv2d, (2, 3, 3), {"activation": "tanh"}, (6, 7))
    around = np.zeros((2, 12, 13))
    outs = []
    for down, right in ((2, 3), (4, 2)):
        moved = around.copy()
        moved[:, down : down + 6, right : right + 7] = x
        outs.append(numbers(conv(moved)))
    first, second = outs
    assert np.array_equal(first[:, :8, 1:], second[:, 2:, :-1])
    assert not np.array_equal(first, second)


def test_pooling_hardly_minds_a_small_shift():
    x = np.zeros((1, 4, 4))
    moved = x.copy()
    x[0, 2, 2] = moved[0, 3, 3] = 1.0
    assert np.array_equal(numbers(MaxPool(2)(x)), numbers(MaxPool(2)(moved)))


def test_the_gradient_of_a_shared_weight_is_the_sum_over_the_places():
    conv, x = convolution(Conv2d, (2, 2, (2, 3)), {"padding": 1}, (3, 4))
    out = conv(x)
    upstream = np.cos(np.arange(out.size)).reshape(out.shape)
    weighted(out).backward()
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1)])
    for c, neuron in enumerate(conv.filters):
        total = np.zeros((2, 2, 3))
        for i, j in np.ndindex(out.shape[1:]):
            total += upstream[c, i, j] * padded[:, i : i + 2, j : j + 3]
        assert gradients(neuron.w).reshape(total.shape) == pytest.approx(total, rel=1e-12)
        assert neuron.b.grad == pytest.approx(upstream[c].sum(), rel=1e-12)


def test_number_of_parameters_does_not_depend_on_the_image():
    conv = Conv2d(6, 4, (2, 5), groups=2)
    assert conv.count_parameters() == 4 * (6 // 2 * 2 * 5 + 1)
    assert Conv1d(3, 4, 5, bias=False).count_parameters() == 4 * 3 * 5
    conv(np.zeros((6, 3, 9)))
    assert conv.count_parameters() == 124
    assert [name for name, _ in Conv1d(1, 1, 2).named_parameters()] == [
        "filters.0.w[0]",
        "filters.0.w[1]",
        "filters.0.b",
    ]
    assert [MaxPool(2).count_parameters(), AvgPool(2).count_parameters(), Flatten().count_parameters()] == [
        0,
        0,
        0,
    ]


def test_initial_weights():
    start = np.random.default_rng(0).normal(size=(4, 2, 2, 3))
    shapes = []

    def given(shape, rng):
        shapes.append(shape)
        return start

    conv = Conv2d(4, 4, (2, 3), groups=2, init=given)
    assert shapes == [(4, 2, 2, 3)]  # the kernel counts into the fans
    assert np.array_equal([numbers(f.w).reshape(2, 2, 3) for f in conv.filters], start)
    assert all(f.b.data == 0.0 for f in conv.filters)
    drawn = [
        numbers([f.w for f in Conv2d(8, 16, 5, activation="relu", rng=seed).filters]) for seed in (0, 0, 1)
    ]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert drawn[0].var() == pytest.approx(2.0 / (8 * 5 * 5), rel=0.1)  # He et al.
    assert set(numbers(Conv1d(1, 2, 2, init=0.5).filters[0].w)) == {0.5}


def test_activations_of_the_filters():
    conv = Conv1d(1, 2, 1, activation="prelu", init="ones")  # a slope for each filter
    conv.filters[1].slope.data = 0.5
    assert numbers(conv([[-1.0, 2.0]])).tolist() == [[-0.25, 2.0], [-0.5, 2.0]]
    assert conv.count_parameters() == 6
    assert numbers(Conv1d(1, 1, 1, init=-1.0, activation="relu")([[1.0, -2.0]])).tolist() == [[0.0, 2.0]]
    assert numbers(Conv1d(1, 1, 1, init=-1.0)([[1.0, -2.0]])).tolist() == [[-1.0, 2.0]]


def test_flatten_keeps_the_order():
    x = np.arange(12.0).reshape(2, 2, 3)
    for given in (x, x.tolist(), [*x]):
        assert Flatten()(given) == list(range(12))
    image = values(x)
    for given in (image, image.tolist()):
        assert all(a is b for a, b in zip(Flatten()(given), image.ravel(), strict=True))
    assert all(type(v) is float for v in Flatten()(x))
    assert Flatten()([[1.0, 2.0]]) == [1.0, 2.0]


# Gradients ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "sizes", "settings", "sides"), CONVOLUTIONS[1:10:2])
def test_gradients_by_finite_differences(kind, sizes, settings, sides):
    module, x = convolution(kind, sizes, {**settings, "activation": "tanh"}, sides)
    image = values(x)
    weighted(module(image)).backward()
    inputs = [*image.flat, *module.parameters()]
    found = [v.grad for v in inputs]

    def loss(v, change):
        at = v.data
        v.data = at + change
        with no_grad():
            total = float(weighted(module(image)))
        v.data = at
        return total

    slopes = [(loss(v, 1e-5) - loss(v, -1e-5)) / 2e-5 for v in inputs]
    assert found == pytest.approx(slopes, rel=1e-7, abs=1e-8)


def test_a_tie_shares_the_gradient_of_the_max():
    x = [Value(v) for v in (1.0, 3.0, 3.0, 2.0, 0.0, 0.0)]
    sum(MaxPool(3)([x]).flat).backward()
    assert [v.grad for v in x] == [0.0, 0.5, 0.5, 1.0, 0.0, 0.0]


def test_nothing_of_the_padding_is_the_largest():
    lowest = [Value(-math.inf), Value(-1e308)]
    out = MaxPool(2, stride=1, padding=1)([lowest])
    assert numbers(out).tolist() == [[-math.inf, -1e308, -1e308]]
    sum(out.flat).backward()
    assert [v.grad for v in lowest] == [1.0, 2.0]
    assert math.isnan(float(MaxPool(2)([[math.nan, 1.0]])[0, 0]))


def test_second_derivatives_are_those_of_the_definition():
    # out = (w0 x + w1 y)^2 at each of two places of (x, y, z): second derivatives in closed form
    conv = Conv1d(1, 1, 2, bias=False, activation=lambda z: z * z, init=lambda *_: [[[2.0, -3.0]]])
    x, y, z = 0.5, 1.5, -1.0
    hessian = autograd.hessian(lambda v: sum(conv([v]).flat))([x, y, z])
    # of (2x - 3y)^2 + (2y - 3z)^2
    assert numbers(hessian) == pytest.approx(
        np.array([[8.0, -12.0, 0.0], [-12.0, 26.0, -12.0], [0.0, -12.0, 18.0]])
    )

    sum(conv([[x, y, z]]).flat).backward(create_graph=True)
    first = conv.filters[0].w[0].grad  # 2 x (2x - 3y) + 2 y (2y - 3z)
    assert float(first) == pytest.approx(2 * x * (2 * x - 3 * y) + 2 * y * (2 * y - 3 * z))
    for w in conv.filters[0].w:
        w.grad = 0.0
    first.backward()
    assert [w.grad for w in conv.filters[0].w] == pytest.approx(
        [2 * x * x + 2 * y * y, 2 * x * y + 2 * y * z]
    )


@pytest.mark.parametrize("pool", [MaxPool(2, stride=1), MaxPool(3, 2, 1), AvgPool(2, 1, 1), AvgPool()])
def test_second_derivatives_through_pooling(pool):
    conv, x = convolution(Conv2d, (1, 2, 2), {"activation": "tanh", "padding": 1}, (3, 3))

    def f(t):
        return weighted(pool(conv(x[0][None] * t)))

    at, h = 0.7, 1e-4
    slope = grad(f)
    second = float(grad(slope)(at))
    assert second == pytest.approx((float(slope(at + h)) - float(slope(at - h))) / (2 * h), rel=1e-6)
    assert abs(second) > 1e-3


# PyTorch -----------------------------------------------------------------------------------------------------------


def theirs(torch, kind, sizes, settings, module):
    """The same convolution, with the same weights."""
    settings = {name: x for name, x in settings.items() if name != "activation"}
    make = torch.nn.Conv1d if kind is Conv1d else torch.nn.Conv2d
    layer = make(*sizes, **settings, dtype=torch.float64)
    with torch.no_grad():
        rows = [numbers(f.w).reshape(layer.weight.shape[1:]) for f in module.filters]
        layer.weight.copy_(torch.tensor(np.array(rows)))
        if layer.bias is not None:
            layer.bias.copy_(torch.tensor(numbers([f.b for f in module.filters])))
    return layer


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(("kind", "sizes", "settings", "sides"), CONVOLUTIONS)
def test_convolution_against_torch(kind, sizes, settings, sides):
    torch = pytest.importorskip("torch")
    module, x = convolution(kind, sizes, {**settings, "activation": "tanh"}, sides)
    layer = theirs(torch, kind, sizes, settings, module)
    image, tensor = values(x), torch.tensor(x, requires_grad=True)
    out, expected = module(image), torch.tanh(layer(tensor))
    assert numbers(out) == pytest.approx(expected.detach().numpy(), rel=1e-10, abs=1e-12)
    weighted(out).backward()
    (torch.cos(torch.arange(out.size, dtype=torch.float64)) * expected.flatten()).sum().backward()
    assert gradients(image) == pytest.approx(tensor.grad.numpy(), rel=1e-10, abs=1e-12)
    rows = [gradients(f.w).reshape(layer.weight.shape[1:]) for f in module.filters]
    assert np.array(rows) == pytest.approx(layer.weight.grad.numpy(), rel=1e-10, abs=1e-12)
    if layer.bias is not None:
        assert gradients([f.b for f in module.filters]) == pytest.approx(layer.bias.grad.numpy(), rel=1e-10)


@pytest.mark.parametrize(("kind", "settings", "shape"), POOLS)
def test_pooling_against_torch(kind, settings, shape):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(5).normal(size=shape)
    image, tensor = values(x), torch.tensor(x, requires_grad=True)
    axes = len(shape) - 1
    if settings:
        name = f"{'max' if kind is MaxPool else 'avg'}_pool{axes}d"
        expected = getattr(torch.nn.functional, name)(
            tensor, settings["size"], settings.get("stride"), settings.get("padding", 0)
        )
    else:
        name = f"adaptive_{'max' if kind is MaxPool else 'avg'}_pool{axes}d"
        expected = getattr(torch.nn.functional, name)(tensor, 1)
    out = kind(**settings)(image)
    assert numbers(out) == pytest.approx(expected.detach().numpy(), rel=1e-14)
    weighted(out).backward()
    (torch.cos(torch.arange(out.size, dtype=torch.float64)) * expected.flatten()).sum().backward()
    assert gradients(image) == pytest.approx(tensor.grad.numpy(), rel=1e-10, abs=1e-12)


# Compiled ----------------------------------------------------------------------------------------------------------

MODELS = [
    *[lambda case=case: convolution(*case) for case in CONVOLUTIONS],
    *[
        lambda kind=kind, settings=settings, shape=shape: (
            nn.Sequential(
                convolution(Conv1d if len(shape) == 2 else Conv2d, (shape[0], 2, 1), {}, ())[0],
                kind(**settings),
            ),
            np.random.default_rng(6).normal(size=shape),
        )
        for kind, settings, shape in POOLS
    ],
]


@pytest.mark.parametrize("make", MODELS)
def test_compiled_is_eager(make):
    model, x = make()
    X = np.stack([x, 0.5 - x, np.cos(x)])

    def loss(image):
        return weighted(model(image))

    outputs = autograd.compile(lambda image: [*model(image).ravel()], batch=True)(X)
    assert np.asarray(outputs) == pytest.approx(
        np.array([numbers(model(image)).ravel() for image in X]), rel=1e-12, abs=1e-13
    )
    images = [values(image) for image in X]
    total = sum(loss(image) for image in images)
    total.backward()
    value, slopes = autograd.compile(loss, wrt=model, batch=True, reduction="sum").value_and_grad(X)
    assert value == pytest.approx(total.data, rel=1e-12, abs=1e-13)
    assert slopes == pytest.approx(gradients(model.parameters()), rel=1e-12, abs=1e-12)
    _, by_inputs = autograd.compile(loss, batch=True, reduction="sum").value_and_grad(X)
    assert by_inputs == pytest.approx(np.array([gradients(image) for image in images]), rel=1e-12, abs=1e-13)


def network():
    return nn.Sequential(
        Conv2d(1, 3, 3, padding=1, rng=0),
        "relu",
        MaxPool(2),
        Conv2d(3, 2, 2, activation="tanh", rng=1),
        Flatten(),
        nn.Layer(2 * 2 * 2, 3, activation="identity", rng=2),
    )


def test_a_step_of_training_is_the_eager_one():
    rng = np.random.default_rng(7)
    X, y = rng.normal(size=(3, 1, 6, 6)), np.array([0, 2, 1])
    eager, compiled = network(), network()
    step = nn.train_step(compiled, nn.cross_entropy, nn.SGD(compiled.parameters(), lr=0.1))
    optimizer = nn.SGD(eager.parameters(), lr=0.1)
    for _ in range(3):
        loss = nn.cross_entropy([eager(x) for x in X], y)
        eager.zero_grad()
        loss.backward()
        optimizer.step()
        assert step(X, y) == pytest.approx(loss.data, rel=1e-12)
    assert [p.data for p in compiled.parameters()] == pytest.approx(
        [p.data for p in eager.parameters()], rel=1e-12, abs=1e-14
    )


def test_compiled_derivative_of_a_derivative():
    conv, x = convolution(Conv2d, (1, 2, 2), {"padding": 1, "activation": "tanh"}, (2, 3))
    pool = MaxPool(2, padding=1)

    def f(t):
        return weighted(pool(conv(x * t)))

    found = autograd.compile(grad(grad(f)), batch=True)(np.array([0.3, 0.8]))
    assert found == pytest.approx([float(grad(grad(f))(t)) for t in (0.3, 0.8)], rel=1e-12)


# Pictures, copies, names -------------------------------------------------------------------------------------------


def test_each_module_is_a_cluster():
    model = nn.Sequential(Conv1d(1, 2, 2, rng=0), MaxPool(2), Flatten(), nn.Layer(2, 1, nonlin=False, rng=0))
    out = model([[Value(v) for v in (0.5, 1.0, -1.0)]])
    source = draw(out, level="layer", glyphs=False).source
    for title in ("Conv1d(1, 2, kernel=2)", "MaxPool(2)", "Layer(2, 1)"):
        assert title in source
    full = draw(out, glyphs=False).source
    assert full.count("subgraph") >= 6  # the model, its convolution, that one's filters, the pool, the layer
    assert full.count("filters.0") >= 1


def test_titles_and_pickles():
    titles = {
        Conv2d(1, 8, 3): "Conv2d(1, 8, kernel=3)",
        Conv2d(2, 4, (2, 3), stride=2, groups=2): "Conv2d(2, 4, kernel=(2, 3), stride=2, groups=2)",
        Conv2d(
            1, 1, 2, padding="same", dilation=(1, 2)
        ): "Conv2d(1, 1, kernel=2, padding='same', dilation=(1, 2))",
        Conv1d(1, 8, 3, padding=1): "Conv1d(1, 8, kernel=3, padding=1)",
        MaxPool(2): "MaxPool(2)",
        MaxPool((2, 3), stride=1, padding=1): "MaxPool((2, 3), stride=1, padding=1)",
        AvgPool(): "AvgPool()",
        Flatten(): "Flatten",
    }
    assert {module._title() for module in titles} == {*titles.values()}
    assert all(module._title() == title for module, title in titles.items())
    assert repr(Conv1d(1, 2, 3)) == "Conv1d of [LinearNeuron(3), LinearNeuron(3)]"
    model = network()
    x = np.random.default_rng(0).normal(size=(1, 6, 6))
    copy = pickle.loads(pickle.dumps(model))
    assert numbers(copy(x)).tolist() == numbers(model(x)).tolist()


# What does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Conv2d(0, 8, 3), ValueError, "Conv2d needs channels_in to be at least 1. Received: channels_in=0"),
        (lambda: Conv2d(1, 2.5, 3), TypeError, "Conv2d needs an int as channels_out. Received: 2.5 (float)"),
        (lambda: Conv2d(1, 8, 0), ValueError, "Conv2d(1, 8) needs kernel to be at least 1. Received: kernel=0"),
        (lambda: Conv2d(1, 8, (3, 0)), ValueError, "kernel to be at least 1. Received: kernel=(3, 0)"),
        (lambda: Conv2d(1, 8, (3, 3, 3)), ValueError, "kernel for 2 axes. Received: kernel=(3, 3, 3)"),
        (lambda: Conv1d(1, 8, (3, 3)), ValueError, "Conv1d(1, 8) needs kernel for 1 axis. Received: kernel=(3, 3)"),
        (lambda: Conv2d(1, 8, 3.0), TypeError, "an int or a pair as kernel. Received: kernel=3.0"),
        (lambda: Conv1d(1, 8, True), TypeError, "Conv1d(1, 8) needs an int as kernel. Received: kernel=True"),
        (lambda: Conv2d(1, 8, ()), ValueError, "kernel for 2 axes. Received: kernel=()"),
        (lambda: Conv2d(1, 8, 3, stride=0), ValueError, "stride to be at least 1. Received: stride=0"),
        (lambda: Conv2d(1, 8, 3, padding=-1), ValueError, "padding to be at least 0. Received: padding=-1"),
        (lambda: Conv2d(1, 8, 3, dilation=0), ValueError, "dilation to be at least 1. Received: dilation=0"),
        (lambda: Conv2d(1, 8, 3, padding="valid"), TypeError, "as padding. Received: padding='valid'"),
        (lambda: Conv2d(1, 8, 3, 2, "same"), ValueError, "needs stride 1 for padding='same'. Received: stride=2"),
        (lambda: Conv2d(3, 8, 3, groups=2), ValueError, "Conv2d(3, 8) needs channels that groups divides."),
        (lambda: Conv2d(4, 6, 3, groups=4), ValueError, "channels that groups divides. Received: groups=4"),
        (lambda: Conv2d(4, 4, 3, groups=0), ValueError, "groups to be at least 1. Received: groups=0"),
        (lambda: Conv2d(1, 8, 3, activation="softmax"), ValueError, "an activation of one number. Received: softmax"),
        (lambda: Conv2d(1, 8, 3, init=lambda *_: np.ones((8, 9))), ValueError, "shape (8, 1, 3, 3). Received: (8, 9)"),
        (lambda: MaxPool(0), ValueError, "MaxPool(0) needs size to be at least 1. Received: size=0"),
        (lambda: MaxPool(2, padding=2), ValueError, "MaxPool(2) needs padding of at most half its size. Received: pad"),
        (lambda: AvgPool((4, 2), padding=2), ValueError, "padding of at most half its size. Received: padding=2"),
        (lambda: AvgPool(stride=2), ValueError, "AvgPool needs a size to have stride and padding. Received: stride=2"),
        (lambda: AvgPool("2"), TypeError, "needs an int or a pair as size. Received: size='2'"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("module", "x", "error", "message"),
    [
        (Conv2d(1, 8, 3), np.zeros((1, 2, 5)), ValueError, "Conv2d(1, 8, kernel=3) needs an input of at least 3,"),
        (Conv2d(1, 8, (1, 3), dilation=2), np.zeros((1, 5, 4)), ValueError, "at least (1, 5), padding included."),
        (Conv1d(1, 8, 5, padding=1), np.zeros((1, 2)), ValueError, "at least 5, padding included. Received: 4"),
        (Conv2d(2, 8, 3), np.zeros((1, 5, 5)), ValueError, "shape (2, any, any). Received: shape (1, 5, 5)"),
        (Conv2d(1, 8, 3), np.zeros((5, 5)), ValueError, "shape (1, any, any). Received: shape (5, 5)"),
        (Conv1d(1, 8, 3), np.zeros((1, 5, 5)), ValueError, "shape (1, any). Received: shape (1, 5, 5)"),
        (Conv1d(2, 8, 3), [[1.0, 2.0], [1.0]], ValueError, "Conv1d(2, 8, kernel=3) needs"),
        (Conv1d(1, 8, 1), [["a", "b"]], TypeError, "Received: str among them"),
        (Conv1d(1, 8, 1), 3.0, ValueError, "shape (1, any). Received: shape ()"),
        (MaxPool(2), np.zeros(4), ValueError, "MaxPool(2) needs an array of shape (any, any). Received: shape (4,)"),
        (MaxPool(2), np.zeros((1, 1, 4, 4)), ValueError, "shape (any, any, any). Received: shape (1, 1, 4, 4)"),
        (MaxPool((2, 2)), np.zeros((1, 4)), ValueError, "shape (any, any, any). Received: shape (1, 4)"),
        (MaxPool(3), [[1.0, 2.0]], ValueError, "MaxPool(3) needs an input of at least 3, padding"),
        (AvgPool(), np.zeros((1, 0)), ValueError, "AvgPool() needs an array of shape (any, any)."),
        (Flatten(), [[1.0, 2.0], [1.0]], ValueError, "Flatten needs lists of one length. Received: lists of different"),
        (Flatten(), [[[1.0, 2.0], [3.0]], [[1.0]]], ValueError, "Flatten needs lists of one length"),
        (Flatten(), "text", TypeError, "Received: str"),
    ],
)  # fmt: skip
def test_samples_that_do_not_fit(module, x, error, message):
    with pytest.raises(error) as caught:
        module(x)
    assert message in str(caught.value)
