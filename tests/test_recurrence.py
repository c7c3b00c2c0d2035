"""Recurrence and embedding: against NumPy with complex steps, against PyTorch, recorded, and differentiated twice."""

import copy
import itertools
import pickle
import random
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Value, check_gradient, no_grad
from nn.embedding import Embedding
from nn.recurrence import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

NETWORKS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
CELLS = {"RNN": RNNCell, "LSTM": LSTMCell, "GRU": GRUCell}
GATES = {"RNN": 1, "LSTM": 4, "GRU": 4}  # Layers of a cell
SHAPES = [(1, False), (2, False), (1, True), (2, True)]  # layers, and whether both directions
EVERY = pytest.mark.parametrize(
    ("kind", "layers", "both"), [(kind, *shape) for kind in NETWORKS for shape in SHAPES]
)
KINDS = pytest.mark.parametrize("kind", NETWORKS)
NIN, N, STEPS = 2, 3, 4


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def values(tree):
    return [values(part) for part in tree] if np.ndim(tree) else Value(tree)


def plain(tree):
    return np.frompyfunc(float, 1, 1)(np.array(tree, dtype=object)).astype(float)


def grads(tree):
    return np.frompyfunc(lambda v: float(v.grad), 1, 1)(np.array(tree, dtype=object)).astype(float)


def with_random_parameters(model, seed=0):
    """Biases are among them, which otherwise begin at 0."""
    for p, x in zip(model.parameters(), 0.7 * normal(model.count_parameters(), seed=seed), strict=True):
        p.data = x
    return model


def network(kind, layers=1, both=False, **more):
    return with_random_parameters(NETWORKS[kind](NIN, N, layers, both, **more))


def random_state(kind, cells, seed=1):
    """As PyTorch has it: of an LSTM h and c, each with a row for each cell."""
    return normal(*[2] * (kind == "LSTM"), cells, N, seed=seed)


def number_of(outputs, state):
    """All that a network returns, weighed to one number."""
    flat = [*np.ravel(np.array(outputs, dtype=object)), *np.ravel(np.array(state, dtype=object))]
    return sum(a * v for a, v in zip(np.cos(np.arange(len(flat))), flat, strict=True))


# In NumPy ---------------------------------------------------------------------------------------------------------


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def layer_of(p, nin):
    """The next Layer among the parameters, neuron after neuron: w and b."""
    rows = np.array([next(p) for _ in range(N * (nin + 1))]).reshape(N, nin + 1)
    return lambda x: rows[:, :-1] @ x + rows[:, -1]


def step_of(kind, p, nin):
    """One step, (x, state) to state, of a cell whose parameters come next."""
    if kind == "RNN":
        layer = layer_of(p, nin + N)
        return lambda x, h: np.tanh(layer(np.concatenate([x, h])))
    if kind == "LSTM":
        inward, forget, output, candidate = [layer_of(p, nin + N) for _ in range(4)]

        def step(x, state):
            seen = np.concatenate([x, state[0]])
            c = sigmoid(forget(seen)) * state[1] + sigmoid(inward(seen)) * np.tanh(candidate(seen))
            return np.array([sigmoid(output(seen)) * np.tanh(c), c])

        return step
    reset, update, new, old = layer_of(p, nin + N), layer_of(p, nin + N), layer_of(p, nin), layer_of(p, N)

    def gru(x, h):
        seen = np.concatenate([x, h])
        z = sigmoid(update(seen))
        return (1.0 - z) * np.tanh(new(x) + sigmoid(reset(seen)) * old(h)) + z * h

    return gru


def reference(kind, layers, both, p, xs, states, length):
    """(outputs, last states): a straight transcription, in which a state of an LSTM is an array (h, c)."""
    p, total = iter(p), len(xs)
    xs, last = list(xs[:length]), []
    first = iter(np.moveaxis(states, 0, 1) if kind == "LSTM" else states)
    for _ in range(layers):
        shown = []
        steps = [step_of(kind, p, len(xs[0])) for _ in range(1 + both)]
        for step, order in zip(steps, (range(length), range(length - 1, -1, -1)), strict=False):
            state, h = next(first), {}
            for t in order:
                state = step(xs[t], state)
                h[t] = state[0] if kind == "LSTM" else state
            shown.append(h)
            last.append(state)
        xs = [np.concatenate([h[t] for h in shown]) for t in range(length)]
    outputs = np.array([*xs, *[0.0 * xs[0]] * (total - length)])
    return outputs, np.moveaxis(np.array(last), 1, 0) if kind == "LSTM" else np.array(last)


@EVERY
@pytest.mark.parametrize("length", [STEPS, 2])
def test_outputs_states_and_all_gradients_are_those_of_numpy(kind, layers, both, length):
    """Gradients by complex steps: the reference is analytic, so Im f(x + ih) / h is f' to the last digits."""
    model = network(kind, layers, both)
    xs, states = normal(STEPS, NIN), random_state(kind, layers * (1 + both))
    x, s = values(xs), values(states)
    outputs, last = model(x, s, length=length)
    p = plain(model.parameters())
    wanted, wanted_last = reference(kind, layers, both, p, xs, states, length)
    np.testing.assert_allclose(plain(outputs), wanted, rtol=0, atol=1e-13)
    np.testing.assert_allclose(plain(last), wanted_last, rtol=0, atol=1e-13)
    number_of(outputs, last).backward()
    point = np.concatenate([p, xs.ravel(), states.ravel()]).astype(complex)
    got = np.concatenate([grads(model.parameters()), grads(x).ravel(), grads(s).ravel()])
    k, m = len(p), len(p) + xs.size
    for i in random.Random(0).sample(range(len(point)), min(80, len(point))):
        moved = point.copy()
        moved[i] += 1e-30j
        at = moved[:k], moved[k:m].reshape(xs.shape), moved[m:].reshape(states.shape)
        slope = number_of(*reference(kind, layers, both, *at, length)).imag / 1e-30
        assert got[i] == pytest.approx(slope, rel=1e-11, abs=1e-13)


@KINDS
def test_a_cell_is_a_step_of_the_network(kind):
    model, x = network(kind), [0.3, -0.5]
    state = random_state(kind, 1)
    outputs, last = model([x], state)
    given = tuple(state[:, 0]) if kind == "LSTM" else state[0]
    found = model.cells[0](x, given)
    assert plain(found).tolist() == plain(last).squeeze(-2).tolist()
    assert plain(outputs[0]).tolist() == plain(found[0] if kind == "LSTM" else found).tolist()
    zeros = np.zeros(np.shape(given))
    assert plain(model.cells[0](x)).tolist() == plain(model.cells[0](x, tuple(zeros))).tolist()


@pytest.mark.parametrize(("kind", "layers"), [*itertools.product(NETWORKS, (1, 2))])
def test_a_sequence_may_be_read_in_pieces(kind, layers):
    model, xs = network(kind, layers), normal(5, NIN)
    outputs, last = model(xs)
    first, state = model(xs[:2])
    second, state = model(xs[2:], state)
    assert plain([*first, *second]).tolist() == plain(outputs).tolist()
    assert plain(state).tolist() == plain(last).tolist()


@EVERY
def test_what_is_beyond_the_length_does_not_matter(kind, layers, both):
    model, xs = network(kind, layers, both), normal(5, NIN)
    short, last = model(xs[:3])
    outputs, same = model([*xs[:3].tolist(), [np.nan] * NIN, [np.inf] * NIN], length=3)
    assert plain(outputs[:3]).tolist() == plain(short).tolist()
    assert plain(outputs[3:]).tolist() == np.zeros((2, N * (1 + both))).tolist()
    assert plain(same).tolist() == plain(last).tolist()
    assert plain(model(xs, length=Value(3.0))[0][:3]).tolist() == plain(short).tolist()
    state = random_state(kind, layers * (1 + both))
    outputs, same = model(xs, state, length=0)
    assert plain(same).tolist() == state.tolist()
    assert not plain(outputs).any()


def test_an_untrained_network_by_hand():
    """All weights 0: gates are 1/2, candidates 0."""
    lstm, gru = LSTM(1, 1, init="zeros"), GRU(1, 1, init="zeros")
    outputs, (h, c) = lstm([[1.0], [1.0]], ([[0.0]], [[4.0]]))
    assert plain(outputs).ravel().tolist() == [0.5 * np.tanh(2.0), 0.5 * np.tanh(1.0)]
    assert [float(h[0][0]), float(c[0][0])] == [0.5 * np.tanh(1.0), 1.0]
    assert plain(gru([[1.0], [1.0]], [[4.0]])[0]).ravel().tolist() == [2.0, 1.0]
    biased = LSTM(1, 2, layers=2, forget_bias=1.0, init="zeros")
    for cell in biased.cells:
        assert [neuron.b.data for neuron in cell.forget.neurons] == [1.0, 1.0]
    assert sum(abs(p.data) for p in biased.parameters()) == 4.0


def test_other_activations():
    cell = with_random_parameters(RNNCell(2, 3, "relu"))
    w, b = plain([n.w for n in cell.layer.neurons]), plain([n.b for n in cell.layer.neurons])
    expected = np.maximum(w @ [0.3, -0.5, 1.0, 2.0, 3.0] + b, 0.0)
    assert plain(cell([0.3, -0.5], [1.0, 2.0, 3.0])) == pytest.approx(expected, rel=1e-14)
    model = RNN(2, 3, layers=2, activation="relu", rng=0)
    assert all(n.activation.name == "relu" for cell in model.cells for n in cell.layer.neurons)
    shares = RNNCell(2, 3, "softmax", rng=0)([1.0, 2.0])
    assert float(sum(shares)) == pytest.approx(1.0)


# Parameters -------------------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("bias", [True, False])
def test_parameters(kind, layers, both, bias):
    model = NETWORKS[kind](NIN, N, layers, both, bias=bias, rng=0)
    ways = 1 + both
    gates = 3 if kind == "GRU" else GATES[kind]  # a GRU's candidate has two Layers, but one [x, h] in all
    weights = ways * gates * N * sum(nin + N for nin in [NIN, *[ways * N] * (layers - 1)])
    biases = ways * layers * GATES[kind] * N
    assert model.count_parameters() == weights + biases * bias
    found = np.array([p.data for p in model.parameters() if ".b" not in p.label])
    assert len(found) == weights
    assert 0.8 * N**-0.5 < abs(found).max() <= N**-0.5
    assert all(p.data == 0.0 for p in model.parameters() if ".b" in p.label)
    assert len({p.label for p in model.parameters()}) == model.count_parameters()
    again = NETWORKS[kind](NIN, N, layers, both, bias=bias, rng=random.Random(0))
    assert plain(again.parameters()).tolist() == plain(model.parameters()).tolist()
    model([[1.0, 2.0]])


def test_names():
    assert [label for label, _ in LSTM(1, 1).named_parameters()] == [
        f"cells.0.{gate}.neurons.0.{p}"
        for gate in ("input", "forget", "output", "candidate")
        for p in ("w[0]", "w[1]", "b")
    ]
    assert repr(LSTMCell(2, 3)).startswith("LSTMCell of [Layer of [SigmoidNeuron(5)")
    assert LSTM(2, 3, label="reader").parameters()[0].label == "reader.cells.0.input.neurons.0.w[0]"
    assert GRU(2, 3, 2, True)._title() == "GRU(2, 3, layers=2, bidirectional=True)"
    assert RNN(2, 3)._title() == "RNN(2, 3)"
    assert RNNCell(2, 3)._title() == "RNNCell(2, 3)"


@KINDS
def test_initialisers_copies_and_pickles(kind):
    ones = NETWORKS[kind](NIN, N, init="ones")
    assert {p.data for p in ones.parameters() if ".b" not in p.label} == {1.0}
    model, xs = network(kind, 2, True), normal(STEPS, NIN)
    expected = plain(model(xs)[0]).tolist()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert plain(other(xs)[0]).tolist() == expected
        assert not {*other.parameters()} & {*model.parameters()}
    with no_grad():
        outputs, _ = model(xs)
    assert not outputs[0][0].requires_grad
    model.freeze()
    assert not model(xs)[0][0][0].requires_grad


@KINDS
def test_dropout_is_between_the_layers_and_in_training(kind):
    model, xs = network(kind, 2, dropout=1.0, rng=0), normal(STEPS, NIN)
    upper = NETWORKS[kind](N, N)
    upper.cells = [model.cells[1]]
    nothing = plain(upper(np.zeros((STEPS, N)))[0])
    assert plain(model(xs)[0]) == pytest.approx(nothing, rel=1e-15)
    sure = network(kind, 2)
    of_first = lambda state: plain(state[0][0] if kind == "LSTM" else state[0]).tolist()
    assert of_first(model(xs)[1]) == of_first(sure(xs)[1])  # nothing is dropped before the first layer
    assert plain(model.eval()(xs)[0]).tolist() == plain(sure(xs)[0]).tolist()
    program = autograd.compile(lambda xs: model(xs)[0], batch=True)
    np.testing.assert_allclose(program(xs[None])[0], plain(sure(xs)[0]), rtol=1e-12)
    model.train()
    np.testing.assert_allclose(program(xs[None])[0], nothing, rtol=1e-12)
    half = network(kind, 2, dropout=0.5, rng=0)
    assert plain(half(xs)[0]).tolist() != plain(half(xs)[0]).tolist()


# Against PyTorch --------------------------------------------------------------------------------------------------

ORDER = {"RNN": ["layer"], "LSTM": ["input", "forget", "candidate", "output"], "GRU": ["reset", "update"]}


def apart(kind, cell, parts, reduce):
    """Each Layer of a cell, its matrix and its biases, of PyTorch's four parts; `reduce` makes one of two biases."""
    gates = [[*part.reshape(-1, N, *part.shape[1:])] for part in parts]
    for name, w, u, b, c in zip(ORDER[kind], *gates, strict=False):
        yield getattr(cell, name), np.concatenate([w, u], axis=1), reduce(b, c)
    if kind == "GRU":
        w, u, b, c = (part[2] for part in gates)
        yield from ((cell.candidate, w, b), (cell.memory, u, c))


def theirs_of(module, suffix):
    return [getattr(module, f"{what}{suffix}") for what in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def take_over(kind, cell, module, suffix):
    parts = [p.detach().numpy() for p in theirs_of(module, suffix)]
    for layer, matrix, biases in apart(kind, cell, parts, lambda b, c: b + c):
        for neuron, row, b in zip(layer.neurons, matrix, biases, strict=True):
            neuron.b.data = float(b)
            for w, x in zip(neuron.w, row, strict=True):
                w.data = float(x)


def compare_gradients(kind, cell, module, suffix):
    parts = [p.grad.numpy() for p in theirs_of(module, suffix)]
    for layer, matrix, biases in apart(
        kind, cell, parts, lambda b, c: b
    ):  # both biases have the sum's gradient
        close(grads([neuron.w for neuron in layer.neurons]), matrix)
        close(grads([neuron.b for neuron in layer.neurons]), biases)


def close(ours, theirs):
    np.testing.assert_allclose(ours, getattr(theirs, "detach", lambda: theirs)(), rtol=1e-10, atol=1e-10)


def suffixes(layers, both):
    return [f"_l{k}{way}" for k in range(layers) for way in ("", "_reverse")[: 1 + both]]


def leaf(torch, array):
    return torch.tensor(array, requires_grad=True)


@EVERY
def test_a_network_is_that_of_torch(kind, layers, both):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(NIN, N, layers, bidirectional=both).double()
    ours = NETWORKS[kind](NIN, N, layers, both)
    for cell, suffix in zip(ours.cells, suffixes(layers, both), strict=True):
        take_over(kind, cell, theirs, suffix)
    xs, states = normal(STEPS, NIN), random_state(kind, layers * (1 + both))
    x, s, tx, ts = values(xs), values(states), leaf(torch, xs), leaf(torch, states)
    outputs, last = ours(x, s)
    toutputs, tlast = theirs(tx, tuple(ts) if kind == "LSTM" else ts)
    tlast = torch.stack(tlast) if kind == "LSTM" else tlast
    close(plain(outputs), toutputs)
    close(plain(last), tlast)
    number_of(outputs, last).backward()
    flat = torch.cat([toutputs.ravel(), tlast.ravel()])
    (torch.tensor(np.cos(np.arange(len(flat)))) * flat).sum().backward()
    close(grads(x), tx.grad)
    close(grads(s), ts.grad)
    for cell, suffix in zip(ours.cells, suffixes(layers, both), strict=True):
        compare_gradients(kind, cell, theirs, suffix)


@KINDS
def test_a_cell_is_that_of_torch(kind):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs, ours = getattr(torch.nn, f"{kind}Cell")(NIN, N).double(), CELLS[kind](NIN, N)
    take_over(kind, ours, theirs, "")
    given, state = normal(NIN), random_state(kind, 1).squeeze(-2)
    x, s, tx, ts = values(given), values(state), leaf(torch, given), leaf(torch, state)
    new, tnew = ours(x, s), theirs(tx, tuple(ts) if kind == "LSTM" else ts)
    tnew = torch.stack(tnew) if kind == "LSTM" else tnew
    close(plain(new), tnew)
    number_of(new, []).backward()
    (torch.tensor(np.cos(np.arange(tnew.numel()))) * tnew.ravel()).sum().backward()
    close(grads(x), tx.grad)
    close(grads(s), ts.grad)
    compare_gradients(kind, ours, theirs, "")


@EVERY
def test_lengths_are_those_of_torch(kind, layers, both):
    """Three sequences, padded and packed there, with a length each here; the gradients of all add up."""
    torch = pytest.importorskip("torch")
    rnn = torch.nn.utils.rnn
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(NIN, N, layers, bidirectional=both, batch_first=True).double()
    ours = NETWORKS[kind](NIN, N, layers, both)
    for cell, suffix in zip(ours.cells, suffixes(layers, both), strict=True):
        take_over(kind, cell, theirs, suffix)
    X, lengths = normal(3, STEPS, NIN), [2, STEPS, 1]
    tX = leaf(torch, X)
    packed, last = theirs(rnn.pack_padded_sequence(tX, lengths, batch_first=True, enforce_sorted=False))
    padded, _ = rnn.pad_packed_sequence(packed, batch_first=True)
    last = torch.stack(last) if kind == "LSTM" else last
    total = torch.zeros(())
    for i, n in enumerate(lengths):
        x = values(X[i])
        outputs, state = ours(x, length=n)
        close(plain(outputs), padded[i])
        close(plain(state), last[..., i, :])
        number_of(outputs, state).backward()
        flat = torch.cat([padded[i].ravel(), last[..., i, :].ravel()])
        total = total + (torch.tensor(np.cos(np.arange(len(flat)))) * flat).sum()
        X[i] = grads(x)
    total.backward()
    close(X, tX.grad)
    for cell, suffix in zip(ours.cells, suffixes(layers, both), strict=True):
        compare_gradients(kind, cell, theirs, suffix)


# Compiled, differentiated twice, drawn ----------------------------------------------------------------------------


@EVERY
def test_compiled_is_eager(kind, layers, both):
    """With a length for each sample of the batch, and nan where it ends."""
    model, X, lengths = network(kind, layers, both), normal(4, STEPS, NIN), np.array([2, STEPS, 1, 0])
    for x, n in zip(X, lengths, strict=True):
        x[n:] = np.nan
    outputs, last = autograd.compile(lambda xs, n: model(xs, length=n), batch=True)(X, lengths)
    last = np.stack(last, axis=1) if kind == "LSTM" else last
    program = autograd.compile(lambda xs, n: number_of(*model(xs, length=n)), wrt=model, batch=True)
    value, gradient = program.value_and_grad(X, lengths)
    model.zero_grad()
    total = Value(0.0)
    for i, n in enumerate(lengths):
        wanted, wanted_last = model(X[i], length=int(n))
        np.testing.assert_allclose(outputs[i], plain(wanted), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(last[i], plain(wanted_last), rtol=1e-12, atol=1e-15)
        total = total + number_of(wanted, wanted_last) / len(lengths)
    total.backward()
    assert value == pytest.approx(float(total), rel=1e-12)
    np.testing.assert_allclose(gradient, grads(model.parameters()), rtol=1e-12, atol=1e-15)
    for wrong in (-1, STEPS + 1):
        with pytest.raises(IndexError, match="from 0 to 4"):
            program.value_and_grad(X, np.full(4, wrong))


@KINDS
def test_compiled_with_states_as_inputs_and_a_length_that_is_known(kind):
    model, X, S = network(kind, 2, True), normal(3, STEPS, NIN), random_state(kind, 12)
    S = np.moveaxis(S.reshape(*S.shape[:-2], 3, 4, N), -3, 0)
    program = autograd.compile(lambda xs, s: number_of(*model(xs, s, length=2)), batch=True)
    _, (dX, dS) = program.value_and_grad(X, S)
    for i in range(3):
        x, s = values(X[i]), values(S[i])
        number_of(*model(x, s, length=2)).backward()
        np.testing.assert_allclose(3.0 * dX[i], grads(x), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(3.0 * dS[i], grads(s), rtol=1e-12, atol=1e-15)


@KINDS
def test_a_compiled_step_of_training_with_lengths(kind):
    model, other = (network(kind, 1, True) for _ in range(2))
    loss = lambda model, xs, n, y: nn.mse([h for state in model(xs, length=n)[0] for h in state], y)
    X, lengths, Y = normal(3, STEPS, NIN), np.array([1, 4, 2]), normal(3, STEPS * 2 * N, seed=3)
    optimizer = nn.SGD(other.parameters(), lr=0.1)
    step = nn.train_step(model, loss, nn.SGD(model.parameters(), lr=0.1))
    for _ in range(3):
        optimizer.zero_grad()
        eager = autograd.mean([loss(other, X[i], int(lengths[i]), Y[i]) for i in range(3)])
        eager.backward()
        optimizer.step()
        assert step(X, lengths, Y) == pytest.approx(float(eager), rel=1e-12)
    np.testing.assert_allclose(plain(model.parameters()), plain(other.parameters()), rtol=1e-12)


@KINDS
def test_second_derivatives(kind):
    model = with_random_parameters(NETWORKS[kind](1, 2, bidirectional=True))
    check_gradient(lambda xs: number_of(*model([[x] for x in xs])), [0.3, -0.8, 0.5])
    xs = values([[0.3], [-0.8]])
    w = model.parameters()[0]
    number_of(*model(xs)).backward(create_graph=True)
    slope, start = w.grad, w.data
    w.grad = 0.0
    slope.backward()
    second, ends = float(w.grad), []
    for h in (1e-5, -1e-5):
        w.data = start + h
        w.grad = 0.0
        number_of(*model(xs)).backward()
        ends.append(float(w.grad))
    assert second == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


@KINDS
def test_second_derivatives_compiled(kind):
    model, xs = network(kind), normal(STEPS, NIN)
    f = lambda xs: number_of(*model(xs))
    product = lambda xs, t: autograd.hvp(f, (xs,), (t,))
    t = normal(STEPS, NIN, seed=5)
    np.testing.assert_allclose(
        autograd.compile(product)(xs, t), plain(product(values(xs), t)), rtol=1e-12, atol=1e-14
    )


@EVERY
def test_drawings(kind, layers, both):
    outputs, _ = network(kind, layers, both)(normal(2, NIN), length=1)
    loss = sum(v * v for v in outputs[0])
    assert autograd.draw(loss, level="scalar", max_nodes=5000).source.count("tanh") >= N
    picture = autograd.draw(loss, level="layer").source
    name = {"RNN": "layer", "LSTM": "forget", "GRU": "update"}[kind]
    for i in range(layers * (1 + both)):
        assert f"cells.{i}.{name}" in picture
    assert f"{kind}({NIN}, {N}" in autograd.draw(loss, level="model").source


# What must be refused ---------------------------------------------------------------------------------------------

TEXT: Any = "3"
HALF: Any = 2.5
REFUSED = [
    (lambda: RNN(0, 3), ValueError, r"RNN needs nin to be at least 1. Received: nin=0"),
    (lambda: RNN(HALF, 3), TypeError, r"RNN needs an int as nin. Received: 2.5 \(float\)"),
    (lambda: LSTM(2, 0), ValueError, r"LSTM needs nhidden to be at least 1. Received: nhidden=0"),
    (lambda: GRU(2, 3, 0), ValueError, r"GRU needs layers to be at least 1. Received: layers=0"),
    (lambda: LSTMCell(2, -1), ValueError, r"LSTMCell needs nhidden to be at least 1. Received: nhidden=-1"),
    (lambda: RNNCell(2, TEXT), TypeError, r"RNNCell needs an int as nhidden. Received: '3' \(str\)"),
    (lambda: RNN(2, 3, activation="tanhh"), ValueError, "no activation 'tanhh'"),
    (lambda: RNN(2, 3, dropout=0.5), ValueError, r"RNN\(2, 3\) needs 2 layers .* Received: dropout=0.5"),
    (lambda: RNN(2, 3, 2, dropout=1.5), ValueError, r"RNN needs dropout from 0 to 1. Received: dropout=1.5"),
    (lambda: LSTM(2, 3, rng="0"), TypeError, "rng is None, an int"),
    (lambda: LSTM(2, 3, forget_bias=1.0, bias=False), ValueError, r"Received: forget_bias=1, bias=False"),
    (lambda: LSTM(2, 3, forget_bias=TEXT), TypeError, "LSTMCell needs a number as forget_bias. Received: .*str"),
    (lambda: RNN(2, 3)([]), ValueError, r"RNN\(2, 3\) needs a sequence of at least one vector"),
    (lambda: RNN(2, 3)(1.0), TypeError, r"RNN\(2, 3\) needs a list of vectors. Received: float"),
    (lambda: LSTM(2, 3)([[1.0, 2.0], [1.0]]), ValueError, r"LSTM\(2, 3\) needs 2 inputs. Received: 1"),
    (lambda: GRU(2, 3)([["a", "b"]]), TypeError, r"GRU\(2, 3\) needs 2 numbers or Values"),
    (lambda: RNN(2, 3)([[1, 2]], [1, 2, 3]), ValueError, r"one for each cell, 1 in all. Received: 3"),
    (lambda: RNN(2, 3)([[1, 2]], 1.0), TypeError, r"a list of states, one for each cell. Received: float"),
    (lambda: RNN(2, 3)([[1, 2]], [[1, 2]]), ValueError, "cells.0: RNNCell.* needs a state of 3 numbers. Received: 2"),
    (lambda: LSTM(2, 3)([[1, 2]], [[1, 2, 3]]), ValueError, r"LSTM.* needs a state \(h, c\). Received: 1 parts"),
    (lambda: LSTM(2, 3)([[1, 2]], ([[1, 2, 3]], [])), ValueError, r"one for each cell, 1 in all. Received: 0"),
    (lambda: LSTMCell(2, 3)([1, 2], [1, 2, 3]), ValueError, r"needs a state \(h, c\). Received: 3 parts"),
    (lambda: LSTMCell(2, 3)([1, 2], 5.0), ValueError, r"needs a state \(h, c\). Received: float"),
    (lambda: LSTMCell(2, 3)([1, 2], ([1, 2, 3], [1])), ValueError, r"needs a state of 3 numbers. Received: 1"),
    (lambda: GRUCell(2, 3)([1, 2], "abc"), TypeError, r"needs a state of 3 numbers or Values. Received: str"),
    (lambda: GRUCell(2, 3)([1, 2, 3]), ValueError, r"GRUCell\(2, 3\) needs 2 inputs. Received: 3"),
    (lambda: RNN(2, 3)([[1, 2]], length=2), ValueError, r"RNN\(2, 3\) needs a length from 0 to 1, .* Received: 2"),
    (lambda: RNN(2, 3)([[1, 2]], length=-1), ValueError, r"needs a length from 0 to 1, .* Received: -1"),
    (lambda: RNN(2, 3)([[1, 2]], length=1.5), TypeError, r"needs an int as length. Received: 1.5 \(float\)"),
    (lambda: RNN(2, 3)([[1, 2]], length=True), TypeError, r"needs an int as length. Received: True \(bool\)"),
    (lambda: Embedding(0, 3), ValueError, r"Embedding needs count to be at least 1. Received: count=0"),
    (lambda: Embedding(3, 0), ValueError, r"Embedding needs width to be at least 1. Received: width=0"),
    (lambda: Embedding(3, 2, padding=3), IndexError, r"Embedding\(3, 2\) needs tokens from 0 to 2. Received: 3"),
    (lambda: Embedding(3, 2)(3), IndexError, r"Embedding\(3, 2\) needs tokens from 0 to 2. Received: 3"),
    (lambda: Embedding(3, 2)(-1), IndexError, r"Embedding\(3, 2\) needs tokens from 0 to 2. Received: -1"),
    (lambda: Embedding(3, 2)([0, 7]), IndexError, r"Embedding\(3, 2\) needs tokens from 0 to 2. Received: 7"),
    (lambda: Embedding(3, 2)(1.0), TypeError, r"needs tokens that are ints. Received: 1.0 \(float\)"),
    (lambda: Embedding(3, 2)(Value(0.5)), TypeError, r"needs tokens that are ints. Received: Value\(data=0.5\)"),
    (lambda: Embedding(3, 2)(True), TypeError, r"needs tokens that are ints. Received: True \(bool\)"),
    (lambda: Embedding(3, 2)("ab"), TypeError, r"needs tokens that are ints. Received: 'ab' \(str\)"),
    (lambda: Embedding(3, 2)(None), TypeError, r"needs tokens that are ints. Received: None"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_must_be_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# Embedding --------------------------------------------------------------------------------------------------------


def test_an_embedding_is_a_layer_that_reads_one_hot_vectors():
    embedding, layer = Embedding(4, 3, rng=0), nn.Layer(4, 3, activation="identity", bias=False)
    assert plain(embedding.rows).ravel().tolist() == [
        random.Random(0).gauss(0.0, 1.0),
        *plain(embedding.parameters()).tolist()[1:],
    ]
    for neuron, column in zip(layer.neurons, zip(*embedding.rows, strict=True), strict=True):
        neuron.w = [Value(v.data) for v in column]
    tokens, forms = [2, 0, 2], (int, np.int64, np.array, Value)
    for form in forms:
        assert (
            plain(embedding([form(k) for k in tokens])).tolist()
            == plain([layer(np.eye(4)[k]) for k in tokens]).tolist()
        )
    assert embedding(2) == embedding.rows[2]
    assert embedding(2) is not embedding.rows[2]
    assert plain(embedding(np.array(tokens))).tolist() == plain(embedding(tuple(tokens))).tolist()
    assert plain(embedding([[2], [0]])).shape == (2, 1, 3)
    number_of(embedding(tokens), []).backward()
    number_of([layer(np.eye(4)[k]) for k in tokens], []).backward()
    assert grads(embedding.rows).T.tolist() == grads([neuron.w for neuron in layer.neurons]).tolist()
    assert [p.label for p in embedding.parameters()][:4] == [
        "rows[0][0]",
        "rows[0][1]",
        "rows[0][2]",
        "rows[1][0]",
    ]
    assert plain(pickle.loads(pickle.dumps(embedding)).rows).tolist() == plain(embedding.rows).tolist()


@pytest.mark.parametrize("padding", [None, 0, 2])
def test_an_embedding_is_that_of_torch(padding):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs, ours = torch.nn.Embedding(4, 3, padding_idx=padding).double(), Embedding(4, 3, padding=padding)
    for row, numbers in zip(ours.rows, theirs.weight.tolist(), strict=True):
        for v, x in zip(row, numbers, strict=True):
            v.data = x
    tokens = [2, 0, 2, 1]
    out, tout = ours(tokens), theirs(torch.tensor(tokens))
    close(plain(out), tout)
    number_of(out, []).backward()
    (torch.tensor(np.cos(np.arange(tout.numel()))) * tout.ravel()).sum().backward()
    close(grads(ours.rows), theirs.weight.grad)


@pytest.mark.parametrize("padding", [None, 2])
def test_an_embedding_compiled(padding):
    embedding, head = Embedding(5, 3, padding=padding, rng=0), nn.Layer(3, 2, activation="tanh", rng=1)
    loss = lambda tokens, y: nn.cross_entropy(
        [sum(v) for v in zip(*map(head, embedding(tokens)), strict=True)], y
    )
    X, Y = np.array([[0, 2, 1], [4, 4, 2], [3, 0, 0]]), np.array([0, 1, 1])
    program = autograd.compile(loss, wrt=embedding, batch=True)
    value, gradient = program.value_and_grad(X, Y)
    eager = sum(loss(x.tolist(), int(y)) for x, y in zip(X, Y, strict=True)) / 3.0
    eager.backward()
    assert value == pytest.approx(float(eager), rel=1e-12)
    np.testing.assert_allclose(gradient, grads(embedding.parameters()), rtol=1e-12, atol=1e-16)
    assert np.any(gradient[6:9]) == (padding is None)
    with pytest.raises(IndexError, match="from 0 to 4"):
        program.value_and_grad(X + 1, Y)
    with pytest.raises(TypeError, match="needs integers"):
        program.value_and_grad(X + 0.5, Y)


def test_a_padding_row_stays_zero():
    """Eager and compiled, by an optimiser that was made when all was unfrozen, and that shrinks weights."""
    embedding = Embedding(4, 3, padding=1, rng=0)
    assert embedding.count_parameters() == 12
    assert embedding.count_parameters(trainable=True) == 9
    assert plain(embedding.rows)[[0, 2, 3]].tolist() == plain(Embedding(4, 3, rng=0).rows)[[0, 2, 3]].tolist()
    loss = lambda tokens, y: nn.mse([v for row in embedding(tokens) for v in row], y)
    X, Y = np.array([[1, 2], [0, 1]]), normal(2, 6)
    optimizer = nn.Adam(embedding.unfreeze().parameters(), lr=0.1)
    step = nn.train_step(embedding, lambda model, x, y: loss(x, y), optimizer)
    for _ in range(3):
        step(X, Y)
        embedding.unfreeze()
        optimizer.zero_grad()
        loss([1, 3], Y[0]).backward()
        optimizer.step()
        embedding.unfreeze()
    assert plain(embedding.rows[1]).tolist() == [0.0] * 3
    assert plain(embedding.rows[0]).tolist() != plain(Embedding(4, 3, rng=0).rows[0]).tolist()


def test_words_are_classified_by_an_embedding_and_a_recurrence():
    """Whether a word has more 1s than 2s, 0 being the padding: embedding, LSTM and head learn it, with lengths."""

    class Reader(nn.Module):
        def __init__(self):
            self.embedding, self.lstm = Embedding(3, 3, padding=0, rng=0), LSTM(3, 6, rng=1)
            self.head = nn.Layer(6, 2, activation="identity", rng=2)

        def __call__(self, tokens, length):
            _, (h, _) = self.lstm(self.embedding(tokens), length=length)
            return self.head(h[-1])

    rng = np.random.default_rng(0)
    lengths = rng.choice([1, 3, 5], 64)
    X = rng.integers(1, 3, (64, 5)) * (np.arange(5) < lengths[:, None])
    Y = ((X == 1).sum(1) > (X == 2).sum(1)).astype(int)
    model = Reader()
    step = nn.train_step(
        model, lambda model, x, n, y: nn.cross_entropy(model(x, n), y), nn.Adam(model.parameters(), lr=0.05)
    )
    losses = [step(X, lengths, Y) for _ in range(80)]
    assert losses[0] > 0.5 > 0.05 > losses[-1]
    for x, n, y in zip(X[:10].tolist(), lengths.tolist(), Y, strict=False):
        assert np.argmax(plain(model(x, n))) == y
