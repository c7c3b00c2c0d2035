"""Neuron, Layer, MLP as micrograd has them, and what they can do beyond; the units of 1943 and 1958; Standardize."""

# mypy: disable-error-code="arg-type, union-attr"

import itertools
import math
import pickle
import random

import numpy as np
import pytest

import nn
from autograd import Value, no_grad

# micrograd's defaults ---------------------------------------------------------------------------------------------


def moons_of_the_demo():
    """scikit-learn's make_moons(100, noise=0.1) after np.random.seed(1337), as micrograd's demo calls it."""
    t = np.linspace(0.0, np.pi, 50)
    X = np.vstack([np.c_[np.cos(t), np.sin(t)], np.c_[1 - np.cos(t), 1 - np.sin(t) - 0.5]])
    y = np.repeat([0, 1], 50)
    order = np.arange(100)
    np.random.shuffle(order)
    return X[order] + np.random.normal(scale=0.1, size=X.shape), y[order] * 2 - 1


def test_micrograds_demo():
    np.random.seed(1337)
    random.seed(1337)
    X, y = moons_of_the_demo()
    model = nn.MLP(2, [16, 16, 1])
    assert len(model.parameters()) == 337
    scores = [model([Value(v) for v in x]) for x in X]
    losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores, strict=True)]
    loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
    assert loss.data == 0.8958441028683222
    with_ours = nn.hinge([model(x) for x in X], y) + 1e-4 * sum(p * p for p in model.parameters())
    assert with_ours.data == pytest.approx(loss.data, rel=1e-14)


@pytest.mark.parametrize("sizes", [(3, [4, 1]), (2, [5, 4, 3]), (1, [1]), (4, [2])])
def test_against_micrograd(sizes):
    micrograd = pytest.importorskip("micrograd.nn")
    random.seed(7)
    theirs = micrograd.MLP(*sizes)
    random.seed(7)
    ours = nn.MLP(*sizes)
    assert repr(ours) == repr(theirs)
    assert [p.data for p in ours.parameters()] == [p.data for p in theirs.parameters()]
    x = [random.gauss(0, 1) for _ in range(sizes[0])]
    outs = [ours(x), theirs(x)]
    if sizes[1][-1] == 1:
        outs = [[out] for out in outs]
    assert [v.data for v in outs[0]] == [v.data for v in outs[1]]  # to the last bit
    for out in outs:
        sum(v * v for v in out).backward()
    found, expected = ([p.grad for p in model.parameters()] for model in (ours, theirs))
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert any(found)


def test_reprs():
    assert repr(nn.Neuron(2)) == "ReLUNeuron(2)"
    assert repr(nn.Neuron(2, nonlin=False)) == "LinearNeuron(2)"
    assert repr(nn.Layer(1, 2)) == "Layer of [ReLUNeuron(1), ReLUNeuron(1)]"
    assert repr(nn.MLP(2, [1, 1])) == "MLP of [Layer of [ReLUNeuron(2)], Layer of [LinearNeuron(1)]]"
    assert repr(nn.Neuron(2, activation="sigmoid", bias=False)) == "SigmoidNeuron(2, bias=False)"
    assert repr(nn.Perceptron(2)) == "StepPerceptron(2)"


# Neuron -----------------------------------------------------------------------------------------------------------


def worked_neuron():
    neuron = nn.Neuron(3, activation="sigmoid")
    for w, start in zip(neuron.w, [0.4, -0.6, 0.9], strict=True):
        w.data = start
    neuron.b.data = 0.1
    return neuron


def test_the_worked_neuron():
    neuron, x = worked_neuron(), [Value(0.5), Value(0.8), Value(0.2)]
    out = neuron(x)
    assert out.data == pytest.approx(0.5)
    assert neuron.z.data == pytest.approx(0.0, abs=1e-15)
    out.backward()
    assert [w.grad for w in neuron.w] == pytest.approx([0.125, 0.2, 0.05])
    assert neuron.b.grad == pytest.approx(0.25)
    assert [v.grad for v in x] == pytest.approx([0.1, -0.15, 0.225])
    assert neuron.z.grad == pytest.approx(0.25)  # z is the node in that graph


def test_explain_shows_every_product_and_records_nothing():
    neuron = worked_neuron()
    out = neuron([1.0, 0.0, 0.0])
    text = neuron.explain(np.array([0.5, 0.8, 0.2]))
    for part in (
        "0.4 * 0.5 =  0.2",
        "-0.6 * 0.8 = -0.48",
        "0.9 * 0.2 =  0.18",
        "z = 0.1 + 0.2 - 0.48 + 0.18 = 0 (8.3e-17 in",
    ):
        assert part in text
    assert text.splitlines()[-1].strip() == "out = sigmoid(z) = 0.5"
    assert out.data == 1.0 / (1.0 + math.exp(-0.5))
    assert neuron.z.data == 0.5
    assert "z = 2 = 2" in nn.Neuron(1, bias=False, init=2.0).explain([1.0])
    assert len(nn.Neuron(784).explain([0.0] * 784).splitlines()) == 788
    with pytest.raises(ValueError, match=r"Neuron\(3\) needs 3 inputs. Received: 1."):
        neuron.explain([1.0])


def test_z_exists_after_a_call():
    neuron = nn.Neuron(2)
    with pytest.raises(AttributeError, match=r"Neuron\(2\) has a z once it has been called"):
        neuron.z  # noqa: B018
    neuron([1.0, 2.0])
    assert neuron.z.requires_grad
    with no_grad():
        neuron([1.0, 2.0])
    assert not neuron.z.requires_grad
    assert neuron.parameters() == [*neuron.w, neuron.b]


@pytest.mark.parametrize(
    "x",
    [
        [1.0, 2.0], (1, 2), [True, 2], iter([1.0, 2.0]), (v for v in (1, 2)), range(1, 3), np.array([1.0, 2.0]),
        np.array([[1, 2]])[0], np.array([1, 2], dtype=np.float32), [np.float64(1), np.int64(2)], [np.array(1.0), 2],
        [Value(1.0), Value(2.0)], [Value(1.0), 2], np.array([Value(1), Value(2)]), [Value(1.0).detach(), Value(2.0)],
    ],
    ids=lambda x: type(x).__name__,
)  # fmt: skip
def test_inputs_of_every_kind(x):
    neuron = nn.Neuron(2, nonlin=False, init=3.0)
    x = list(x) if not hasattr(x, "__len__") else x
    for inputs in (x, (v for v in x)):
        out = neuron(inputs)
        assert out.data == 9.0
        assert out.operands[0] in (neuron.w[0], neuron.w)
        assert len(out.operands) == 5
        neuron.zero_grad()
        out.backward()
        assert [p.grad for p in neuron.parameters()] == [1.0, 2.0, 1.0]
    for v in x:
        if isinstance(v, Value) and v.requires_grad:
            assert v.grad == 6.0  # from both calls


def test_a_single_number_is_the_input_of_a_neuron_with_one():
    neuron = nn.Neuron(1, nonlin=False, init="ones")
    for x in (2.0, 2, np.float64(2.0), Value(2.0), np.array(2.0)):
        assert neuron(x).data == 2.0
    assert len(nn.MLP(2, [1, 3])([1.0, 2.0])) == 3  # the bare output of a layer of one


def test_weights_may_be_replaced_and_changed_in_place():
    neuron = nn.Neuron(2, nonlin=False, init="ones")
    assert neuron([1.0, 1.0]).data == 2.0
    neuron.w[0] = Value(5.0)
    assert neuron([1.0, 1.0]).data == 6.0
    neuron.w[0].data = 7.0
    assert neuron([1.0, 1.0]).data == 8.0
    neuron.w.append(Value(1.0))
    assert neuron([1.0, 1.0, 1.0]).data == 9.0
    neuron.w = (Value(1.0), 2.0)
    out = neuron([1.0, 10.0])
    out.backward()
    assert (out.data, neuron.w[0].grad) == (21.0, 1.0)
    neuron.w = np.array([Value(1.0), Value(3.0)])
    assert neuron([1.0, 1.0]).data == 4.0
    neuron.b = 1
    assert neuron([1.0, 1.0]).data == 5.0


def test_one_weight_at_two_inputs_gathers_both_gradients():
    neuron = nn.Neuron(2, nonlin=False)
    neuron.w[1] = neuron.w[0]
    out = neuron([2.0, 3.0])
    out.backward()
    assert neuron.w[0].grad == 5.0
    assert len(neuron.parameters()) == 2


def test_gradients_of_a_batch_add_up():
    neuron = nn.Neuron(2, nonlin=False)
    sum(neuron([float(i), 1.0]) for i in range(5)).backward()
    assert [p.grad for p in neuron.parameters()] == [10.0, 5.0, 5.0]
    neuron([100.0, 1.0]).backward()
    assert [p.grad for p in neuron.parameters()] == [110.0, 6.0, 6.0]


def test_without_a_bias():
    neuron = nn.Neuron(2, bias=False, init=1.0)
    assert neuron.b is None
    assert neuron([1.0, 2.0]).data == 3.0
    assert len(neuron.parameters()) == 2
    assert len(nn.MLP(2, [3, 1], bias=False).parameters()) == 9


def test_an_activation_of_ones_own():
    def cubed(z):
        return z * z * z

    neuron = nn.Neuron(1, activation=cubed, init=2.0)
    assert neuron([1.0]).data == 8.0
    assert "cubed(z) = 8" in neuron.explain([1.0])
    assert nn.Layer(1, 2, activation=cubed, init=2.0)([1.0])[1].data == 8.0


@pytest.mark.parametrize("name", nn.activations.ACTIVATIONS)
def test_every_activation_by_name_in_a_layer(name):
    row, x = nn.activations.get(name), [1.3, -2.2, 1.5]
    layer = nn.Layer(3, 4, activation=name, rng=2)
    out = layer(x)
    outs = out if isinstance(out, list) else [out]
    if name != "gumbel_softmax":  # it is random
        z = [neuron.z.data for neuron in layer.neurons]
        expected = row.function(z) if row.vector else [row.function(v) for v in z]
        assert np.allclose([v.data for v in outs], expected, rtol=1e-12)
    for scale in (1.0, 0.1):  # some are flat far out, some near 0
        again = layer([scale * v for v in x])
        sum(v * (i + 1.0) for i, v in enumerate(again if isinstance(again, list) else [again])).backward()
    assert any(p.grad for p in layer.parameters()) == (name not in ("step", "sign"))
    assert repr(pickle.loads(pickle.dumps(layer))) == repr(layer)
    if not row.vector:
        assert f"out = {row.name}(z)" in layer.neurons[0].explain(x)
        assert nn.Layer(3, 4, activation=row.function, rng=2)(x)[1].data == outs[1].data


def test_the_slope_of_prelu_is_learned():
    neuron = nn.Neuron(1, activation="prelu", init="ones")
    assert [p.label for p in neuron.parameters()] == ["w[0]", "b", "slope"]
    out = neuron([-2.0])
    out.backward()
    assert (out.data, neuron.slope.grad, neuron.w[0].grad) == (-0.5, -2.0, -0.5)
    neuron.slope.data = 0.5
    assert neuron([-2.0]).data == -1.0
    assert "out = prelu(z) = -1" in neuron.explain([-2.0])


def test_an_activation_with_parameters_of_its_own():
    class Gain(nn.Module):
        def __init__(self):
            self.gain = Value(2.0)

        def __call__(self, z):
            return self.gain * z

    layer = nn.Layer(1, 2, activation=Gain(), init="ones")
    out = layer([3.0])
    assert [v.data for v in out] == [6.0, 6.0]
    assert [p.label for p in layer.parameters()][:3] == [
        "neurons.0.activation.gain",
        "neurons.0.w[0]",
        "neurons.0.b",
    ]
    assert len(layer.parameters()) == 5  # the gain is shared
    (out[0] + out[1]).backward()
    assert layer.parameters()[0].grad == 6.0


# Layer and MLP ----------------------------------------------------------------------------------------------------


def test_a_single_output_comes_bare():
    assert isinstance(nn.Layer(2, 1)([1.0, 2.0]), Value)
    assert isinstance(nn.Layer(2, 2)([1.0, 2.0]), list)
    assert isinstance(nn.MLP(2, [1])([1.0, 2.0]), Value)


def test_activations_inside_and_at_the_end():
    def names(net):
        return [(layer.activation or layer.neurons[0].activation).name for layer in net.layers]

    assert names(nn.MLP(2, [3, 3, 1])) == ["relu", "relu", "identity"]
    assert names(nn.MLP(2, [3, 3, 1], activation="tanh")) == ["tanh", "tanh", "identity"]
    assert names(nn.MLP(2, [3, 1], output_activation="sigmoid")) == ["relu", "sigmoid"]
    assert names(nn.MLP(2, [3, 3], activation="tanh", output_activation="softmax")) == ["tanh", "softmax"]


def test_softmax_of_a_layer():
    layer = nn.Layer(2, 3, activation="softmax", rng=0)
    out = layer([1.0, -1.0])
    z = np.array([neuron.z.data for neuron in layer.neurons])
    assert [v.data for v in out] == pytest.approx(np.exp(z) / np.exp(z).sum())
    (-out[1].log()).backward()
    slopes = np.exp(z) / np.exp(z).sum() - [0.0, 1.0, 0.0]
    assert [neuron.b.grad for neuron in layer.neurons] == pytest.approx(slopes)
    with pytest.raises(ValueError, match="softmax needs all outputs of a Layer"):
        nn.Neuron(2, activation="softmax")


def spread(module):
    return np.array([p.data for p in module.parameters()]).std()


def test_the_default_initialiser_suits_the_activation():
    from nn import init

    for name in ("relu", "tanh", "sigmoid", "softmax"):
        layer = nn.Layer(30, 20, activation=name, bias=False, rng=1)
        expected = init.get(nn.activations.get(name).init)((20, 30), 1)
        assert np.array_equal([[w.data for w in neuron.w] for neuron in layer.neurons], expected)
    net = nn.MLP(30, [20, 10], activation="tanh", rng=0)
    assert max(abs(w.data) for neuron in net.layers[1].neurons for w in neuron.w) < 0.9  # not U(-1, 1)
    assert all(neuron.b.data == 0.0 for layer in net.layers for neuron in layer.neurons)


def test_an_initialiser_of_ones_own_and_one_for_the_whole_matrix():
    w = np.array([[w.data for w in neuron.w] for neuron in nn.Layer(5, 3, init="orthogonal", rng=0).neurons])
    assert np.allclose(w @ w.T, np.eye(3))
    net = nn.MLP(2, [3], init=lambda shape, rng: np.arange(6).reshape(shape))
    assert [w.data for w in net.layers[0].neurons[2].w] == [4.0, 5.0]
    with pytest.raises(ValueError, match="init is one of zeros"):
        nn.MLP(2, [3], init="zero")


@pytest.mark.parametrize("make", [lambda: 3, lambda: random.Random(3), lambda: np.random.default_rng(3)])
def test_a_seed_decides_everything_and_leaves_the_global_generator_alone(make):
    state = random.getstate()
    first, again = ([p.data for p in nn.MLP(2, [3, 3, 1], rng=make()).parameters()] for _ in range(2))
    assert first == again
    assert random.getstate() == state
    assert len({p for p in first if p}) == 6 + 9 + 3  # no layer repeats another's draws


def test_summary():
    text = nn.MLP(784, [128, 10], activation="tanh", init="zeros").summary()
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["MLP(784,", "[128,", "10])"]
    assert lines[2] == ["layers.0", "784", "->", "128", "tanh", "100,352", "128", "100,480"]
    assert lines[3] == ["layers.1", "128", "->", "10", "identity", "1,280", "10", "1,290"]
    assert lines[4] == ["total", "101,632", "138", "101,770"]
    assert lines[5] == ["depth:", "1", "hidden", "layer"]
    assert len({len(line) for line in text.splitlines()[1:2] + text.splitlines()[2:5]}) == 1
    assert nn.MLP(3, [1]).summary().endswith("depth: 0 hidden layers")
    assert nn.MLP(2, [2, 2, 1], bias=False).summary().splitlines()[-2].split() == ["total", "10", "0", "10"]


def test_standardize_may_be_the_first_layer():
    net = nn.MLP(2, [1], init="ones")
    net.layers.insert(0, nn.Standardize([1.0, 2.0], [1.0, 0.5]))
    assert net([2.0, 3.0]).data == 3.0
    assert "Standardize(2)" in net.summary()
    assert net.summary().endswith("0 hidden layers")


# Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Neuron(3)([1.0, 2.0]), ValueError, "Neuron(3) needs 3 inputs. Received: 2."),
        (lambda: nn.Neuron(1)([]), ValueError, "Neuron(1) needs 1 input. Received: 0."),
        (lambda: nn.Neuron(3)(1.0), ValueError, "Neuron(3) needs 3 inputs. Received: 1."),
        (lambda: nn.Layer(3, 2)([1.0] * 4), ValueError, "Layer(3, 2) needs 3 inputs. Received: 4."),
        (lambda: nn.MLP(3, [2, 1])([1.0] * 4), ValueError, "layers.0: Layer(3, 2) needs 3 inputs. Received: 4."),
        (
            lambda: nn.MLP(3, [2, 1]).layers[0].neurons[1]([1.0]),
            ValueError,
            "layers.0.neurons.1: Neuron(3) needs 3 inputs. Received: 1.",
        ),
        (lambda: nn.Neuron(3)("abc"), TypeError, "Neuron(3) needs 3 numbers or Values. Received: str."),
        (lambda: nn.Neuron(3)(None), TypeError, "Neuron(3) needs 3 numbers or Values. Received: NoneType."),
        (lambda: nn.Neuron(1)({1.0: 2}), TypeError, "Received: dict."),
        (lambda: nn.Neuron(2)(["a", "b"]), TypeError, "needs 2 numbers or Values. Received: str among them."),
        (lambda: nn.Neuron(2)([1.0, None]), TypeError, "Received: NoneType among them."),
        (lambda: nn.Neuron(2)([Value(1.0), "b"]), TypeError, "Received: str among them."),
        (lambda: nn.Neuron(2)([1.0, 2j]), TypeError, "Received: complex among them."),
        (lambda: nn.Neuron(2)([[1.0, 2.0]]), TypeError, "Received: list among them."),
        (lambda: nn.Layer(2, 2)(np.zeros((4, 2))), ValueError, "one sample of 2 inputs at a time. Received: an array"),
        (lambda: nn.Layer(2, 2)([np.zeros(2)] * 2), TypeError, "Received: an array of shape (2,) among them."),
        (lambda: nn.Neuron(0), ValueError, "Neuron needs nin to be at least 1. Received: nin=0"),
        (lambda: nn.Neuron(-1), ValueError, "Neuron needs nin to be at least 1. Received: nin=-1"),
        (lambda: nn.Neuron(math.nan), TypeError, "Neuron needs an int as nin. Received: nan (float)"),
        (lambda: nn.Neuron(2.0), TypeError, "Received: 2.0 (float)"),
        (lambda: nn.Neuron("2"), TypeError, "Received: '2' (str)"),
        (lambda: nn.Neuron(True), TypeError, "Received: True (bool)"),
        (lambda: nn.Layer(2, 0), ValueError, "Layer needs nout to be at least 1. Received: nout=0"),
        (lambda: nn.Layer(None, 2), TypeError, "Layer needs an int as nin. Received: None (NoneType)"),
        (lambda: nn.MLP(2, []), ValueError, "MLP needs at least one layer. Received: nouts=[]"),
        (lambda: nn.MLP(2, 3), TypeError, "MLP needs a list of layer sizes. Received: 3 (int)"),
        (lambda: nn.MLP(2, "31"), TypeError, "MLP needs a list of layer sizes. Received: '31' (str)"),
        (lambda: nn.MLP(2, [3, -1]), ValueError, "MLP needs nouts[1] to be at least 1. Received: nouts[1]=-1"),
        (lambda: nn.Neuron(2, nonlin=False, activation="tanh"), ValueError, "nonlin=False asks for a linear neuron"),
        (lambda: nn.MLP(2, [1], rng="x"), TypeError, "rng is None, an int, a random.Random"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)


# McCulloch-Pitts and the perceptron -------------------------------------------------------------------------------

CORNERS = list(itertools.product((0, 1), repeat=2))


def test_mcculloch_pitts_truth_tables():
    and_, or_ = nn.McCullochPitts(2, threshold=2), nn.McCullochPitts(2, threshold=1)
    not_, majority = nn.McCullochPitts(0, 1, threshold=0), nn.McCullochPitts(3, threshold=2)
    assert [and_(x) for x in CORNERS] == [0, 0, 0, 1]
    assert [or_(x) for x in CORNERS] == [0, 1, 1, 1]
    assert [not_([x]) for x in (0, 1)] == [1, 0]
    for x in itertools.product((0, 1), repeat=3):
        assert majority(x) == (sum(x) >= 2)
    assert type(and_([1, 1])) is int


def test_one_inhibitory_input_vetoes_any_excitation():
    unit = nn.McCullochPitts(excitatory=3, inhibitory=2, threshold=1)
    for x in itertools.product((0, 1), repeat=5):
        assert unit(x) == (sum(x[:3]) >= 1 and not any(x[3:]))


def test_no_single_unit_is_exclusive_or_and_two_layers_are():
    for roles in itertools.product((0, 1), repeat=2):  # each input excites or inhibits
        order = sorted((0, 1), key=lambda i: roles[i])
        for threshold in range(-1, 4):
            unit = nn.McCullochPitts(roles.count(0), roles.count(1), threshold=threshold)
            assert [unit([x[i] for i in order]) for x in CORNERS] != [0, 1, 1, 0]
    only = nn.McCullochPitts(1, 1, threshold=1)  # the first, and not the second
    or_ = nn.McCullochPitts(2, threshold=1)
    assert [or_([only([a, b]), only([b, a])]) for a, b in CORNERS] == [0, 1, 1, 0]


def test_mcculloch_pitts_of_values_is_recorded():
    unit = nn.McCullochPitts(1, 1, threshold=1)
    out = unit([Value(1.0), Value(0.0)])
    assert isinstance(out, Value)
    assert out.data == 1.0
    assert out.scope.level == "neuron"
    assert unit([Value(1.0), Value(1.0)]).data == 0.0
    assert unit.parameters() == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.McCullochPitts(2, threshold=1)([1, 0.5]), ValueError, "inputs that are 0 or 1. Received: 0.5."),
        (lambda: nn.McCullochPitts(2, threshold=1)([math.nan, 1]), ValueError, "Received: nan."),
        (
            lambda: nn.McCullochPitts(2, threshold=1)([1]),
            ValueError,
            "McCullochPitts(excitatory=2, inhibitory=0, threshold=1) needs 2 inputs. Received: 1.",
        ),
        (lambda: nn.McCullochPitts(0, 0), ValueError, "the number of inputs to be at least 1"),
        (lambda: nn.McCullochPitts(-1, 2), ValueError, "excitatory to be at least 0. Received: excitatory=-1"),
        (lambda: nn.McCullochPitts(2, threshold=1.5), TypeError, "an int as threshold. Received: 1.5 (float)"),
    ],
)  # fmt: skip
def test_mcculloch_pitts_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "y", [(0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 1, 0), (-1, -1, -1, 1), (1, 1, 1, 1), (0, 0, 0, 0)]
)
def test_a_perceptron_learns_what_a_line_can_separate(y):
    perceptron = nn.Perceptron(2)
    report = perceptron.fit(CORNERS, y)
    assert report.converged
    assert report.mistakes[-1] == 0
    assert report.epochs == len(report.mistakes)
    assert [perceptron(x).data for x in CORNERS] == list(y)
    if y == (0, 0, 0, 1):  # a + b - 3/2 separates: margin 1/2 / |(1, 1, -3/2)|, longest |(1, 1, 1)|
        assert 0 < report.total <= 3.0 / (0.25 / 4.25)


def test_the_mistake_bound_holds_whatever_the_data():
    rng = np.random.default_rng(0)
    for _ in range(20):
        X, u = rng.normal(size=(40, 3)), rng.normal(size=4)
        scores = (np.c_[X, np.ones(40)] @ u) / np.linalg.norm(u)
        keep = abs(scores) > 0.05
        X, scores = X[keep], scores[keep]
        report = nn.Perceptron(3).fit(X, np.sign(scores), epochs=5000)
        bound = (np.linalg.norm(np.c_[X, np.ones(len(X))], axis=1).max() / abs(scores).min()) ** 2
        assert report.converged
        assert report.total <= bound


def test_exclusive_or_does_not_converge_and_the_report_says_so():
    perceptron = nn.Perceptron(2)
    report = perceptron.fit(CORNERS, [0, 1, 1, 0], epochs=50)
    assert not report.converged
    assert report.epochs == 50
    assert all(report.mistakes)
    again = perceptron.fit(CORNERS, [0, 0, 0, 1])  # starts afresh
    assert again == nn.Perceptron(2).fit(CORNERS, [0, 0, 0, 1])


def test_rosenblatts_rule_by_hand():
    perceptron = nn.Perceptron(2)
    assert perceptron.fit([[2.0, 1.0]], [0], epochs=1).mistakes == [1]  # 0 >= 0 says 1: w -= x, b -= 1
    assert [p.data for p in perceptron.parameters()] == [-2.0, -1.0, -1.0]
    assert perceptron([0.0, 0.0]).data == 0.0


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (CORNERS, [0, 1, 2, 1], ValueError, "labels that are 0 or 1, or -1 or 1. Received: 0, 1, 2."),
        (CORNERS, [-1, 0, 1, 1], ValueError, "Received: -1, 0, 1."),
        (CORNERS, [0, 1, 1], ValueError, "Received: 4 samples, 3 labels."),
        ([], [], ValueError, "one sample at least. Received: 0 samples, 0 labels."),
        ([[1.0]], [1], ValueError, "Perceptron(2) needs 2 inputs. Received: 1."),
        ([[1.0, math.inf]], [1], ValueError, "finite numbers"),
        (CORNERS, "0001", TypeError, "Received: str."),
    ],
)
def test_perceptron_errors(X, y, error, message):
    with pytest.raises(error) as caught:
        nn.Perceptron(2).fit(X, y)
    assert message in str(caught.value)


# Standardize ------------------------------------------------------------------------------------------------------


def test_standardize_makes_mean_0_and_deviation_1():
    X = np.random.default_rng(0).normal([5.0, -3.0, 100.0], [2.0, 0.1, 30.0], size=(50, 3))
    scale = nn.Standardize.fit(X)
    Z = scale(X)
    assert Z.shape == X.shape
    assert np.allclose(Z.mean(0), 0.0)
    assert np.allclose(Z.std(0), 1.0)
    assert scale(X[0]).tolist() == scale(list(X[0])) == scale(tuple(X[0])) == list(Z[0])
    other = nn.Standardize.fit(X.tolist())
    assert (other.mean, other.std) == (scale.mean, scale.std)
    assert scale.parameters() == []


def test_standardize_of_values_is_recorded():
    scale = nn.Standardize([1.0, 2.0], [2.0, 4.0])
    x = [Value(3.0), Value(4.0)]
    out = scale(x)
    (out[0] + out[1]).backward()
    assert [v.data for v in out] == [1.0, 0.5]
    assert [v.grad for v in x] == [0.5, 0.25]
    assert out[0].scope.name == "Standardize"
    assert [v.data for v in scale(np.array(x))] == [1.0, 0.5]


def test_a_constant_feature_becomes_0():
    X = np.full((7, 2), 0.1)
    X[:, 1] = range(7)
    assert X[:, 0].std() > 0.0  # rounding alone
    scale = nn.Standardize.fit(X)
    assert scale.std[0] == 1.0
    assert abs(scale(X)[:, 0]).max() < 1e-15
    assert nn.Standardize([1.0], [0.0])([3.0]) == [2.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Standardize([1.0], [1.0])([1.0, 2.0]), ValueError, "1 input. Received: 2."),
        (lambda: nn.Standardize([1.0], [1.0])(np.zeros((3, 2))), ValueError, "1 input. Received: 2."),
        (lambda: nn.Standardize([1.0], [1.0, 2.0]), ValueError, "Received: 1 means, 2 deviations."),
        (lambda: nn.Standardize([], []), ValueError, "Received: 0 means, 0 deviations."),
        (lambda: nn.Standardize([1.0], [-1.0]), ValueError, "not below 0. Received: mean=[1.0], std=[-1.0]."),
        (lambda: nn.Standardize([math.nan], [1.0]), ValueError, "finite means"),
        (lambda: nn.Standardize.fit([]), ValueError, "Received: 0 rows, of shape ()."),
        (lambda: nn.Standardize.fit([[1.0, math.nan]]), ValueError, "Received: nan or inf among them."),
        (lambda: nn.Standardize.fit([[1.0, 2.0], [3.0]]), ValueError, "Received: 2 rows, of shape (1,), (2,)."),
        (lambda: nn.Standardize.fit([1.0, 2.0]), ValueError, "Received: 2 rows, of shape ()."),
        (lambda: nn.Standardize([1.0], [1.0])("a"), TypeError, "Received: str."),
    ],
)  # fmt: skip
def test_standardize_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)


def test_an_unknown_activation_is_an_error_also_without_hidden_layers():
    with pytest.raises(ValueError, match="rellu"):
        nn.MLP(2, [3], activation="rellu")
