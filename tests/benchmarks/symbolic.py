"""What the jobs of CasADi share. It takes a formula of symbols, SX a scalar each or MX whole matrices, and makes of it
a function, which its interpreter runs.

The nets are MX, a product of matrices a layer: a step on the moons takes more than ten times as long in SX, written for
the batch or for one sample and mapped over it. A function is made in its first call, and so is timed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, reduce
from typing import Any

import numpy as np

from .job import Job, flat


def function(formula: Callable[[], tuple[list[Any], list[Any]]]) -> Callable[..., Any]:
    """From the symbols that `formula` gives to the results."""
    import casadi

    made = cache(lambda: casadi.Function("f", *formula()))
    return lambda *numbers: made()(*numbers)


def scalar_function(f: Callable[..., Any], *counts: int) -> Callable[..., Any]:
    """The value of f and its gradient; it is given vectors of so many numbers."""
    import casadi

    def formula() -> tuple[list[Any], list[Any]]:
        inputs = [casadi.SX.sym(f"x{k}", count) for k, count in enumerate(counts)]
        value = f(*inputs)
        return inputs, [value, casadi.gradient(value, casadi.vertcat(*inputs))]

    return function(formula)


def results(found: Iterable[Any]) -> list[float]:
    """All numbers of each, column by column, as they lie."""
    return [number for part in found for number in np.ravel(part.full(), order="F").tolist()]


def gradients(start: Sequence[Any], data: Iterable[Any], loss: Callable[..., Any]) -> Job:
    """The loss and its gradient; `loss(layers, *data)` is the formula."""
    import casadi

    run, parameters = at_layers(start, data, lambda p, value: [value, casadi.gradient(value, p)], loss)
    return Job(lambda: run(parameters), results)


def descent(start: Sequence[Any], data: Iterable[Any], loss: Callable[..., Any], rate: float) -> Job:
    """A step of gradient descent."""
    import casadi

    def stepped(p: Any, value: Any) -> list[Any]:
        return [value, p - rate * casadi.gradient(value, p)]

    step, parameters = at_layers(start, data, stepped, loss)

    def run() -> float:
        nonlocal parameters
        value, parameters = step(parameters)
        return float(value)

    return Job(run, lambda value: [value, *results([parameters])])


def at_layers(
    start: Sequence[Any],
    data: Iterable[Any],
    outputs: Callable[[Any, Any], list[Any]],
    loss: Callable[..., Any],
) -> tuple[Callable[[Any], Any], Any]:
    """A function of all parameters, on that data, and the parameters to start from.

    They are one vector, in the order of Values: a matrix lies in it column by column, so a layer has a column for each
    neuron, its bias last.
    """
    import casadi

    batch = [casadi.DM(part) for part in data]

    def formula() -> tuple[list[Any], list[Any]]:
        ends = np.cumsum([0, *map(np.size, start)]).tolist()
        parameters = casadi.MX.sym("parameters", ends[-1])
        parts = zip(casadi.vertsplit(parameters, ends), start, strict=True)
        layers = [casadi.reshape(part, *layer.shape[::-1]) for part, layer in parts]
        inputs = [casadi.MX.sym(f"x{k}", *part.shape) for k, part in enumerate(batch)]
        return [parameters, *inputs], outputs(parameters, loss(layers, *inputs))

    f = function(formula)
    return lambda parameters: f(parameters, *batch), casadi.DM(flat(*start))


# Parts of formulas; the rows of a matrix are samples ----------------------------------------------------------------


def weighted(layer: Any, rows: Any) -> Any:
    """The sums of a layer's neurons."""
    import casadi

    return casadi.horzcat(rows, casadi.DM.ones(rows.shape[0], 1)) @ layer


def relu(x: Any) -> Any:
    """Its slope at 0 is 0, as everywhere here; that of `fmax` is 1/2."""
    import casadi

    return casadi.if_else(x > 0.0, x, 0.0)


def cross_entropy(scores: Any, hot: Any) -> Any:
    """Its mean; a row of `hot` is 1 at the class and 0 elsewhere."""
    import casadi

    count, classes = scores.shape
    scores = scores - casadi.repmat(reduce(casadi.fmax, casadi.horzsplit(scores)), 1, classes)
    return (casadi.sum1(casadi.log(casadi.sum2(casadi.exp(scores)))) - casadi.dot(hot, scores)) / count
