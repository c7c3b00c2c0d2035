"""Weights to and from PyTorch: after a copy both compute the same; what does not fit is refused, with both sides."""

# mypy: disable-error-code="name-defined, misc"

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Value
from nn import torch_weights
from nn.attention import MultiHeadAttention
from nn.convolution import Conv1d, Conv2d, Flatten, MaxPool
from nn.embedding import Embedding
from nn.positions import LearnedPositions, SinusoidalPositions
from nn.recurrence import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from nn.saving import state_arrays
from nn.torch_weights import from_torch, to_torch
from nn.transformer import TransformerBlock


def numbers(model):
    return [v.data for v in values(model)]


def values(model):
    return [*dict.fromkeys(v for _, v in (*model.named_parameters(), *model.named_buffers()))]


def floats(x):
    if hasattr(x, "cpu"):
        return x.detach().numpy()
    return np.array([floats(part) for part in x]) if isinstance(x, (list, tuple, np.ndarray)) else float(x)


# Without PyTorch: state dicts of arrays -----------------------------------------------------------------------------


def test_an_mlp_from_arrays():
    """W x + b, layer by layer, as NumPy computes it."""
    rng, model = np.random.default_rng(0), nn.MLP(2, [3, 1], activation="tanh")
    state = {
        "0.weight": rng.normal(size=(3, 2)),
        "0.bias": rng.normal(size=3),
        "2.weight": rng.normal(size=(1, 3)),
        "2.bias": rng.normal(size=1),
    }
    from_torch(model, state)
    x = rng.normal(size=2)
    hidden = np.tanh(state["0.weight"] @ x + state["0.bias"])
    assert model(x).data == pytest.approx((state["2.weight"] @ hidden + state["2.bias"]).item(), rel=1e-14)


def test_a_cell_from_arrays():
    """Both biases are added; the gates stand in PyTorch's order, input, forget, candidate, output."""
    rng, cell = np.random.default_rng(0), LSTMCell(3, 2)
    state = {
        "weight_ih": rng.normal(size=(8, 3)),
        "weight_hh": rng.normal(size=(8, 2)),
        "bias_ih": rng.normal(size=8),
        "bias_hh": rng.normal(size=8),
    }
    from_torch(cell, state)
    x, h, c = rng.normal(size=3), rng.normal(size=2), rng.normal(size=2)
    z = state["weight_ih"] @ x + state["bias_ih"] + state["weight_hh"] @ h + state["bias_hh"]
    i, f, g, o = np.split(z, 4)
    sigmoid = lambda v: 1.0 / (1.0 + np.exp(-v))
    new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    ours = cell(x, (h.tolist(), c.tolist()))
    assert floats(ours) == pytest.approx(np.array([sigmoid(o) * np.tanh(new), new]), rel=1e-12)


def test_frozen_parameters_are_set_and_stay_frozen():
    model = nn.Neuron(1)
    model.freeze()
    from_torch(model, {"weight": np.array([[2.0]]), "bias": np.array([3.0])})
    assert numbers(model) == [2.0, 3.0]
    assert not model.w[0].requires_grad


def test_a_compiled_model_takes_up_what_is_set():
    model = nn.MLP(1, [1])
    step = nn.train_step(model, nn.mse, nn.SGD(model.parameters(), lr=0.0))
    step(np.ones((1, 1)), np.ones(1))
    from_torch(model, {"weight": np.array([[2.0]]), "bias": np.array([3.0])})
    assert step(np.ones((1, 1)), np.ones(1)) == 16.0


def linear(n, m, name="0."):
    return {f"{name}weight": np.zeros((m, n)), f"{name}bias": np.zeros(m)}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "transposed": (
        {"0.weight": np.zeros((2, 3)), "0.bias": np.zeros(3), **linear(3, 1, "1.")},
        r"after 0 tensors that agree, ours: layers\.0\.weight \(3, 2\) of Linear, .*; theirs: 0\.weight \(2, 3\), ",
    ),
    "another size": (
        linear(2, 3) | linear(4, 1, "1."),
        r"after 2 tensors .* theirs: 1\.weight \(1, 4\), 1\.bias \(1,\)$",
    ),
    "too few": (linear(2, 3), r"after 2 tensors that agree, ours: layers\.1\.weight .*; theirs: none$"),
    "too many": (
        linear(2, 3) | linear(3, 1, "1.") | linear(1, 1, "2."),
        r"after 4 tensors that agree, ours: none; theirs: 2\.weight \(1, 1\), 2\.bias \(1,\)$",
    ),
    "no bias": (
        {"0.weight": np.zeros((3, 2)), **linear(3, 1, "1.")},
        r"after 1 .* ours: layers\.0\.bias \(3,\) .* theirs: 1\.weight",
    ),
    "sorted": (
        dict(sorted((linear(2, 3) | linear(3, 1, "1.")).items())),
        r"after 0 tensors .* theirs: 0\.bias \(3,\), 0\.weight",
    ),
    "another name": (
        {"0.in_proj_weight": np.zeros((3, 2)), "0.in_proj_bias": np.zeros(3), **linear(3, 1, "1.")},
        r"after 0 tensors .* theirs: 0\.in_proj_weight",
    ),
    "of two modules": (
        {"0.weight": np.zeros((3, 2)), "1.bias": np.zeros(3), **linear(3, 1, "2.")},
        r"after 1 tensors .* theirs: 1\.bias",
    ),
    "nothing": ({}, r"theirs: none$"),
    "many": (
        {f"{i}.x": np.zeros(1) for i in range(12)},
        r"theirs: 0\.x \(1,\), .*, 9\.x \(1,\) and 2 more$",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_state_that_does_not_fit(name):
    state, message = WRONG[name]
    model = nn.MLP(2, [3, 1])
    before = numbers(model)
    with pytest.raises(ValueError, match=r"from_torch needs the same layers on both sides, .*" + message):
        from_torch(model, state)
    assert numbers(model) == before


def test_what_is_no_state():
    with pytest.raises(TypeError, match=r"a torch\.nn\.Module or its state dict\. Received: list"):
        from_torch(nn.Neuron(1), [1.0])
    with pytest.raises(TypeError, match=r"from_torch needs a Module\. Received: dict"):
        from_torch({}, nn.Neuron(1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"tensors of real numbers\. Received: weight of dtype <U1"):
        from_torch(nn.Neuron(1), {"weight": np.array([["a"]]), "bias": np.zeros(1)})


def test_what_pytorch_does_not_have():
    model = nn.Sequential(nn.Standardize([1.0, 2.0], [1.0, 1.0]), nn.Layer(2, 1))
    message = r"layers that PyTorch has too: .* Received: layers\.0\.shift\[0\] and 3 more, in none of them"
    with pytest.raises(ValueError, match=message):
        from_torch(model, linear(2, 1))
    from_torch(model[1:], linear(2, 1))
    assert numbers(model[1]) == [0.0] * 3


class Shared(nn.Module):
    """A table whose rows are the weights behind it."""

    def __init__(self):
        self.table = Embedding(3, 2)
        self.head = nn.Layer(2, 3, bias=False)
        for neuron, row in zip(self.head.neurons, self.table.rows, strict=True):
            neuron.w = row


def test_shared_weights():
    model, rows = Shared(), np.arange(6.0).reshape(3, 2)
    from_torch(model, {"table.weight": rows, "head.weight": rows})
    assert numbers(model) == [*range(6)]
    before, other = numbers(model), rows.copy()
    other[1, 1] = 7.0
    with pytest.raises(
        ValueError, match=r"shares between layers\. Received: 3\.0 and, in head\.weight, 7\.0"
    ):
        from_torch(model, {"table.weight": rows, "head.weight": other})
    assert numbers(model) == before


def test_without_pytorch(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(ImportError, match=r"to_torch needs PyTorch: `pip install torch`"):
        to_torch(nn.Neuron(1))


# With PyTorch -----------------------------------------------------------------------------------------------------


def of_sequence(t, theirs, x):
    """PyTorch's recurrent modules and attention take a batch of sequences first, ours one sequence."""
    return theirs(t.tensor(x))[0]


def of_attention(t, theirs, x):
    return theirs(*[t.tensor(x)] * 3)[0]


def plain(t, theirs, x):
    return theirs(t.tensor(x))


def one(t, theirs, x):
    return theirs(t.tensor(x)[None])[0]


def decoder(t, theirs, x):
    return theirs(t.tensor(x), t.tensor(x[::-1].copy()))


def recurrent(kind, name, **options):
    more = {"num_layers": options.get("layers", 1), "bidirectional": options.get("bidirectional", False)}
    return (
        lambda: kind(2, 3, **options),
        lambda t: getattr(t.nn, name)(2, 3, bias=options.get("bias", True), **more),
        (4, 2),
        lambda model, x: model(x)[0],
        of_sequence,
    )


def called(model, x):
    return model(x)


def layer_options(t):
    return {"dim_feedforward": 8, "dropout": 0.0, "norm_first": True}


# ours, theirs, the shape of an input, how each is called
CASES: dict[str, tuple[Any, ...]] = {
    "neuron": (lambda: nn.Neuron(3, nonlin=False), lambda t: t.nn.Linear(3, 1), (3,), called, plain),
    "layer": (lambda: nn.Layer(3, 2, nonlin=False), lambda t: t.nn.Linear(3, 2), (3,), called, plain),
    "no bias": (
        lambda: nn.Layer(3, 2, nonlin=False, bias=False),
        lambda t: t.nn.Linear(3, 2, bias=False),
        (3,),
        called,
        plain,
    ),
    "prelu": (
        lambda: nn.Layer(3, 2, activation="prelu"),
        lambda t: t.nn.Sequential(t.nn.Linear(3, 2), t.nn.PReLU(2)),
        (3,),
        called,
        one,
    ),
    "mlp": (
        lambda: nn.MLP(3, [4, 5, 2], activation="tanh"),
        lambda t: t.nn.Sequential(
            t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.Linear(4, 5), t.nn.Tanh(), t.nn.Linear(5, 2)
        ),
        (3,),
        called,
        plain,
    ),
    "conv1d": (
        lambda: Conv1d(2, 4, 3, stride=2, padding=1, groups=2),
        lambda t: t.nn.Conv1d(2, 4, 3, stride=2, padding=1, groups=2),
        (2, 7),
        called,
        plain,
    ),
    "conv2d": (
        lambda: Conv2d(2, 3, (2, 3), bias=False),
        lambda t: t.nn.Conv2d(2, 3, (2, 3), bias=False),
        (2, 4, 5),
        called,
        plain,
    ),
    "a network of convolutions": (
        lambda: nn.Sequential(
            Conv2d(1, 2, 3, activation="relu"), MaxPool(2), Flatten(), nn.Layer(8, 3, nonlin=False)
        ),
        lambda t: t.nn.Sequential(
            t.nn.Conv2d(1, 2, 3), t.nn.ReLU(), t.nn.MaxPool2d(2), t.nn.Flatten(), t.nn.Linear(8, 3)
        ),
        (1, 6, 6),
        called,
        one,
    ),
    "layer norm": (lambda: nn.LayerNorm(4), lambda t: t.nn.LayerNorm(4), (4,), called, plain),
    "layer norm without bias": (
        lambda: nn.LayerNorm(4, bias=False),
        lambda t: t.nn.LayerNorm(4, bias=False),
        (4,),
        called,
        plain,
    ),
    "rms norm": (lambda: nn.RMSNorm(4), lambda t: t.nn.RMSNorm(4, eps=1e-5), (4,), called, plain),
    "batch norm": (lambda: nn.BatchNorm(3).eval(), lambda t: t.nn.BatchNorm1d(3).eval(), (3,), called, one),
    "batch norm of images": (
        lambda: nn.BatchNorm(3).eval(),
        lambda t: t.nn.BatchNorm2d(3).eval(),
        (3, 2, 2),
        called,
        one,
    ),
    "bare batch norm": (
        lambda: nn.BatchNorm(3, gain=False, bias=False).eval(),
        lambda t: t.nn.BatchNorm1d(3, affine=False).eval(),
        (3,),
        called,
        one,
    ),
    "rnn cell": (lambda: RNNCell(2, 3), lambda t: t.nn.RNNCell(2, 3), (2,), called, plain),
    "lstm cell": (
        lambda: LSTMCell(2, 3),
        lambda t: t.nn.LSTMCell(2, 3),
        (2,),
        lambda m, x: m(x)[1],
        lambda *a: plain(*a)[1],
    ),
    "gru cell": (lambda: GRUCell(2, 3), lambda t: t.nn.GRUCell(2, 3), (2,), called, plain),
    "rnn": recurrent(RNN, "RNN"),
    "lstm": recurrent(LSTM, "LSTM"),
    "gru": recurrent(GRU, "GRU"),
    "lstm both ways": recurrent(LSTM, "LSTM", layers=2, bidirectional=True),
    "gru both ways": recurrent(GRU, "GRU", layers=2, bidirectional=True),
    "gru without bias": recurrent(GRU, "GRU", bias=False),
    "rnn without bias": recurrent(RNN, "RNN", bias=False, layers=2),
    "attention": (
        lambda: MultiHeadAttention(4, 2),
        lambda t: t.nn.MultiheadAttention(4, 2),
        (3, 4),
        called,
        of_attention,
    ),
    "attention without bias": (
        lambda: MultiHeadAttention(4, 2, bias=False),
        lambda t: t.nn.MultiheadAttention(4, 2, bias=False),
        (3, 4),
        called,
        of_attention,
    ),
    "attention to another width": (
        lambda: MultiHeadAttention(4, 2, kv_width=3),
        lambda t: t.nn.MultiheadAttention(4, 2, kdim=3, vdim=3),
        (5, 4),
        lambda m, x: m(x, x[:, :3]),
        lambda t, theirs, x: theirs(t.tensor(x), *[t.tensor(x[:, :3])] * 2)[0],
    ),
    "encoder layer": (
        lambda: TransformerBlock(4, 2, 8, activation="relu"),
        lambda t: t.nn.TransformerEncoderLayer(4, 2, **layer_options(t)),
        (3, 4),
        called,
        plain,
    ),
    "decoder layer": (
        lambda: TransformerBlock(4, 2, 8, activation="relu", cross=True),
        lambda t: t.nn.TransformerDecoderLayer(4, 2, **layer_options(t)),
        (3, 4),
        lambda m, x: m(x, x[::-1]),
        decoder,
    ),
}


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield torch
    torch.set_default_dtype(before)


def random_state(torch, theirs):
    """All its numbers at random, also those that begin at 0 or 1, and variances above 0."""
    with torch.no_grad():
        for key, x in theirs.state_dict().items():
            if x.is_floating_point():
                x.copy_(torch.rand_like(x) + 0.5 if key.endswith("var") else torch.randn_like(x))


def pair(torch, name):
    ours, theirs, shape, our_call, their_call = CASES[name]
    x = np.random.default_rng(1).normal(size=shape)
    model, module = ours(), theirs(torch)
    random_state(torch, module)
    return model, module, lambda m: floats(our_call(m, x)), lambda m: floats(their_call(torch, m, x)).ravel()


@pytest.mark.parametrize("name", CASES)
def test_from_pytorch(name, torch):
    """Every number arrives, and the outputs are equal; from the module or from its state dict alike."""
    model, module, ours, theirs = pair(torch, name)
    for source in (module, module.state_dict()):
        for v in values(model):
            v.data = 99.0
        from_torch(model, source)
        assert 99.0 not in numbers(model)
        assert np.ravel(ours(model)) == pytest.approx(theirs(module), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_to_pytorch(name, torch):
    model, module, ours, theirs = pair(torch, name)
    rng = np.random.default_rng(2)
    for v in values(model):
        v.data = float(rng.uniform(0.5, 1.5))
    state = to_torch(model, module)
    assert type(state) is OrderedDict
    assert list(state) == list(module.state_dict())
    module.load_state_dict(state)
    assert np.ravel(ours(model)) == pytest.approx(theirs(module), rel=1e-10, abs=1e-12)
    back = CASES[name][0]()
    from_torch(back, state)
    assert numbers(back) == numbers(model)


@pytest.mark.parametrize("name", CASES)
def test_our_own_names(name, torch):
    """Without a model of theirs the keys are our paths, and what they name comes back."""
    model = CASES[name][0]()
    state = to_torch(model)
    assert all(x.dtype == torch.float64 or x.ndim == 0 for x in state.values())
    back = CASES[name][0]()
    from_torch(back, state)
    assert numbers(back) == numbers(model)


def test_each_class_has_a_case():
    kinds = {type(part) for case in CASES.values() for part in case[0]().modules()}
    assert {*torch_weights.LAYOUTS} <= kinds | {
        Embedding,
        LearnedPositions,
        SinusoidalPositions,
    }  # which are below


def test_keys(torch):
    assert list(to_torch(nn.MLP(2, [3, 1]))) == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
    ]
    assert list(to_torch(nn.Neuron(2))) == ["weight", "bias"]


def test_embeddings(torch):
    ours = nn.Sequential(Embedding(5, 3), LearnedPositions(4, 3))
    theirs = torch.nn.ModuleList([torch.nn.Embedding(5, 3), torch.nn.Embedding(4, 3)])
    from_torch(ours, theirs)
    expected = theirs[0](torch.tensor([1, 4])) + theirs[1](torch.tensor([0, 1]))
    assert floats(ours([1, 4])).tolist() == expected.tolist()


def test_positions_by_a_formula_have_no_tensors(torch):
    ours = nn.Sequential(SinusoidalPositions(4, 2), nn.Residual(nn.LayerNorm(2)))
    assert list(to_torch(ours)) == ["layers.1.inner.weight", "layers.1.inner.bias"]


def test_the_order_of_the_gates_and_one_bias_of_two(torch):
    """Row by row: LSTM i f g o; GRU r z n, whose candidate alone keeps both biases."""
    lstm, gru = torch.nn.LSTMCell(2, 1), torch.nn.GRUCell(2, 1)
    ours = LSTMCell(2, 1)
    from_torch(ours, lstm)
    for k, gate in enumerate((ours.input, ours.forget, ours.candidate, ours.output)):
        assert [w.data for w in gate.neurons[0].w] == [
            *lstm.weight_ih[k].tolist(),
            *lstm.weight_hh[k].tolist(),
        ]
        assert gate.neurons[0].b.data == (lstm.bias_ih[k] + lstm.bias_hh[k]).item()
    ours = GRUCell(2, 1)  # type: ignore[assignment]
    from_torch(ours, gru)
    biases = [layer.neurons[0].b.data for layer in (ours.reset, ours.update, ours.candidate, ours.memory)]  # type: ignore[attr-defined]
    both = (gru.bias_ih + gru.bias_hh).tolist()
    assert biases == [*both[:2], gru.bias_ih[2].item(), gru.bias_hh[2].item()]
    state = to_torch(ours)
    assert state["bias_ih"].tolist() == biases[:3]
    assert state["bias_hh"].tolist() == [0.0, 0.0, biases[3]]


def test_the_count_of_batches(torch):
    """Ours does not count: theirs is left as it is, or 0."""
    theirs = torch.nn.BatchNorm1d(2)
    theirs.num_batches_tracked += 7
    assert to_torch(nn.BatchNorm(2), theirs)["num_batches_tracked"].item() == 7
    assert to_torch(nn.BatchNorm(2))["num_batches_tracked"].item() == 0


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_shorter_numbers(dtype, torch):
    theirs = torch.nn.Linear(3, 2).to(getattr(torch, dtype))
    model = nn.Layer(3, 2)
    from_torch(model, theirs)
    assert state_arrays(model)["w"].tolist() == theirs.weight.double().tolist()
    theirs.load_state_dict(to_torch(model, theirs))
    assert state_arrays(model)["b"].tolist() == theirs.bias.double().tolist()


def test_other_kinds(torch):
    """Where the module is there, not its state alone, equal shapes do not do."""
    with pytest.raises(ValueError, match=r"ours: weight \(5, 3\) of Linear; theirs: weight \(5, 3\)"):
        from_torch(nn.Layer(3, 5, bias=False), torch.nn.Embedding(5, 3))
    with pytest.raises(ValueError, match=r"ours: weight \(3,\) of LayerNorm, "):
        from_torch(nn.LayerNorm(3), torch.nn.GroupNorm(1, 3))
    with pytest.raises(
        ValueError, match=r"to_torch needs the same layers .* of LSTM, .*; theirs: weight_ih_l0 \(9, 2\)"
    ):
        to_torch(LSTM(2, 3), torch.nn.GRU(2, 3))


def test_a_subclass(torch):
    class Mine(torch.nn.Linear):
        pass

    class Ours(nn.Layer):
        pass

    model, theirs = Ours(2, 3), Mine(2, 3)
    from_torch(model, theirs)
    assert state_arrays(model)["w"].tolist() == theirs.weight.tolist()


def test_complex_tensors(torch):
    state = {"weight": torch.ones((1, 1), dtype=torch.complex128), "bias": torch.zeros(1)}
    with pytest.raises(TypeError, match=r"real numbers\. Received: weight of dtype complex128"):
        from_torch(nn.Neuron(1), state)


def test_gradients_agree(torch):
    """Of parameters and inputs alike, after a copy."""
    ours = nn.MLP(3, [4, 2], activation="tanh")
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    from_torch(ours, theirs)
    x = [0.3, -0.5, 2.0]
    inputs, tensor = [Value(v) for v in x], torch.tensor(x, requires_grad=True)
    sum(y * y for y in ours(inputs)).backward()
    (theirs(tensor) ** 2).sum().backward()
    expected = np.concatenate([p.grad.numpy().ravel() for p in theirs.parameters()])
    found = np.concatenate(
        [
            np.array(part).ravel()
            for layer in ours.layers
            for part in ([[w.grad for w in n.w] for n in layer.neurons], [n.b.grad for n in layer.neurons])
        ]
    )
    assert found == pytest.approx(expected, rel=1e-10)
    assert [v.grad for v in inputs] == pytest.approx(tensor.grad.tolist(), rel=1e-10)
