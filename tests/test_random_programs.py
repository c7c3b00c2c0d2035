"""Random programs and random stacks of modules: eager is compiled is forward mode is the truth.

The programs, their laws and the truth are in `tests.programs`; `python -m tests.programs 100000` runs that many.
"""

import copy
import inspect
import pickle
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import TABLE, Value
from autograd.ops import flatten
from autograd.value import gradients

from . import programs
from .programs import Program, own_operations
from .reference import REFERENCE

# Programs ---------------------------------------------------------------------------------------------------------

BLOCK, BLOCKS = 200, 12


@pytest.mark.parametrize("block", range(BLOCKS))
def test_programs_keep_the_laws(block):
    _, broken = programs.run(range(1_000_000 + block * BLOCK, 1_000_000 + (block + 1) * BLOCK))
    assert not broken, "\n\n".join(f"seed {seed}: {what}" for seed, what in broken.items())


def test_every_operation_and_every_shape_takes_part():
    taken: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    with own_operations():
        assert {*programs.NAMES} == {*TABLE}
        for seed in range(2000):
            program = Program(seed)
            taken.update({step.name for step in program.steps})
            places = [step.places for step in program.steps]
            seen["constant"] += any(isinstance(p, float) for row in places for p in row)
            seen["square"] += any(len(row) == 2 and row[0] == row[1] for row in places)
            readers = Counter(p for row in places for p in {*row} if isinstance(p, int))
            seen["diamond"] += any(n > 1 for p, n in readers.items() if p >= len(program.point))
            seen["shared vector"] += len({*program.vectors}) < len(program.vectors)
            seen["deep"] += len(program.steps) > 50
            seen["wide"] += any(len(row) > 20 for row in places)
        assert taken.keys() == {*TABLE}
    assert min(taken.values()) > 10, taken
    assert len(seen) == 6
    assert min(seen.values()) > 10, seen


def test_the_same_seed_is_the_same_program():
    with own_operations():
        assert repr(Program(7)) == repr(Program(7)) != repr(Program(8))


def spoilt(name, change):
    """An operation of the table, changed for a while."""
    entry = object.__new__(autograd.Op)  # a copy would be the entry of that name
    vars(entry).update(
        {key: x for key, x in vars(TABLE[name]).items() if key not in ("on_floats", "forward")}
    )
    change(entry)
    return entry


def slope_off(entry):
    entry.rules = tuple(lambda *xs, rule=rule: rule(*xs) * 1.001 for rule in entry.rules)


def formula_off(entry):
    entry.formula = lambda *xs, formula=entry.formula: formula(*xs) * 1.001


def code_off(entry):
    entry.numpy = f"(1.000001 * {entry.numpy})"


@pytest.mark.parametrize("change", [slope_off, formula_off, code_off])
def test_the_laws_notice_what_is_a_little_wrong(change, monkeypatch):
    """An operation of three inputs, which no fast path goes around."""
    name = "rrelu"
    with own_operations():
        seeds = [seed for seed in range(600) if any(step.name == name for step in Program(seed).steps)]
    assert not programs.run(seeds)[1]
    monkeypatch.setitem(TABLE, name, spoilt(name, change))
    if change is formula_off:  # the recipe's own numbers come from it too: the reference does not
        assert REFERENCE[name](1, 0, 1) == 1
    assert programs.run(seeds)[1]


# What they have found ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [-1.5, -0.4, 0.3])
@pytest.mark.parametrize("alpha", [-2.0, -0.7, 0.5])
def test_celu_of_any_alpha(x, alpha):
    """Its slopes were those of an alpha above 0."""
    autograd.check_gradient(autograd.celu, x, alpha)
    expected = max(0.0, x) + min(0.0, alpha * float(np.expm1(x / alpha)))
    assert autograd.celu(x, alpha) == pytest.approx(expected)


@pytest.mark.parametrize("x", [-3.0, 0.2, 1.7, 4.0])
def test_hardtanh_with_bounds_in_the_wrong_order(x):
    """It was `low` on one side, and both bounds got the gradient; it is min(max(x, low), high), as in `clamp`."""
    leaves = [Value(v) for v in (x, 2.0, -1.0)]
    out = autograd.hardtanh(*leaves)
    assert out.data == float(np.clip(x, 2.0, -1.0)) == -1.0
    out.backward()
    assert [v.grad for v in leaves] == [0.0, 0.0, 1.0]
    compiled = autograd.compile(lambda x, low, high: autograd.hardtanh(x, low, high), batch=True)
    value, slopes = compiled.value_and_grad(*(np.array([v.data]) for v in leaves))
    assert (value, [*np.ravel(slopes)]) == (-1.0, [0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    "name", [name for name, op in TABLE.items() if op.variadic and name not in ("dot", "pick")]
)
def test_of_one_number_that_all_samples_share(name):
    """In a program for batches it may be a Python float, which has no methods of an array."""
    w = Value(-1.974)

    def f(x):
        s = autograd.sigmoid(autograd.tanh(w))
        return x * 0.75 + TABLE[name]([s]) * s

    program = autograd.compile(f, wrt=w, batch=True)
    out = f(Value(0.5))
    out.backward()
    value, slope = program.value_and_grad(np.array([0.5]))
    assert (value, slope) == pytest.approx((out.data, w.grad), rel=1e-13)
    assert program(np.array([0.5, 0.5])) == pytest.approx([out.data] * 2, rel=1e-13)


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if not op.variadic])
def test_of_a_comparison_that_all_samples_share(name):
    """In a program for batches it may be a whole number, which formulas that work in place have kept whole."""
    w, op = Value(1.0), TABLE[name]
    f = lambda x: op(autograd.equal(w, 1.0), *[0.5] * (len(op.rules) - 1)) + 0.0 * x
    program = autograd.compile(f, wrt=w, batch=True)
    assert program(np.array([0.5])) == pytest.approx([float(f(Value(0.5)))], rel=1e-12, nan_ok=True)


exp, equal = TABLE["exp"], TABLE["equal"]
COMPARED = {
    "product": lambda x, y: exp(equal(x, 1.0) * equal(y, 1.0)),
    "square": lambda x, y: exp(equal(x, 1.0) * equal(x, 1.0)),
    "cube": lambda x, y: exp(equal(x, 1.0) * equal(x, 1.0) * equal(x, 1.0) * equal(y, 1.0)),
    "sum": lambda x, y: equal(x, 1.0) + equal(y, 1.0),
    "sum of products": lambda x, y: (
        equal(x, 1.0) * equal(y, 1.0) + equal(x, 1.0) * equal(y, 1.0) * equal(x, y)
    ),
    "dot": lambda x, y: exp(
        autograd.dot(
            [equal(x, i) for i in (1.0, 2.0, 1.0)], [equal(y, i) for i in (1.0, 3.0, 1.0)], equal(x, y)
        )
    ),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", COMPARED)
def test_comparisons_are_numbers(name, dtype):
    """Arrays of True and False: their products did not add up to 2, and NumPy's exp of them has 3 digits."""
    f, x, y = COMPARED[name], np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.0])
    program = autograd.compile(f, batch=True, dtype=dtype)
    expected = [float(f(Value(a), Value(b))) for a, b in zip(x, y, strict=True)]
    assert program(x, y) == pytest.approx(expected, rel=1e-13 if dtype == "float64" else 1e-6)


# Stacks of modules ------------------------------------------------------------------------------------------------

ACTIVATIONS = ["tanh", "sigmoid", "gelu", "softplus", "silu", "identity"]
act = lambda rng: rng.choice(ACTIVATIONS)
seed = lambda rng: rng.randrange(10**6)


def scaled(kind, rng, n):
    return kind([rng.uniform(-1.0, 1.0) for _ in range(n)], [rng.uniform(1.1, 2.0) for _ in range(n)])


# What each module of nn may follow: a function of a generator and the shape that comes in.
VECTORS: dict[str, Any] = {
    "Neuron": lambda rng, n: nn.Neuron(n, activation=act(rng), rng=seed(rng)),
    "Layer": lambda rng, n: nn.Layer(n, rng.randint(1, 4), activation=act(rng), rng=seed(rng)),
    "MLP": lambda rng, n: nn.MLP(
        n, [rng.randint(1, 3), rng.randint(1, 4)], activation=act(rng), rng=seed(rng)
    ),
    "Sequential": lambda rng, n: nn.Sequential(nn.Layer(n, 3, activation="tanh", rng=seed(rng)), act(rng)),
    "Residual": lambda rng, n: nn.Residual(nn.Layer(n, n, activation=act(rng), rng=seed(rng))),
    "LayerNorm": lambda rng, n: nn.LayerNorm(n, eps=0.1),
    "RMSNorm": lambda rng, n: nn.RMSNorm(n, eps=0.1),
    "BatchNorm": lambda rng, n: nn.BatchNorm(n).eval(),
    "Standardize": lambda rng, n: scaled(nn.Standardize, rng, n),
    "MinMax": lambda rng, n: scaled(nn.MinMax, rng, n),
    "Dropout": lambda rng, n: nn.Dropout(0.5).eval(),
    "FeedForward": lambda rng, n: nn.FeedForward(
        n, 3, activation=rng.choice(["swiglu", "gelu"]), rng=seed(rng)
    ),
    "RNNCell": lambda rng, n: First(nn.RNNCell(n, 2, rng=seed(rng))),
    "LSTMCell": lambda rng, n: First(nn.LSTMCell(n, 2, rng=seed(rng))),
    "GRUCell": lambda rng, n: First(nn.GRUCell(n, 2, rng=seed(rng))),
}
SEQUENCES: dict[str, Any] = {
    "RNN": lambda rng, t, d: First(nn.RNN(d, 2, rng=seed(rng))),
    "LSTM": lambda rng, t, d: First(nn.LSTM(d, 2, bidirectional=rng.random() < 0.5, rng=seed(rng))),
    "GRU": lambda rng, t, d: First(nn.GRU(d, 2, layers=rng.randint(1, 2), rng=seed(rng))),
    "MultiHeadAttention": lambda rng, t, d: nn.MultiHeadAttention(
        d, 1, causal=rng.random() < 0.5, rng=seed(rng)
    ),
    "TransformerBlock": lambda rng, t, d: nn.TransformerBlock(d, 1, 3, rng=seed(rng)),
    "LearnedPositions": lambda rng, t, d: nn.LearnedPositions(t, d, rng=seed(rng)),
    "SinusoidalPositions": lambda rng, t, d: nn.SinusoidalPositions(t, d + d % 2) if d % 2 == 0 else None,
    "Conv1d": lambda rng, c, n: nn.Conv1d(
        c, 2, min(2, n), padding=rng.randint(0, 1), activation=act(rng), rng=seed(rng)
    ),
    "BatchNorm": lambda rng, c, n: nn.BatchNorm(c).eval(),
    "Flatten": lambda rng, *_: nn.Flatten(),
}
IMAGES: dict[str, Any] = {
    "Conv2d": lambda rng, c, h, w: nn.Conv2d(
        c, 2, min(2, h, w), stride=rng.randint(1, 2), activation=act(rng), rng=seed(rng)
    ),
    "MaxPool": lambda rng, c, h, w: nn.MaxPool(2) if min(h, w) > 1 else None,
    "AvgPool": lambda rng, c, h, w: nn.AvgPool(min(2, h, w)),
    "BatchNorm": lambda rng, c, h, w: nn.BatchNorm(c).eval(),
    "Flatten": lambda rng, *_: nn.Flatten(),
}
TOKENS: dict[str, Any] = {
    "Embedding": lambda rng, t: nn.Embedding(5, 2, rng=seed(rng)),
    "GPT": lambda rng, t: nn.GPT(5, 2, 1, 1, t, rng=seed(rng)),
    "BERT": lambda rng, t: nn.BERT(5, 2, 1, 1, t, rng=seed(rng)),
}
KINDS = {1: VECTORS, 2: SEQUENCES, 3: IMAGES}
APART = {  # why it is in no stack
    "Module": "has no equation",
    "McCullochPitts": "a threshold, of which every slope is 0",
    "Perceptron": "a threshold, of which every slope is 0",
    "Transformer": "reads two sequences of tokens",
    "ViT": "reads an image of one number a pixel",
}


class First(nn.Module):
    """A recurrent module's outputs, without its last state."""

    def __init__(self, module):
        self.module = module

    def __call__(self, x):
        out = self.module(x)
        return out[0] if isinstance(out, tuple) else out


def test_every_module_is_in_a_stack():
    classes = {
        name for name in nn.__all__ if inspect.isclass(x := getattr(nn, name)) and issubclass(x, nn.Module)
    }
    assert classes == {*VECTORS, *SEQUENCES, *IMAGES, *TOKENS, *APART}


def shape_of(out):
    return np.shape(out) if np.ndim(out) or not isinstance(out, Value) else (1,)


class Stack:
    """A few modules, each made for what the one before gives; from numbers of some shape, or from tokens."""

    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        self.tokens = rng.random() < 0.15
        start = [(3,), (2,), (3, 2), (2, 4), (1, 3, 3), (2, 4, 3)]
        self.shape = (3,) if self.tokens else rng.choice(start)
        generator = np.random.default_rng(seed)
        self.x = generator.integers(0, 5, self.shape) if self.tokens else generator.normal(size=self.shape)
        self.names: list[str] = []
        parts: list[Any] = []
        out: Any = self.x
        for place in range(rng.randint(2, 4)):
            table = TOKENS if self.tokens and not place else KINDS[len(np.shape(out))]
            name = rng.choice([*table])
            made = table[name](rng, *np.shape(out))
            if made is None:
                continue
            parts.append(made)
            self.names.append(name)
            out = made(out)
            if not isinstance(out, (list, np.ndarray)):
                break  # one number
            if not np.size(out):
                break
        self.model = nn.Sequential(*parts)

    def __repr__(self):
        return f"{' '.join(self.names)} on {self.shape}"

    def loss(self, model, x):
        """One smooth number of what comes out."""
        return autograd.mean([autograd.tanh(v) * (1.0 + 0.1 * i) for i, v in enumerate(flatten([model(x)]))])

    def inputs(self):
        """The sample for Values, and those Values."""
        if self.tokens:
            return self.x, []
        x = np.frompyfunc(Value, 1, 1)(self.x)
        return x, [*x.ravel()]


def along(leaves, direction, f, h):
    """f, with all leaves moved by h along a direction."""
    before = [v.data for v in leaves]
    for v, x, d in zip(leaves, before, direction, strict=True):
        v.data = x + h * d
    try:
        return f()
    finally:
        for v, x in zip(leaves, before, strict=True):
            v.data = x


def differences(leaves, direction, f):
    """The slope of f along a direction, and an estimate of its error, by Richardson's extrapolation."""
    central = lambda h: (along(leaves, direction, f, h) - along(leaves, direction, f, -h)) / (2.0 * h)
    wide, narrow = central(2e-4), central(1e-4)
    return (4.0 * narrow - wide) / 3.0, abs(narrow - wide)


@pytest.mark.parametrize("start", range(0, 64, 8))
def test_stacks_of_modules_keep_the_laws(start):
    for seed in range(start, start + 8):
        check_stack(Stack(seed))


def check_stack(stack):
    model, rng = stack.model, np.random.default_rng(0)
    x, leaves = stack.inputs()
    leaves = [*leaves, *model.parameters()]
    if not leaves:
        return
    output = stack.loss(model, x)
    recorded = gradients(output, create_graph=True)
    slope = lambda of: np.array([float(of.get(v, 0.0)) for v in leaves])
    model.zero_grad()
    output.backward()
    g = np.array([v.grad for v in leaves])
    size = 1e-12 * (1.0 + np.abs(g).max())
    np.testing.assert_allclose(g, slope(recorded), rtol=1e-11, atol=size, err_msg=repr(stack))

    # compiled, by the inputs or by the parameters, alone or in a batch
    by = [model] * bool(model.parameters()) + [None] * (not stack.tokens)
    wrt, batch = by[stack.rng.randrange(len(by))], stack.rng.random() < 0.5
    program = autograd.compile(lambda x: stack.loss(model, x), wrt=wrt, batch=batch)
    value, found = program.value_and_grad(stack.x[None] if batch else stack.x)
    assert value == pytest.approx(output.data, rel=1e-12, abs=1e-13), stack
    expected = g[-len(model.parameters()) :] if wrt else g[: stack.x.size]
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-10, atol=10 * size, err_msg=repr(stack))

    # finite differences, along random directions; and the second order, symmetric, and by differences of slopes
    u, v = rng.normal(size=(2, len(leaves)))
    found, error = differences(leaves, u, lambda: float(stack.loss(model, x)))
    assert found == pytest.approx(g @ u, rel=1e-6, abs=1e-8 + 10 * error), stack
    curvatures = []
    for a, b in ((u, v), (v, u)):
        along_a = sum(d * recorded.get(leaf, 0.0) for d, leaf in zip(a, leaves, strict=True))
        curvatures.append(slope(gradients(along_a)) @ b if isinstance(along_a, Value) else 0.0)
    scale = 1.0 + abs(curvatures[0])
    assert curvatures[0] == pytest.approx(curvatures[1], abs=1e-10 * scale), stack
    found, error = differences(leaves, v, lambda: slope(gradients(stack.loss(model, x))) @ u)
    assert found == pytest.approx(curvatures[0], rel=1e-5, abs=1e-6 * scale + 10 * error), stack

    # looked at, copied and pickled
    before = output.data, [*g]
    source = autograd.draw(output, level="scalar", max_nodes=10**6).source
    assert all(source.count(name) for name in {*stack.names} - {"Flatten", "Dropout", "Embedding"}), stack
    page = autograd.explore(output).html
    assert page.count("<script") >= 1
    assert (output.data, [v.grad for v in leaves]) == before, stack
    for carry in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        other, y, out = carry((model, x, output))
        again = stack.loss(other, y)
        assert again.data == out.data == output.data, stack
        other.zero_grad()
        again.backward()
        assert [p.grad for p in other.parameters()] == pytest.approx(
            [p.grad for p in model.parameters()], rel=1e-11, abs=size
        ), stack
