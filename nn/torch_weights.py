"""Weights to and from PyTorch: where each of our Values stands in PyTorch's tensors, and what reads them both ways.

`LAYOUTS` is the table: for each of our classes the PyTorch class that computes the same, and its tensors, by their
names and in their order, as arrays of our Values. It is used for reading and for writing: a new class is one entry.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd.value import Value

from .attention import MultiHeadAttention
from .checks import listed, one_line
from .convolution import Conv1d, Conv2d
from .embedding import Embedding
from .module import Module
from .neuron import Layer, Neuron
from .normalization import BatchNorm, LayerNorm, RMSNorm
from .positions import LearnedPositions, SinusoidalPositions
from .recurrence import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from .transformer import TransformerBlock

Layout = dict[str, Any]  # name in PyTorch -> array of Values; None for what we do not have
SECOND_BIAS = "bias_hh"  # it is added to bias_ih, so the two are one of ours


# The layouts ------------------------------------------------------------------------------------------------------


def array_of(values: Iterable[Any]) -> Any:
    return np.array([*values], dtype=object)


def without_none(**arrays: Any) -> Layout:
    """Those that are there: a module made with `bias=False` has a None."""
    return {name: array_of(x) for name, x in arrays.items() if x is not None}


def neurons(parts: Sequence[Neuron], window: tuple[int, ...] = (-1,)) -> Layout:
    """Neurons side by side: a row of weights for each, (nout, nin) or with a convolution's window (nout, *window)."""
    return {"weight": weights(parts).reshape(len(parts), *window)} | biases("bias", parts)


def weights(parts: Iterable[Neuron]) -> Any:
    return array_of([*neuron.w] for neuron in parts)


def biases(name: str, parts: Iterable[Neuron]) -> Layout:
    found = array_of(neuron.b for neuron in parts)
    return {} if (found == None).all() else {name: found}  # noqa: E711


def step(cell: Any, gates: Sequence[Layer], inner: Sequence[Layer] = ()) -> Layout:
    """A recurrent cell: gates over [x, h], which PyTorch parts; `inner` has a Layer over x and one over h already."""
    first = [neuron for layer in (*gates, *inner[:1]) for neuron in layer.neurons]
    second = [neuron for layer in (*gates, *inner[1:]) for neuron in layer.neurons]
    return {
        "weight_ih": array_of(neuron.w[: cell.nin] for neuron in first),
        "weight_hh": array_of(neuron.w[-cell.nhidden :] for neuron in second),
        **biases("bias_ih", first),
        **biases(SECOND_BIAS, second),
    }


def steps(module: Any) -> Layout:
    """The cells of all layers and directions."""
    found: Layout = {}
    for k, cell in enumerate(module.cells):
        layer, backwards = divmod(k, module.directions)
        end = f"_l{layer}{'_reverse' * backwards}"
        found |= {f"{name}{end}": array for name, array in layout_of(cell).items()}
    return found


def batch_norm(norm: Any) -> Layout:
    running = {"running_mean": norm.running_mean, "running_var": norm.running_variance}
    return without_none(weight=norm.gain, bias=norm.bias, **running) | {"num_batches_tracked": None}


def convolution(conv: Any) -> Layout:
    return neurons(conv.filters, (conv.channels_in // conv.groups, *conv.kernel))


def attention(module: Any) -> Layout:
    """Queries, keys and values in one matrix, or, where the context has another width, in three."""
    inner = {"q": module.query, "k": module.key, "v": module.value}
    rows = {f"{name}_proj_weight": weights(layer.neurons) for name, layer in inner.items()}
    if module.kv_width == module.width:
        rows = {"in_proj_weight": np.concatenate([*rows.values()])}
    parts = [neuron for layer in inner.values() for neuron in layer.neurons]
    return rows | biases("in_proj_bias", parts) | within("out_proj", module.out)


def block(module: Any) -> Layout:
    """A block with its parts, in PyTorch's order."""
    attentions = {"self_attn": module.attention, "multihead_attn": module.cross}
    layers = {"linear1": module.feed.widen, "linear2": module.feed.narrow}
    norms = [norm for norm in (module.norm_1, module.norm_cross, module.norm_2) if norm is not None]
    parts = attentions | layers | {f"norm{k}": norm for k, norm in enumerate(norms, 1)}
    found: Layout = {}
    for name, part in parts.items():
        found |= {} if part is None else within(name, part)
    return found


def within(name: str, part: Module) -> Layout:
    """The layout of a part, under its name."""
    return {f"{name}.{key}": array for key, array in layout_of(part).items()}


class Entry(NamedTuple):
    """What a class of ours is in PyTorch."""

    theirs: str  # the class, or a base of it
    layout: Callable[[Any], Layout]


LAYOUTS: dict[type[Module], Entry] = {
    Neuron: Entry("Linear", lambda neuron: neurons([neuron])),
    Layer: Entry("Linear", lambda layer: neurons(layer.neurons)),
    Conv1d: Entry("Conv1d", convolution),
    Conv2d: Entry("Conv2d", convolution),
    Embedding: Entry("Embedding", lambda table: {"weight": array_of(table.rows)}),
    LearnedPositions: Entry("Embedding", lambda table: {"weight": array_of(table.rows)}),
    SinusoidalPositions: Entry("", lambda positions: {}),  # a formula gives them
    LayerNorm: Entry("LayerNorm", lambda norm: without_none(weight=norm.gain, bias=norm.bias)),
    RMSNorm: Entry("RMSNorm", lambda norm: without_none(weight=norm.gain)),
    BatchNorm: Entry("_BatchNorm", batch_norm),
    RNNCell: Entry("RNNCell", lambda cell: step(cell, [cell.layer])),
    LSTMCell: Entry("LSTMCell", lambda c: step(c, [c.input, c.forget, c.candidate, c.output])),
    GRUCell: Entry("GRUCell", lambda c: step(c, [c.reset, c.update], [c.candidate, c.memory])),
    RNN: Entry("RNN", steps),
    LSTM: Entry("LSTM", steps),
    GRU: Entry("GRU", steps),
    MultiHeadAttention: Entry("MultiheadAttention", attention),
    TransformerBlock: Entry("TransformerEncoderLayer or TransformerDecoderLayer", block),
}


def entry_of(module: Module) -> Entry | None:
    return next((LAYOUTS[kind] for kind in type(module).__mro__ if kind in LAYOUTS), None)


def layout_of(module: Module) -> Layout:
    entry = entry_of(module)
    return entry.layout(module) if entry else {}


# A model as a list of tensors -------------------------------------------------------------------------------------


class Tensor(NamedTuple):
    """One of PyTorch's tensors, as an array of our Values."""

    path: str  # of our module
    kind: str  # of PyTorch's module
    name: str
    values: Any

    @property
    def key(self) -> str:
        return f"{self.path}.{self.name}" if self.path else self.name


def tensors_of(owner: str, model: Module) -> list[Tensor]:
    """All tensors of the model, in the order of its layers."""
    if not isinstance(model, Module):
        raise TypeError(f"{owner} needs a Module. Received: {type(model).__name__}")
    found: list[Tensor] = []
    inside: set[Module] = set()
    placed: set[Value] = set()
    for path, module in model.named_modules():
        entry = entry_of(module)
        if module in inside or entry is None:
            continue
        inside |= {*module.modules()}
        layout = entry.layout(module)
        found += [Tensor(path, entry.theirs, *item) for item in layout.items()]
        if not layout:
            placed |= {v for _, v in module.named_buffers()}
        slopes = [
            part.slope for part in module.modules() if isinstance(part, Neuron) and hasattr(part, "slope")
        ]
        if slopes:
            found.append(Tensor(f"{path}.slope".lstrip("."), "PReLU", "weight", array_of(slopes)))
    placed |= {v for tensor in found if tensor.values is not None for v in tensor.values.flat}
    rest = [name for name, v in (*model.named_parameters(), *model.named_buffers()) if v not in placed]
    if rest:
        raise ValueError(
            f"{owner} needs layers that PyTorch has too: give it a part of the model, or write an entry of LAYOUTS."
            f" Received: {listed(rest, 1)}, in none of them"
        )
    return found


def paired(owner: str, model: Module, theirs: Any) -> list[tuple[Tensor, str, Any]]:
    """Each tensor of the model with the key and the numbers that it has in PyTorch, one after the other."""
    ours = tensors_of(owner, model)
    whole = hasattr(theirs, "state_dict")
    state = theirs.state_dict() if whole else theirs
    if not isinstance(state, Mapping):
        raise TypeError(
            f"{owner} needs a torch.nn.Module or its state dict. Received: {type(theirs).__name__}"
        )
    arrays = {str(key): numbers(owner, key, x) for key, x in state.items()}
    kinds = {f"{path}.".lstrip("."): part for path, part in theirs.named_modules()} if whole else {}
    prefixes: dict[str, str] = {}  # of their keys, by our paths
    pairs: list[tuple[Tensor, str, Any]] = []
    for tensor, (key, array) in zip(ours, arrays.items(), strict=False):
        prefix = prefixes.setdefault(tensor.path, key.removesuffix(tensor.name))
        if key != prefix + tensor.name or prefix[-1:] not in ("", ".") or array.shape != shape_of(tensor):
            break
        kind = {base.__name__ for base in type(kinds.get(prefix)).__mro__}
        if whole and kind.isdisjoint(tensor.kind.split(" or ")):
            break
        pairs.append((tensor, key, array))
    if not len(pairs) == len(ours) == len(arrays):
        start = len(pairs)
        raise ValueError(
            f"{owner} needs the same layers on both sides, in the same order and of the same shapes. Received, after "
            f"{start} tensors that agree, ours: "
            + (listed([f"{t.key} {shape_of(t)} of {t.kind}" for t in ours[start:]]) or "none")
            + "; theirs: "
            + (listed([f"{key} {array.shape}" for key, array in [*arrays.items()][start:]]) or "none")
        )
    return pairs


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    return () if tensor.values is None else tuple(tensor.values.shape)


def numbers(owner: str, key: str, x: Any) -> Any:
    """A tensor, or an array, as an array of floats."""
    if hasattr(x, "cpu"):
        x = x.detach().cpu()
        x = x.double().numpy() if x.is_floating_point() else x.numpy()
    x = np.asarray(x)
    if not np.can_cast(x.dtype, np.float64, "safe"):
        raise TypeError(
            f"{owner} needs tensors of real numbers. Received: {one_line(str(key))} of dtype {x.dtype}"
        )
    return x.astype(np.float64)


# Both ways --------------------------------------------------------------------------------------------------------


def from_torch(model: Module, theirs: Any) -> None:
    """Set the numbers of the model to those of a PyTorch model of the same layers.

    `theirs` is a torch.nn.Module or its state dict, of tensors or arrays. Names do not matter, for every PyTorch model
    has its own: layer after layer is taken, ours in the order of `named_modules`, theirs in that of the state dict, and
    each pair must agree in kind and shapes. Otherwise a ValueError lists both sides, and nothing has changed. (A state
    dict that was sorted, as safetensors does, goes back into its PyTorch model first.) To read only a part, give a part
    of both. What is not a number of the state, such as activations, eps, momentum and dropout, is not compared.

    Layer and Neuron are torch.nn.Linear; "prelu" is a torch.nn.PReLU behind it. Recurrent cells have one bias where
    PyTorch has two: their sum. PyTorch's count of BatchNorm's batches is left out.

    >>> from nn import MLP
    >>> model = MLP(2, [1])
    >>> from_torch(model, {"0.weight": np.array([[1.0, 2.0]]), "0.bias": np.array([0.5])})
    >>> model([10.0, 20.0])
    Value(data=50.5)
    """
    found: dict[Value, float] = {}
    for tensor, key, array in paired("from_torch", model, theirs):
        if tensor.values is None:
            continue
        for v, x in zip(tensor.values.flat, array.ravel().tolist(), strict=True):
            if tensor.name.startswith(SECOND_BIAS):
                found[v] = found[v] + x if v in found else x
            elif not same(found.setdefault(v, x), x):
                raise ValueError(
                    f"from_torch needs one number for what {model._named()} shares between layers."
                    f" Received: {found[v]} and, in {one_line(key)}, {x}"
                )
    for v, x in found.items():
        v.data = x


def same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


def to_torch(model: Module, theirs: Any = None) -> OrderedDict[str, Any]:
    """The numbers of the model as a PyTorch state dict, of float64 tensors.

    With `theirs`, a torch.nn.Module of the same layers or its state dict, the keys are its own, and
    `theirs.load_state_dict(to_torch(model, theirs))` makes it compute what the model does; the layers are paired as in
    `from_torch`. Without, the keys are our paths, as `layers.0.weight`. Of a recurrent cell's two biases the second is
    0. ImportError without PyTorch.
    """
    try:
        import torch
    except ImportError:
        raise ImportError("to_torch needs PyTorch: `pip install torch`") from None
    ours = tensors_of("to_torch", model)
    pairs = [(t, t.key, 0.0) for t in ours] if theirs is None else paired("to_torch", model, theirs)
    state: OrderedDict[str, Any] = OrderedDict()
    given: set[Value] = set()
    for tensor, key, array in pairs:
        if tensor.values is None:
            state[key] = torch.tensor(int(array))
            continue
        again = given if tensor.name.startswith(SECOND_BIAS) else set()
        data = [0.0 if v in again else v.data for v in tensor.values.flat]
        state[key] = torch.tensor(data, dtype=torch.float64).reshape(tensor.values.shape)
        given |= {*tensor.values.flat}
    return state
