"""All activation functions: what each computes, and what a reader wants to know before choosing one.

`ACTIVATIONS` has a row for each. Those of one number are operations of `autograd` (their formulas and derivatives
stand in `autograd/activations.py`); those of a whole vector are written here, of the same operations. Each can be
called on Values, floats, lists and arrays; a vector function takes a list and gives a list, or works along the last
axis of an array.

>>> get("relu").function(-2.0), get("swish").name
(0.0, 'silu')
>>> [round(p, 3) for p in softmax([1.0, 2.0, 3.0])]
[0.09, 0.245, 0.665]
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import numpy as np

from autograd import TABLE, Value

inf, e = math.inf, math.e


@dataclass(frozen=True)
class Activation:
    """One row of the catalogue.

    `range` is the interval of its values, an open end where it is only approached. `zero_centred` says that it
    takes both signs and is 0 at 0. `kinks` are the points at which its derivative jumps. `init` names the
    initialiser that suits it, `source` where it was introduced.
    """

    name: str
    function: Callable[..., Any]
    formula: str = ""
    range: tuple[float, float] = (-inf, inf)
    monotone: bool = False
    zero_centred: bool = False
    kinks: tuple[float, ...] = ()
    init: str = "xavier_uniform"
    use_for: str = ""
    source: str = ""
    aliases: tuple[str, ...] = ()
    vector: bool = field(default=False)

    def __call__(self, x: Any, **settings: Any) -> Any:
        return self.function(x, **settings)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A pickle names what the catalogue has."""
        return (get, (self.name,)) if ACTIVATIONS.get(self.name) is self else super().__reduce_ex__(protocol)


ACTIVATIONS: dict[str, Activation] = {}
NAMES: dict[str, str] = {}  # each name and alias, to the name


def register(name: str, function: Callable[..., Any], **about: Any) -> Activation:
    """Add an activation function, an operation or any callable of one Value, so that models know it by name.

    >>> register("half_wave", lambda x: (x + abs(x)) / 2, use_for="a relu by another formula").name
    'half_wave'
    >>> get("half_wave").function(-3.0)
    0.0
    """
    if not callable(function):
        raise TypeError(f"register({name!r}) needs a function. Received: {type(function).__name__}")
    row = Activation(name, function, **about)
    for each in (name, *row.aliases):
        if NAMES.get(each, name) != name:
            raise ValueError(f"the name {each!r} is taken by {NAMES[each]!r}")
        NAMES[each] = name
    ACTIVATIONS[name] = row
    return row


def get(activation: Any) -> Activation:
    """The row of a name, an alias, a function, or itself.

    >>> get("heaviside").name
    'step'
    >>> get("rellu")
    Traceback (most recent call last):
    ValueError: no activation is named 'rellu'. Similar: relu, elu, prelu.
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        if activation in NAMES:
            return ACTIVATIONS[NAMES[activation]]
        similar = difflib.get_close_matches(activation.lower(), NAMES) or sorted(ACTIVATIONS)
        raise ValueError(f"no activation is named {activation!r}. Similar: {', '.join(similar)}.")
    if callable(activation):
        for row in ACTIVATIONS.values():
            if row.function is activation:
                return row
        return Activation(getattr(activation, "__name__", type(activation).__name__), activation)
    raise TypeError(f"an activation is a name or a function. Received: {type(activation).__name__}")


# Functions of a vector --------------------------------------------------------------------------------------------


def along_last_axis(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one list, made to take arrays as well: it runs along their last axis."""

    @wraps(function)
    def wrapped(xs: Any, *more: Any, **settings: Any) -> Any:
        if isinstance(xs, Value) or not hasattr(xs, "__iter__") or isinstance(xs, (str, bytes)):
            raise TypeError(f"{function.__name__} needs a list or an array. Received: {type(xs).__name__}")
        if not isinstance(xs, np.ndarray):
            xs = list(xs)
            if any(hasattr(x, "__iter__") for x in xs):
                return [wrapped(x, *more, **settings) for x in xs]
            return function(xs, *more, **settings)
        rows = [function(row, *more, **settings) for row in xs.reshape(-1, xs.shape[-1]).tolist()]
        size = len(rows[0]) if rows and isinstance(rows[0], list) else None
        flat = [x for row in rows for x in row] if size is not None else rows
        out = np.empty(len(flat), dtype=object if any(isinstance(x, Value) for x in flat) else float)
        out[:] = flat
        return out.reshape(*xs.shape[:-1], size) if size is not None else out.reshape(xs.shape[:-1])[()]

    return wrapped


def largest(xs: Sequence[Any], name: str) -> float:
    """The maximum as a plain number, detached: it only shifts. nan where there is one."""
    if not len(xs):
        raise ValueError(f"{name} needs at least one number. Received: none")
    data = [float(x) for x in xs]
    return math.nan if any(x != x for x in data) else max(data)


def scaled(xs: Sequence[Any], temperature: float) -> list[Any]:
    if not temperature > 0.0:
        raise ValueError(f"a temperature is greater than 0. Received: temperature={temperature}")
    return list(xs) if temperature == 1.0 else [x / temperature for x in xs]


@along_last_axis
def softmax(xs: Any, temperature: float = 1.0) -> Any:
    """e^(x_i / T) / sum_j e^(x_j / T): positive numbers that sum to 1.

    The detached maximum is subtracted first, so nothing overflows. Bridle, 1990.

    >>> softmax([1e4, 0.0])
    [1.0, 0.0]
    """
    top = largest(xs := scaled(xs, temperature), "softmax")
    powers = [TABLE["exp"](x - top) for x in xs]
    total = TABLE["sum"](powers)
    return [power / total for power in powers]


@along_last_axis
def softmin(xs: Any, temperature: float = 1.0) -> Any:
    """softmax(-x): the smallest gets the most."""
    return softmax([-x for x in xs], temperature)


@along_last_axis
def log_softmax(xs: Any, temperature: float = 1.0) -> Any:
    """x_i - ln sum_j e^(x_j), which keeps its digits where softmax is nearly 0."""
    total = TABLE["logsumexp"](xs := scaled(xs, temperature))
    return [x - total for x in xs]


@along_last_axis
def logsumexp(xs: Any, temperature: float = 1.0) -> Any:
    """T ln sum_j e^(x_j / T): a smooth maximum.

    >>> logsumexp([0.0, 0.0])
    0.6931471805599453
    """
    return TABLE["logsumexp"](scaled(xs, temperature)) * temperature


@along_last_axis
def sparsemax(xs: Any) -> Any:
    """The point of the simplex nearest to x: like softmax, but small entries become exactly 0.

    max(x_i - tau, 0), tau so that they sum to 1. Martins and Astudillo, 2016.

    >>> sparsemax([2.0, 1.5, 0.0])
    [0.75, 0.25, 0.0]
    """
    if largest(xs, "sparsemax") != largest(xs, "sparsemax"):
        return [x * math.nan for x in xs]
    order = sorted(range(len(xs)), key=lambda i: -float(xs[i]))
    data, count = [float(xs[i]) for i in order], 1
    while count < len(xs) and 1.0 + (count + 1) * data[count] > math.fsum(data[: count + 1]):
        count += 1
    tau = (TABLE["sum"]([xs[i] for i in order[:count]]) - 1.0) / count
    support = set(order[:count])
    return [x - tau if i in support else x * 0.0 for i, x in enumerate(xs)]


@along_last_axis
def gumbel_softmax(xs: Any, temperature: float = 1.0, *, rng: Any = None) -> Any:
    """softmax((x + G) / T) with G = -ln(-ln U) drawn anew: a differentiable choice at random. Jang et al., 2017.

    `rng` is a random.Random or a seed; without one Python's global generator draws.
    """
    draw = (rng if hasattr(rng, "random") else random.Random(rng) if rng is not None else random).random
    noise = [-math.log(-math.log(draw() or 5e-324)) for _ in range(len(xs))]
    return softmax([x + g for x, g in zip(xs, noise, strict=True)], temperature)


def gated(name: str, gate: str, doc: str) -> Callable[..., Any]:
    def function(xs: Any) -> Any:
        if len(xs) % 2 or not len(xs):
            raise ValueError(f"{name} needs an even number of inputs, values and then gates. Received: {len(xs)}")
        half = len(xs) // 2
        return [x * TABLE[gate](g) for x, g in zip(xs[:half], xs[half:], strict=True)]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""x_i {doc}(x_(i + n)): the first half are values, the second half their gates.

    Dauphin et al., 2017 (glu); Shazeer, 2020 (the others).

    >>> {name}([1.0, 2.0, 0.0, 0.0])
    {"[0.5, 1.0]" if name == "glu" else "[0.0, 0.0]"}
    """
    return along_last_axis(function)


glu = gated("glu", "sigmoid", "sigmoid")
reglu = gated("reglu", "relu", "relu")
geglu = gated("geglu", "gelu", "gelu")
swiglu = gated("swiglu", "silu", "silu")


@along_last_axis
def maxout(xs: Any, pieces: int = 2) -> Any:
    """The largest of each `pieces` inputs that follow one another: a convex function learned. Goodfellow et al., 2013.

    >>> maxout([1.0, 3.0, -2.0, -5.0])
    [3.0, -2.0]
    """
    if pieces < 1 or not len(xs) or len(xs) % pieces:
        raise ValueError(f"maxout needs a multiple of pieces={pieces} inputs. Received: {len(xs)}")
    return [tree_max(xs[i : i + pieces]) for i in range(0, len(xs), pieces)]


def tree_max(xs: Sequence[Any]) -> Any:
    top = xs[0]
    for x in xs[1:]:
        top = TABLE["maximum"](top, x)
    return top


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, *, training: bool = False, rng: Any = None) -> Any:
    """Leaky relu with a slope drawn from U(lower, upper) while training, (lower + upper) / 2 after. Xu et al., 2015.

    >>> rrelu(-24.0)
    -5.5
    """
    if not training:
        return TABLE["leaky_relu"](x, (lower + upper) / 2)
    source = rng if hasattr(rng, "uniform") else random.Random(rng) if rng is not None else random
    draws = np.vectorize(lambda _: source.uniform(lower, upper), otypes=[float])(np.asarray(x, dtype=object))
    return TABLE["leaky_relu"](x, draws if draws.ndim else float(draws))


# The catalogue ----------------------------------------------------------------------------------------------------

HE, LECUN, XAVIER = "he_normal", "lecun_normal", "xavier_uniform"


def row(op_name: str, **about: Any) -> None:
    """Register an operation of the table under its own name, with its formula, kinks and aliases."""
    op = TABLE[op_name]
    about["aliases"] = (*op.aliases, *about.get("aliases", ()))
    if "kinks" not in about and isinstance(op.kinks, tuple):
        about["kinks"] = op.kinks
    register(op_name, op, formula=op.text, **about)


# fmt: off
row("identity", monotone=True, zero_centred=True,
    use_for="the output of a regression", source="Widrow and Hoff, 1960")
row("step", range=(0, 1), monotone=True, kinks=(0,),
    use_for="the perceptron: its slope is 0, so gradients cannot train it", source="McCulloch and Pitts, 1943")
row("sign", range=(-1, 1), monotone=True, zero_centred=True, use_for="binary codes; untrainable by gradients",
    source="Rosenblatt, 1958")
row("sigmoid", range=(0, 1), monotone=True,
    use_for="a probability of two classes; gates", source="Rumelhart, Hinton and Williams, 1986")
row("tanh", range=(-1, 1), monotone=True, zero_centred=True,
    use_for="small networks, recurrent cells", source="LeCun et al., 1991")
row("relu", range=(0, inf), monotone=True, init=HE,
    use_for="the default of deep networks", source="Fukushima, 1969; Nair and Hinton, 2010")
row("leaky_relu", monotone=True, zero_centred=True, init=HE,
    use_for="where relu units die", source="Maas, Hannun and Ng, 2013")
row("prelu", monotone=True, zero_centred=True, init=HE,
    use_for="a leaky relu that learns its slope", source="He et al., 2015")
register("rrelu", rrelu, formula="x if x > 0 else a x, a ~ U(lower, upper) in training", monotone=True,
         zero_centred=True, kinks=(0.0,), init=HE, use_for="small data: the random slope regularises",
         source="Xu et al., 2015")
row("elu", range=(-1, inf), monotone=True, zero_centred=True, init=HE,
    use_for="outputs of mean near 0 without dead units", source="Clevert, Unterthiner and Hochreiter, 2016")
row("selu", range=(-1.7580993408473766, inf), monotone=True, zero_centred=True, init=LECUN,
    use_for="deep networks that normalise themselves", source="Klambauer et al., 2017")
row("celu", range=(-1, inf), monotone=True, zero_centred=True, init=HE,
    use_for="an elu of continuous slope for every alpha", source="Barron, 2017")
row("gelu", range=(-0.16997120747990366, inf), init=HE,
    use_for="transformers (BERT, GPT)", source="Hendrycks and Gimpel, 2016")
row("gelu_tanh", range=(-0.17004075057125406, inf), init=HE,
    use_for="gelu as GPT-2 computed it", source="Hendrycks and Gimpel, 2016")
row("quick_gelu", range=(-0.16361018963635357, inf), init=HE,
    use_for="gelu as CLIP computes it", source="Hendrycks and Gimpel, 2016")
row("silu", range=(-0.2784645427610738, inf), init=HE,
    use_for="deep convolutional networks, gates", source="Elfwing, Uchibe and Doya, 2018; Ramachandran et al., 2017")
row("mish", range=(-0.30884341301725043, inf), init=HE,
    use_for="as silu", source="Misra, 2019")
row("softplus", range=(0, inf), monotone=True, init=HE,
    use_for="a positive output, a variance", source="Dugas et al., 2001")
row("softsign", range=(-1, 1), monotone=True, zero_centred=True, kinks=(0,),
    use_for="a tanh of heavier tails", source="Bergstra et al., 2009")
row("squareplus", range=(0, inf), monotone=True, init=HE,
    use_for="softplus without exponentials", source="Barron, 2021")
row("hardtanh", range=(-1, 1), monotone=True, zero_centred=True, kinks=(-1, 1),
    use_for="a tanh of three lines", source="Collobert, 2004")
row("relu6", range=(0, 6), monotone=True, init=HE,
    use_for="arithmetic of few bits", source="Howard et al., 2017")
row("hardsigmoid", range=(0, 1), monotone=True,
    use_for="gates on small devices", source="Courbariaux, Bengio and David, 2015")
row("hardswish", range=(-0.375, inf), init=HE,
    use_for="silu on small devices", source="Howard et al., 2019")
row("tanhshrink", monotone=True, zero_centred=True,
    use_for="sparse codes", source="as in PyTorch")
row("softshrink", monotone=True, zero_centred=True, kinks=(-0.5, 0.5),
    use_for="sparse codes: the proximal map of |x|", source="Donoho and Johnstone, 1994")
row("hardshrink", monotone=True, zero_centred=True, kinks=(-0.5, 0.5),
    use_for="sparse codes", source="Donoho and Johnstone, 1994")
row("threshold", range=(0, inf), monotone=True, kinks=(0,), init=HE,
    use_for="a relu with its own threshold and floor", source="as in PyTorch")
row("thresholded_relu", range=(0, inf), monotone=True, kinks=(1,), init=HE,
    use_for="autoencoders without biases", source="Konda, Memisevic and Krueger, 2015")
row("logsigmoid", range=(-inf, 0), monotone=True,
    use_for="the logarithm of a probability", source="textbook")
row("exp", monotone=True, range=(0, inf), aliases=("exponential",),
    use_for="a positive rate", source="textbook")
row("gaussian", range=(0, 1),
    use_for="radial basis functions", source="Broomhead and Lowe, 1988")
row("sparse_plus", range=(0, inf), monotone=True, kinks=(), init=HE,
    use_for="a smooth relu that is exactly 0", source="as in JAX")
row("sparse_sigmoid", range=(0, 1), monotone=True,
    use_for="probabilities that may be exactly 0 and 1", source="as in JAX")
row("sin", range=(-1, 1), zero_centred=True, aliases=("siren",),
    use_for="signals and images as functions", source="Sitzmann et al., 2020")
row("atan", range=(-math.pi / 2, math.pi / 2), monotone=True, zero_centred=True,
    use_for="an S of heavy tails", source="textbook")
row("bent_identity", monotone=True, zero_centred=True,
    use_for="an identity with a bend", source="textbook")
row("isru", range=(-1, 1), monotone=True, zero_centred=True,
    use_for="a tanh without exponentials", source="Carlile et al., 2017")
row("lisht", range=(0, inf),
    use_for="where negative inputs matter as much", source="Roy et al., 2019")
row("snake", monotone=True, zero_centred=True, init=HE,
    use_for="periodic signals", source="Liu, Hartwig and Ueda, 2020")
row("squared_relu", range=(0, inf), monotone=True, kinks=(), init=HE,
    use_for="transformers of few operations", source="So et al., 2021")

for function, about in {
    softmax: {"formula": "e^(x_i) / sum_j e^(x_j)", "range": (0, 1),
              "use_for": "probabilities of many classes", "source": "Bridle, 1990"},
    softmin: {"formula": "softmax(-x)", "range": (0, 1),
              "use_for": "weights by distance", "source": "Bridle, 1990"},
    log_softmax: {"formula": "x_i - ln sum_j e^(x_j)", "range": (-inf, 0),
              "use_for": "cross-entropy", "source": "textbook"},
    logsumexp: {"formula": "ln sum_j e^(x_j)",
              "use_for": "a smooth maximum", "source": "textbook"},
    sparsemax: {"formula": "max(x_i - tau, 0)", "range": (0, 1),
              "use_for": "attention on few", "source": "Martins and Astudillo, 2016"},
    gumbel_softmax: {"formula": "softmax((x + G) / T)", "range": (0, 1),
              "use_for": "differentiable choices", "source": "Jang, Gu and Poole, 2017"},
    glu: {"formula": "x sigmoid(gate)",
              "use_for": "gated layers", "source": "Dauphin et al., 2017"},
    reglu: {"formula": "x relu(gate)",
              "use_for": "gated layers", "source": "Shazeer, 2020"},
    geglu: {"formula": "x gelu(gate)",
              "use_for": "transformers", "source": "Shazeer, 2020"},
    swiglu: {"formula": "x silu(gate)",
              "use_for": "transformers (LLaMA)", "source": "Shazeer, 2020"},
    maxout: {"formula": "max of each group",
              "use_for": "learned convex units", "source": "Goodfellow et al., 2013"},
}.items():
    register(function.__name__, function, vector=True, **about)  # type: ignore[arg-type]
