"""The activation functions: what a neuron makes of its weighted sum.

    softplus(z), softplus([z1, z2]), softplus(array)     each is a function of Values, floats, lists and arrays
    get("swish"), get(relu), get(lambda x: x * x)        by name, alias or function: an `Activation`, which
                                                         tells of it what a reader wants to know
    register(f, name="cube")                             and yours, by name from then on

Those of one number are entries of the table (`autograd.activations`), and methods of Value. Those of a vector stand
here: a list gives a list; an array is taken along its last axis and gives an array. Where libraries disagree, these
do as PyTorch does: the slope of leaky_relu is .01 (Keras: .2 or .3) and at 0 it is that slope (JAX: 1), gelu is the
exact one (JAX: the tanh form), hardtanh has slope 0 at -1 and 1 (JAX: 1), hardswish 1 at 3. nan in, nan out.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autograd import ops, uniform
from autograd.activations import (
    bent_identity,
    celu,
    elu,
    gelu,
    gelu_tanh,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    identity,
    isru,
    leaky_relu,
    lisht,
    logsigmoid,
    mish,
    prelu,
    quick_gelu,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    snake,
    softplus,
    softshrink,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    squared_relu,
    squareplus,
    tanhshrink,
    threshold,
    thresholded_relu,
)  # fmt: skip
from autograd.compiler.traced import Traced
from autograd.context import current
from autograd.functions import atan as arctan
from autograd.functions import gaussian, sin, tanh
from autograd.ops import Op, number, sign, step
from autograd.ops import exp as exponential
from autograd.value import Value

from .checks import real, size
from .init import generator

inf = math.inf


@dataclass(frozen=True)
class Activation:
    """What is known of one activation function; None where nobody said.

    >>> silu = get("swish")
    >>> silu.name, silu.formula, silu.monotone, silu.init
    ('silu', 'x sigmoid(beta x)', False, 'he')
    >>> silu(0.0), silu.range
    (0.0, (-0.2784645427610738, inf))
    """

    name: str
    function: Callable[..., Any]
    formula: str = ""
    range: tuple[float, float] | None = None  # infimum and supremum of the outputs
    monotone: bool | None = None  # never decreasing, in any input
    zero_centred: bool | None = None  # odd: inputs spread evenly around 0 give outputs spread evenly around 0
    kinks: tuple[float, ...] | None = None  # where the derivative, or the value, jumps
    init: str = "xavier"  # the initialiser that suits it
    use_for: str = ""
    source: str = ""
    aliases: tuple[str, ...] = ()
    vector: bool = False  # of all the outputs of a layer together

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        return self.function(*inputs, **settings)

    def __reduce__(self) -> tuple[Any, ...]:
        """For copies and pickles: what has a name here goes by its name."""
        return (get, (self.name,)) if ACTIVATIONS.get(self.name) is self else (Activation, astuple(self))


def astuple(row: Activation) -> tuple[Any, ...]:
    return tuple(vars(row).values())


def known(x: Any) -> bool:
    """Whether x has a number: what depends on an input of a function that is being compiled has none yet."""
    return not isinstance(x, Traced)


# Of one number, beside those in the table -------------------------------------------------------------------------


def rrelu(x: Any, low: float = 1 / 8, high: float = 1 / 3, *, training: bool = False, rng: Any = None) -> Any:
    """x if x > 0 else slope x: in training each number draws its slope from U(low, high), afterwards the slope is
    the mean, (low + high) / 2 (Xu et al., 2015). `rng`: None, an int seed, a random.Random or a NumPy Generator;
    in a compiled function the numbers come from the program's generator, anew at each call.

    >>> rrelu(-24.0), -8.0 <= rrelu(-24.0, training=True, rng=0) <= -3.0
    (-5.5, True)
    """
    low, high = real("rrelu", "low", low), real("rrelu", "high", high)
    if not low <= high:
        raise ValueError(f"rrelu needs low <= high. Received: low={low}, high={high}")
    if not training:
        return leaky_relu(x, (low + high) / 2.0)
    rng = generator(rng)
    if isinstance(x, (list, tuple, np.ndarray)):
        return leaky_relu(x, np.reshape([uniform(low, high, rng) for _ in range(np.size(x))], np.shape(x)))
    return leaky_relu(x, uniform(low, high, rng))


# Of vectors -------------------------------------------------------------------------------------------------------


def along_last_axis(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function of a list of numbers one of lists, nested lists and arrays."""

    @functools.wraps(function)
    def along(xs: Any, *settings: Any, **named: Any) -> Any:
        if isinstance(xs, np.ndarray) and xs.ndim:
            found = [along(x, *settings, **named) for x in (xs if xs.ndim > 1 else [xs.tolist()])]
            return np.array(found) if xs.ndim > 1 else as_array(found[0])
        if (
            isinstance(xs, (str, bytes, dict, set))
            or not hasattr(xs, "__iter__")
            or isinstance(xs, np.ndarray)
        ):
            raise TypeError(
                f"{function.__name__} needs a list or array of numbers or Values. Received: {type(xs).__name__}"
            )
        xs = list(xs)
        if xs and all(isinstance(x, (list, tuple, np.ndarray)) and np.ndim(x) for x in xs):
            return [along(x, *settings, **named) for x in xs]
        if not xs:
            raise ValueError(f"{function.__name__} needs at least one number. Received: none")
        return function([x if isinstance(x, Value) else number(x) for x in xs], *settings, **named)

    return along


def as_array(result: Any) -> Any:
    return np.array(result) if isinstance(result, list) else result


def scaled(xs: list[Any], temperature: Any) -> list[Any]:
    """xs / temperature."""
    temperature = (
        temperature if isinstance(temperature, Value) else real("an activation", "temperature", temperature)
    )
    if known(temperature) and not temperature > 0.0:
        raise ValueError(f"a temperature is above 0. Received: temperature={temperature!r}")
    return xs if type(temperature) is float and temperature == 1.0 else [x / temperature for x in xs]


def below_top(xs: list[Any]) -> list[Any]:
    """xs less their maximum, which is taken as a constant: it changes neither result nor gradient, but nothing
    overflows any more."""
    if current().tracer:
        largest = ops.largest(xs)
        top = largest.detach() if isinstance(largest, Value) else largest
    else:
        top = max(map(float, xs))
    return [x - top for x in xs]


@along_last_axis
def softmax(xs: Any, temperature: Any = 1.0) -> Any:
    """e^(x_i / t) / sum of e^(x_j / t): positive numbers that add up to 1 (Bridle, 1990). The temperature t makes
    them more alike above 1, and more of a choice below.

    >>> softmax([0.0, 0.0]), softmax([1e4, 0.0])
    ([0.5, 0.5], [1.0, 0.0])
    """
    powers = [ops.exp(x) for x in below_top(scaled(xs, temperature))]
    total = ops.sum_(powers)
    return [e / total for e in powers]


@along_last_axis
def softmin(xs: Any, temperature: Any = 1.0) -> Any:
    """softmax(-x): the smallest gets the most.

    >>> softmin([1e4, 0.0])
    [0.0, 1.0]
    """
    return softmax([-x for x in xs], temperature)


@along_last_axis
def log_softmax(xs: Any, temperature: Any = 1.0) -> Any:
    """ln softmax(x), without the detour: x_i - logsumexp(x), right also where softmax is 0.

    >>> log_softmax([1e4, 0.0])
    [0.0, -10000.0]
    """
    xs = below_top(scaled(xs, temperature))
    total = ops.logsumexp(xs)
    return [x - total for x in xs]


@along_last_axis
def logsumexp(xs: Any, temperature: Any = 1.0) -> Any:
    """t ln(sum of e^(x_i / t)): a smooth maximum, whose gradient is softmax(x).

    >>> round(logsumexp([1.0, 1.0]) - math.log(2.0), 12), logsumexp([1000.0, 0.0])
    (1.0, 1000.0)
    """
    return ops.logsumexp(scaled(xs, temperature)) * temperature


@along_last_axis
def sparsemax(xs: Any) -> Any:
    """The point nearest to x among those whose coordinates are >= 0 and add up to 1: max(x_i - tau, 0), so that what
    lies far below the largest gets exactly 0 (Martins and Astudillo, 2016). Which get more than 0 is settled when
    it is recorded, so that a function with it cannot be compiled.

    >>> sparsemax([0.5, 0.0, -2.0])
    [0.75, 0.25, 0.0]
    """
    xs = below_top(xs)
    best = sorted(xs, key=float, reverse=True)
    if any(math.isnan(x) for x in map(float, xs)):
        best = [math.nan]
    total, support = -1.0, best[:1]  # x_k is in while it is above the tau of those above it
    for k, x in enumerate(best):
        total += float(x)
        if k and (k + 1) * float(x) > total:
            support = best[: k + 1]
    tau = (ops.sum_(support) - 1.0) / float(len(support))
    return [relu(x - tau) for x in xs]


@along_last_axis
def gumbel_softmax(xs: Any, temperature: Any = 1.0, *, hard: bool = False, rng: Any = None) -> Any:
    """softmax(x + noise), -ln(-ln u) with u from U(0, 1): a draw from softmax(x) through which gradients go (Jang et
    al., 2017; Maddison et al., 2017). The colder, the closer to one-hot; with `hard` it is one-hot, and its gradient
    is the soft one's. `rng`: None, an int seed, a random.Random or a NumPy Generator. In a compiled function the
    noise comes from the program's generator, anew at each call; `hard`, a choice by number, cannot be compiled.

    >>> [round(p, 3) for p in gumbel_softmax([0.0, 1.0], rng=0)]
    [0.376, 0.624]
    >>> gumbel_softmax([0.0, 1.0], hard=True, rng=0)
    [0.0, 1.0]
    """
    rng = generator(rng)
    noise = [-ops.log(-ops.log(ops.maximum(uniform(rng=rng), 2.0**-54))) for _ in xs]
    soft = softmax([x + g for x, g in zip(xs, noise, strict=True)], temperature)
    if not hard:
        return soft
    top = max(range(len(xs)), key=lambda i: float(soft[i]))
    return [p + (float(i == top) - float(p)) for i, p in enumerate(soft)]


def gated(name: str, xs: list[Any], gate: Callable[[Any], Any]) -> list[Any]:
    """The first half of xs, each times the gate of its partner in the second half."""
    half, rest = divmod(len(xs), 2)
    if rest:
        raise ValueError(f"{name} needs an even number of inputs: values, then gates. Received: {len(xs)}")
    return [x * gate(z) for x, z in zip(xs[:half], xs[half:], strict=True)]


@along_last_axis
def glu(xs: Any) -> Any:
    """a sigmoid(b), a and b the halves of x: the gated linear unit (Dauphin et al., 2017).

    >>> glu([2.0, 4.0, 0.0, 0.0])
    [1.0, 2.0]
    """
    return gated("glu", xs, sigmoid)


@along_last_axis
def reglu(xs: Any) -> Any:
    """a relu(b), a and b the halves of x (Shazeer, 2020).

    >>> reglu([2.0, 4.0, -1.0, 3.0])
    [0.0, 12.0]
    """
    return gated("reglu", xs, relu)


@along_last_axis
def geglu(xs: Any) -> Any:
    """a gelu(b), a and b the halves of x (Shazeer, 2020).

    >>> geglu([2.0, 4.0, 0.0, 100.0])
    [0.0, 400.0]
    """
    return gated("geglu", xs, gelu)


@along_last_axis
def swiglu(xs: Any) -> Any:
    """a silu(b), a and b the halves of x (Shazeer, 2020).

    >>> swiglu([2.0, 4.0, 0.0, 100.0])
    [0.0, 400.0]
    """
    return gated("swiglu", xs, silu)


@along_last_axis
def maxout(xs: Any, pieces: int = 2) -> Any:
    """The largest of each `pieces` neighbours: a convex function learned in pieces (Goodfellow et al., 2013).

    >>> maxout([1.0, 2.0, 4.0, 3.0])
    [2.0, 4.0]
    """
    if len(xs) % size("maxout", "pieces", pieces):
        raise ValueError(f"maxout needs a multiple of pieces={pieces} inputs. Received: {len(xs)}")
    return [functools.reduce(ops.maximum, xs[i : i + pieces]) for i in range(0, len(xs), pieces)]


# What is known of each --------------------------------------------------------------------------------------------

ACTIVATIONS: dict[str, Activation] = {}
NAMES: dict[str, str] = {}  # every name and alias, without case and underscores -> the name
FUNCTIONS: dict[Any, str] = {}  # every function, and method of Value -> the name


def plain(name: str) -> str:
    """leaky_relu, LeakyReLU, leaky-relu: all one name."""
    return re.sub(r"[\s_-]", "", name.lower())


def enter(row: Activation) -> Activation:
    ACTIVATIONS[row.name] = row
    for name in (row.name, *row.aliases):
        NAMES[plain(name)] = row.name
        method = getattr(Value, name, None)
        if callable(method):
            FUNCTIONS.setdefault(method, row.name)
    FUNCTIONS[row.function] = row.name
    return row


def of_number(
    name: str, function: Any, range: tuple[float, float], shape: str, init: str, use_for: str, source: str,
    kinks: Sequence[float] = (), aliases: Sequence[str] = (), formula: str = "",
) -> None:  # fmt: skip
    """A row; the formula and further names are the table's. `shape`: m for monotone, o for odd."""
    more = [function.name, *function.aliases] if isinstance(function, Op) else []
    names = tuple(dict.fromkeys(other for other in (*aliases, *more) if other != name))
    formula = formula or function.text
    enter(Activation(name, function, formula, range, "m" in shape, "o" in shape, tuple(kinks), init, use_for,
                     source, names))  # fmt: skip


def of_vector(
    name: str, function: Any, range: tuple[float, float], shape: str, init: str, formula: str, use_for: str,
    source: str,
) -> None:  # fmt: skip
    enter(Activation(name, function, formula, range, "m" in shape, "o" in shape, None, init, use_for, source,
                     vector=True))  # fmt: skip


# fmt: off
#          name, function, (infimum, supremum), monotone and odd, initialiser, use it for, source, kinks, aliases
of_number("identity", identity, (-inf, inf), "mo", "xavier",
          "the last layer of a regression, or of logits", "Widrow and Hoff, 1960")

# S-shaped
of_number("step", step, (0, 1), "m", "uniform",
          "showing the first neurons; nothing can be learned through it", "McCulloch and Pitts, 1943", (0,))
of_number("sign", sign, (-1, 1), "mo", "uniform",
          "the decision of a perceptron between -1 and 1", "Rosenblatt, 1958", (0,))
of_number("sigmoid", sigmoid, (0, 1), "m", "xavier",
          "a probability of yes at the output; gates", "Rumelhart, Hinton and Williams, 1986")
of_number("logsigmoid", logsigmoid, (-inf, 0), "m", "xavier",
          "the logarithm of a probability of yes, in a loss", "Cox, 1958")
of_number("hardsigmoid", hardsigmoid, (0, 1), "m", "xavier",
          "a gate that costs no exponential", "Courbariaux, Bengio and David, 2015", (-3, 3))
of_number("sparse_sigmoid", sparse_sigmoid, (0, 1), "m", "xavier",
          "a probability that may be exactly 0 or 1: sparsemax of two", "Martins and Astudillo, 2016", (-1, 1))
of_number("tanh", tanh, (-1, 1), "mo", "xavier",
          "hidden layers of small networks; recurrent states", "LeCun et al., 1998")
of_number("hardtanh", hardtanh, (-1, 1), "mo", "xavier",
          "a tanh that costs no exponential", "Collobert, 2004", (-1, 1))
of_number("softsign", softsign, (-1, 1), "mo", "xavier",
          "a tanh that saturates more slowly", "Bergstra et al., 2009")
of_number("arctan", arctan, (-math.pi / 2, math.pi / 2), "mo", "xavier",
          "a tanh with heavier tails", "Kamruzzaman and Aziz, 2002")
of_number("isru", isru, (-1, 1), "mo", "xavier",
          "a tanh made of a square root", "Carlile et al., 2017")

# Rectifiers
of_number("relu", relu, (0, inf), "m", "he",
          "hidden layers: where to begin", "Fukushima, 1969; Nair and Hinton, 2010", (0,))
of_number("relu6", relu6, (0, 6), "m", "he",
          "networks for arithmetic of few bits", "Krizhevsky, 2010", (0, 6))
of_number("squared_relu", squared_relu, (0, inf), "m", "he",
          "the hidden layer of a transformer", "So et al., 2021")
of_number("leaky_relu", leaky_relu, (-inf, inf), "m", "he",
          "a ReLU whose neurons cannot die", "Maas, Hannun and Ng, 2013", (0,))
of_number("prelu", prelu, (-inf, inf), "m", "he",
          "a leaky ReLU that learns its slope", "He et al., 2015", (0,))
of_number("rrelu", rrelu, (-inf, inf), "m", "he",
          "a leaky ReLU that regularises by random slopes", "Xu et al., 2015", (0,),
          formula="x if x > 0 else slope x, slope from U(low, high) in training, (low + high) / 2 afterwards")
of_number("threshold", threshold, (0, inf), "m", "he",
          "a ReLU that may begin elsewhere and rest at another value", "Collobert et al., 2011", (0,))
of_number("thresholded_relu", thresholded_relu, (0, inf), "m", "he",
          "features that are absent unless they are strong", "Konda, Memisevic and Krueger, 2014", (1,))
of_number("softshrink", softshrink, (-inf, inf), "mo", "xavier",
          "sparse codes: the step of ISTA", "Donoho and Johnstone, 1994", (-0.5, 0.5))
of_number("hardshrink", hardshrink, (-inf, inf), "mo", "xavier",
          "sparse codes that keep the size of what they keep", "Donoho and Johnstone, 1994", (-0.5, 0.5))
of_number("sparse_plus", sparse_plus, (0, inf), "m", "he",
          "a softplus that is exactly 0 and x outside (-1, 1)", "Martins and Astudillo, 2016")

# Exponential units
of_number("elu", elu, (-1, inf), "m", "he",
          "hidden layers whose mean stays near 0", "Clevert, Unterthiner and Hochreiter, 2016")
of_number("celu", celu, (-1, inf), "m", "he",
          "an elu that is smooth for every alpha", "Barron, 2017")
of_number("selu", selu, (-1.7580993408473766, inf), "m", "lecun",
          "deep plain networks that normalise themselves", "Klambauer et al., 2017", (0,))
of_number("exponential", exponential, (0, inf), "m", "xavier",
          "a rate or a scale at the output: it is positive", "Nelder and Wedderburn, 1972")

# Smooth rectifiers and gates
of_number("softplus", softplus, (0, inf), "m", "he",
          "a positive number at the output; a smooth ReLU", "Dugas et al., 2001")
of_number("squareplus", squareplus, (0, inf), "m", "he",
          "a softplus that costs no exponential", "Barron, 2021")
of_number("gelu", gelu, (-0.16997120747990366, inf), "", "he",
          "transformers", "Hendrycks and Gimpel, 2016")
of_number("gelu_tanh", gelu_tanh, (-0.17004075057125408, inf), "", "he",
          "the weights of GPT-2 and others trained with this form of gelu", "Hendrycks and Gimpel, 2016")
of_number("quick_gelu", quick_gelu, (-0.16361018963635358, inf), "", "he",
          "the weights of CLIP and others trained with this form of gelu", "Hendrycks and Gimpel, 2016")
of_number("silu", silu, (-0.2784645427610738, inf), "", "he",
          "deep convolutional networks", "Elfwing, Uchibe and Doya, 2018")
of_number("mish", mish, (-0.30884341301725043, inf), "", "he",
          "deep convolutional networks", "Misra, 2019")
of_number("hardswish", hardswish, (-0.375, inf), "", "he",
          "networks for small devices", "Howard et al., 2019", (-3, 3))
of_number("lisht", lisht, (0, inf), "", "he",
          "features that count with either sign", "Roy et al., 2019")

# Other shapes
of_number("tanhshrink", tanhshrink, (-inf, inf), "mo", "xavier",
          "sparse codes, smoothly", "Collobert et al., 2011")
of_number("bent_identity", bent_identity, (-inf, inf), "m", "xavier",
          "a little nonlinearity: its slope lies between 1/2 and 3/2", "unknown")
of_number("gaussian", gaussian, (0, 1), "", "xavier",
          "how close an input is to a centre: radial basis functions", "Broomhead and Lowe, 1988")
of_number("sin", sin, (-1, 1), "o", "he_uniform",
          "images and fields as functions of the place", "Sitzmann et al., 2020", aliases=("siren",))
of_number("snake", snake, (-inf, inf), "m", "he",
          "periodic signals, continued beyond the data", "Ziyin, Hartwig and Ueda, 2020")

# Of vectors
of_vector("softmax", softmax, (0, 1), "", "xavier", "e^(x_i / t) / sum of e^(x_j / t)",
          "probabilities of classes; attention", "Bridle, 1990")
of_vector("softmin", softmin, (0, 1), "", "xavier", "softmax(-x)",
          "choosing the nearest, by distances", "Bridle, 1990")
of_vector("log_softmax", log_softmax, (-inf, 0), "", "xavier", "x_i / t - ln(sum of e^(x_j / t))",
          "the logarithms of probabilities of classes, in a loss", "Bridle, 1990")
of_vector("logsumexp", logsumexp, (-inf, inf), "m", "xavier", "t ln(sum of e^(x_j / t))",
          "a smooth maximum", "Bridle, 1990")
of_vector("sparsemax", sparsemax, (0, 1), "", "xavier", "max(x_i - tau, 0), which add up to 1",
          "probabilities and attention with exact zeros", "Martins and Astudillo, 2016")
of_vector("gumbel_softmax", gumbel_softmax, (0, 1), "", "xavier", "softmax((x - ln(-ln u)) / t), u from U(0, 1)",
          "drawing one of several where gradients must go through", "Jang, Gu and Poole, 2017")
of_vector("glu", glu, (-inf, inf), "", "xavier", "a sigmoid(b), (a, b) = x",
          "letting one half of a layer gate the other", "Dauphin et al., 2017")
of_vector("reglu", reglu, (-inf, inf), "", "xavier", "a relu(b), (a, b) = x",
          "the hidden layer of a transformer", "Shazeer, 2020")
of_vector("geglu", geglu, (-inf, inf), "", "xavier", "a gelu(b), (a, b) = x",
          "the hidden layer of a transformer", "Shazeer, 2020")
of_vector("swiglu", swiglu, (-inf, inf), "", "xavier", "a silu(b), (a, b) = x",
          "the hidden layer of a transformer", "Shazeer, 2020")
of_vector("maxout", maxout, (-inf, inf), "m", "xavier", "max of each k neighbours",
          "learning the activation too: any convex one, in pieces", "Goodfellow et al., 2013")
# fmt: on

OURS = frozenset(ACTIVATIONS)


# By name ----------------------------------------------------------------------------------------------------------


def get(activation: Any) -> Activation:
    """An activation by its name or an alias of it, from its function, or from any function of one Value.

    >>> get("LeakyReLU") is get(leaky_relu) is get("leaky_relu")
    True
    >>> get("rellu")
    Traceback (most recent call last):
    ValueError: no activation 'rellu'. Did you mean relu, rrelu or relu6?
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        if plain(activation) in NAMES:
            return ACTIVATIONS[NAMES[plain(activation)]]
        from difflib import get_close_matches

        near = dict.fromkeys(NAMES[close] for close in get_close_matches(plain(activation), NAMES, 3))
        *others, last = near or ACTIVATIONS
        hint = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(
            f"no activation {activation!r}. {'Did you mean' if near else 'There are'} {hint}{'?' if near else ''}"
        )
    if not callable(activation):
        raise TypeError(
            f"an activation is a name or a function of one Value. Received: {type(activation).__name__}"
        )
    if isinstance(activation, functools.partial):  # with settings of its own: what holds of it is not known
        base = get(activation.func)
        return Activation(base.name, activation, base.formula, init=base.init, vector=base.vector)
    try:
        return ACTIVATIONS[FUNCTIONS[activation]]
    except (KeyError, TypeError):  # TypeError: what has no hash is not listed
        return described(activation)


def described(function: Any, name: str = "", **known: Any) -> Activation:
    name = name or getattr(function, "__name__", type(function).__name__).strip("<>")
    formula = function.text if isinstance(function, Op) else next(iter((function.__doc__ or "").split("\n")))
    return replace(Activation(name, function, formula), **known)


def register(function: Any, name: str = "", **known: Any) -> Activation:
    """Give an activation function a name by which `get`, and so every network, finds it.

    `function`: any function of one Value, or an op; with `vector=True`, of a list of them. `known`: whatever else an
    `Activation` tells. Yours may be registered again, and replaces the former; the names of ours are taken.

    >>> cube = register(lambda x: x * x * x, "cube", formula="x^3", monotone=True, init="xavier")
    >>> get("cube")(2.0), get("cube").zero_centred
    (8.0, None)
    """
    if not callable(function):
        raise TypeError(f"an activation is a function. Received: {type(function).__name__}")
    unknown = set(known) - set(Activation.__dataclass_fields__) - {"name", "function"}
    if unknown:
        raise TypeError(
            f"an activation tells of {', '.join(Activation.__dataclass_fields__)}. Received: {', '.join(unknown)}"
        )
    if not isinstance(name, str):
        raise TypeError(f"an activation needs a str as name. Received: {name!r} ({type(name).__name__})")
    row = described(function, name, **known)
    row = replace(row, aliases=tuple(row.aliases))
    for other in (row.name, *row.aliases):
        if not plain(other).isidentifier():
            raise ValueError(
                f"an activation needs a name, of letters, digits and underscores. Received: {other!r}"
            )
        owner = NAMES.get(plain(other), row.name)
        if owner in OURS or owner != row.name:
            raise ValueError(f"the name {other!r} is taken by the activation {owner}; choose another")
    return enter(row)


def __getattr__(name: str) -> Any:
    """The functions by their aliases too: activations.swish is activations.silu."""
    if not name.startswith("_") and plain(name) in NAMES:
        return ACTIVATIONS[NAMES[plain(name)]].function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
