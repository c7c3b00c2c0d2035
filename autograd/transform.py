"""Derivatives of functions: a function in, its derivative out, as in mathematics.

    grad(f)(x)              the gradient of a function that returns one number; value_and_grad gives both
    jacobian(f)(x)          d f_i / d x_j, for a function that returns any number of numbers
    hessian(f)(x)           d2 f / d x_i d x_j
    jvp(f, xs, ts)          f, and its Jacobian times a vector: how f moves when xs move by ts
    vjp(f, *xs)             f, and the function c -> c times its Jacobian
    hvp(f, xs, ts)          the Hessian times a vector, without the Hessian
    gradient(y, xs)         the same for what has been recorded already
    check_gradient(f, *xs)  compares with finite differences

An argument is a number, an array, or numbers and arrays in lists, tuples and dicts; what comes out has its
structure. On plain numbers the results are plain. They are Values, which can be differentiated again, when an
argument holds a Value or another transform is at work around this one.

A transform calls f on nodes of its own, a fresh one for each number, and differentiates by these. So transforms
nest in any way and none mistakes another's variable for its own ("perturbation confusion": Siskind and
Pearlmutter, 2005). Both directions multiply by the same local gradients: reverse mode carries a gradient from the
result back to the operands, forward mode a tangent from the operands on to the result.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from functools import partial, reduce, wraps
from reprlib import repr as short
from typing import Any

import numpy as np

from .checks import whole
from .context import current, describe, name_of, no_grad, path, within
from .ops import TABLE, number
from .value import ByHand, Constant, Value

Function = Callable[..., Any]
enclosed: ContextVar[bool] = ContextVar("enclosed", default=False)  # whether a transform is calling its f

# Structures: numbers and arrays in lists, tuples and dicts --------------------------------------------------------


def leaves(tree: Any) -> Iterator[Any]:
    """The numbers in a structure, in order."""
    if isinstance(tree, np.ndarray):
        yield from tree.ravel().tolist()
    elif isinstance(tree, (list, tuple, dict)):
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(branch)
    else:
        yield tree


def rebuild(tree: Any, numbers: Iterator[Any], gather: Function | None = None) -> Any:
    """The same structure of other numbers; `gather` makes an array of a list of them and a shape."""
    if isinstance(tree, dict):
        return {name: rebuild(branch, numbers, gather) for name, branch in tree.items()}
    if isinstance(tree, (list, tuple)):
        branches = [rebuild(branch, numbers, gather) for branch in tree]
        return branches if isinstance(tree, list) else tuple(branches)
    if isinstance(tree, np.ndarray) and tree.ndim:
        return (gather or to_array)([next(numbers) for _ in range(tree.size)], tree.shape)
    return next(numbers)


def to_array(numbers: list[Any], shape: tuple[int, ...]) -> Any:
    """An array of floats where all are floats, of objects where some are Values."""
    array = np.empty(len(numbers), float if all(type(x) is float for x in numbers) else object)
    array[:] = numbers
    return array.reshape(shape)


def outline(tree: Any) -> Any:
    """What two structures must share to stand for a point and a direction at it."""
    if isinstance(tree, np.ndarray):
        return outline(tree.tolist())
    if isinstance(tree, dict):
        return {name: outline(branch) for name, branch in tree.items()}
    return [outline(branch) for branch in tree] if isinstance(tree, (list, tuple)) else None


def shape_of(tree: Any) -> tuple[int, ...] | None:
    """The shape of the array that could hold the structure; None where none could."""
    if isinstance(tree, np.ndarray):
        return tuple(tree.shape)
    if isinstance(tree, dict):
        return None
    if not isinstance(tree, (list, tuple)):
        return ()
    shapes = {shape_of(branch) for branch in tree} or {()}
    shape = shapes.pop()
    return None if shapes or shape is None else (len(tree), *shape)


def kind(x: Any) -> str:
    """What an error message calls x: "a list of 2"."""
    if isinstance(x, np.ndarray) and x.ndim:
        return f"an array of shape {x.shape}"
    return f"a {type(x).__name__} of {len(x)}" if isinstance(x, (list, tuple, dict)) else type(x).__name__


# The two sweeps over a recorded graph -----------------------------------------------------------------------------


def parts(v: Value) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """(operands, partials) of a node; the two properties, with a short cut for the commonest nodes."""
    x, y = v._x, v._y
    if type(x) is tuple:
        return v.operands, v.partials
    return ((x,), (v._dx,)) if y is None else ((x, y), (v._dx, v._dy))


class Route:
    """The nodes by which `inputs` reach `outputs`, operands before results, each with the positions of those of
    its operands that lie on the way. Nothing else is touched: no `grad`, and nothing that came before the inputs.

    With `record` the derivatives are Values. With `through` an input may have been computed from another one.
    """

    def __init__(
        self, outputs: Sequence[Any], inputs: Sequence[Value], record: bool, through: bool = False
    ) -> None:
        self.outputs, self.inputs, self.record = outputs, inputs, record
        self.nodes: list[tuple[Value, tuple[int, ...]]] = []
        reached = {x for x in inputs if x.requires_grad}
        seen: set[Any] = set() if through else set(inputs)
        stack: list[Any] = [v for v in outputs if isinstance(v, Value)]
        while stack:
            v = stack.pop()
            if v is None:  # all that lay above it is done: the operands of the next one stand in order
                v = stack.pop()
                operands, partials = parts(v)
                ways = [i for i, x in enumerate(operands) if x in reached]
                if ways and type(v.op) is ByHand and (record or v.op.push):
                    raise TypeError(
                        f"the node {v.op.symbol!r} was made by hand, without a rule: only backward() goes through it"
                    )
                ways = [i for i in ways if partials[i] is not None]
                if ways:
                    reached.add(v)
                    self.nodes.append((v, tuple(ways)))
            elif v.op and v not in seen:
                seen.add(v)
                stack += (v, None)
                stack += [x for x in parts(v)[0] if isinstance(x, Value) and x.op]

    def slopes(self, v: Value, operands: tuple[Any, ...], ways: Sequence[int], g: Any) -> list[Any]:
        """g * d v / d operand for the operands on the way, by the rules of the table, which record in turn."""
        if v.op.variadic:  # its one rule answers for all
            every = v.op.rules[0](g, v, *operands)
            return [every[i] for i in ways]
        return [v.op.rules[i](g, v, *operands) for i in ways]

    def pull(self, seeds: Sequence[Any]) -> list[Any]:
        """Reverse mode: a gradient for each output, or None where it has none, gives that of each input."""
        found: dict[Any, Any] = {}
        anomaly = current().anomaly
        for v, g in zip(self.outputs, seeds, strict=True):
            if isinstance(v, Value) and g is not None:
                found[v] = found[v] + g if v in found else g
        for v, ways in reversed(self.nodes):
            if v in found:
                (operands, partials), g = parts(v), found[v]
                gains = self.slopes(v, operands, ways, g) if self.record else [partials[i] * g for i in ways]
                for i, gain in zip(ways, gains, strict=True):
                    if gain is None:
                        continue
                    x = operands[i]
                    if anomaly:
                        report(v, operands, x, gain)
                    found[x] = found[x] + gain if x in found else gain
        return [found.get(x, 0.0) for x in self.inputs]

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Forward mode: a tangent for each input, or None where it stays, gives that of each output."""
        found = {x: t for x, t in zip(self.inputs, tangents, strict=True) if t is not None}
        anomaly = current().anomaly
        for v, reaching in self.nodes:
            operands, partials = parts(v)
            ways = [i for i in reaching if operands[i] in found]
            if ways:
                slopes = self.slopes(v, operands, ways, 1.0) if self.record else [partials[i] for i in ways]
                flows = [(operands[i], d) for i, d in zip(ways, slopes, strict=True) if d is not None]
                terms = [d * found[x] for x, d in flows]
                if anomaly:
                    for (x, _), term in zip(flows, terms, strict=True):
                        report(v, operands, x, term)
                if terms:
                    found[v] = reduce(operator.add, terms)
        return [found.get(v, 0.0) if isinstance(v, Value) else 0.0 for v in self.outputs]


def report(v: Value, operands: tuple[Any, ...], x: Any, gain: Any) -> None:
    """In `detect_anomaly()`: an error if what flows between v and its operand x is nan or inf."""
    if not math.isfinite(gain):
        what = f"{describe(v.op, operands)} with respect to {name_of(x)} is {float(gain)}"
        line = getattr(v, "recorded_at", "a line before detect_anomaly")
        raise FloatingPointError(f"the gradient of {what}, recorded at {line}{path(v.scope)}")


class Call:
    """One call of f on fresh nodes for the arguments at `argnums`, and the route from these to what f returned.

    `keep` says whether results stay Values, `record` whether these Values are connected to the caller's.
    """

    def __init__(
        self, f: Function, args: Sequence[Any], named: dict[str, Any], argnums: Sequence[int]
    ) -> None:
        for i in argnums:
            if not -len(args) <= i < len(args):
                least = i + 1 if i >= 0 else -i
                raise ValueError(
                    f"argnums={i} needs at least {least} positional arguments. Received: {len(args)}"
                )
        self.chosen = [args[i] for i in argnums]
        self.keep = enclosed.get() or has_value((args, named))
        self.record = self.keep and current().recording
        fresh = {i % len(args): [self.fresh(x) for x in leaves(args[i])] for i in argnums}
        inputs = [x for i in argnums for x in fresh[i % len(args)]]
        if not inputs:
            raise ValueError(f"there must be a number to differentiate by. Received: {self.chosen}")
        args = [rebuild(arg, iter(fresh[i])) if i in fresh else arg for i, arg in enumerate(args)]
        token = enclosed.set(True)
        try:
            with within(recording=True):  # also where the caller does not record: f is to be differentiated
                self.out = f(*args, **named)
        finally:
            enclosed.reset(token)
        try:
            outputs = [x if isinstance(x, Value) else number(x) for x in leaves(self.out)]
        except TypeError:
            raise TypeError(
                f"the function must return numbers, or lists or arrays of them. Received: {kind(self.out)}"
            ) from None
        self.route = Route(outputs, inputs, self.record)

    def fresh(self, x: Any) -> Value:
        """A node of this call's own: a leaf, or a copy of the caller's Value that is still connected to it."""
        if not isinstance(x, Value):
            return Value(x)
        copy: Value = TABLE["identity"](x) if self.record and x.requires_grad else Value(x.data)
        copy.label = x.label
        return copy

    def value(self) -> Any:
        """What f returned."""
        if self.record:
            return rebuild(self.out, map(as_value, self.route.outputs))
        kind_of = Constant if self.keep else float
        return rebuild(self.out, (kind_of(float(x)) for x in self.route.outputs))

    def tangent(self, tangents: Sequence[Any]) -> Any:
        """Tangents of the outputs, in the structure of what f returned."""
        return rebuild(self.out, iter(self.finish(self.route.push(tangents))))

    def gradients(self, row: list[Any]) -> tuple[Any, ...]:
        """Gradients of the inputs, in the structure of each chosen argument."""
        numbers = iter(self.finish(row))
        return tuple(rebuild(arg, numbers) for arg in self.chosen)

    def finish(self, numbers: list[Any]) -> list[Any]:
        """Derivatives as the caller wants them: all Values, or all plain."""
        keep = self.keep or has_value(numbers)  # tangents may have been Values too
        return [*map(as_value if keep else float, numbers)]

    def jacobian(self) -> Iterator[list[Any]]:
        """d output / d every input, one output after another. Reverse mode takes one sweep for each output,
        forward mode one for each input: the fewer, the better."""
        m, n = len(self.route.outputs), len(self.route.inputs)
        if m <= n:
            return (self.route.pull([1.0 if k == i else None for k in range(m)]) for i in range(m))
        columns = [self.route.push([1.0 if k == j else None for k in range(n)]) for j in range(n)]
        return (list(row) for row in zip(*columns, strict=True))


def has_value(tree: Any) -> bool:
    return any(isinstance(x, Value) for x in leaves(tree))


def as_value(x: Any) -> Value:
    return x if isinstance(x, Value) else Constant(x)


def positions(f: Function, argnums: int | Sequence[int]) -> tuple[int, ...]:
    """Which arguments to differentiate by, after a look at f."""
    if not callable(f):
        raise TypeError(
            f"a function is needed (what is recorded, `gradient` differentiates). Received: {kind(f)}"
        )
    try:
        chosen = tuple(map(operator.index, argnums if isinstance(argnums, Sequence) else [argnums]))
    except TypeError:
        raise TypeError(f"argnums must be an int or a tuple of ints. Received: {argnums!r}") from None
    if not chosen:
        raise ValueError("argnums must name at least one argument. Received: ()")
    return chosen


def all_positions(f: Function, primals: Any) -> tuple[int, ...]:
    if not isinstance(primals, (tuple, list)):
        raise TypeError(f"primals must be the tuple of the function's arguments. Received: {kind(primals)}")
    return positions(f, range(len(primals)))


def directions(tangents: Any, points: Any, whose: str) -> list[Any]:
    """The numbers of `tangents`, which must go with those of `points` one by one."""
    if outline(tangents) != outline(points):
        raise ValueError(f"{whose} must have the structure of {short(points)}. Received: {short(tangents)}")
    return [x if isinstance(x, Value) else number(x) for x in leaves(tangents)]


def unpack(results: tuple[Any, ...], argnums: Any) -> Any:
    """The tuple of results if several arguments were asked for, or else the one."""
    return results if isinstance(argnums, Sequence) else results[0]


def resembling(f: Function) -> Callable[[Function], Function]:
    """The name and docstring of f. Not its attributes: an op of the table has its own."""
    return wraps(f, updated=())


# The transforms ---------------------------------------------------------------------------------------------------


def grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function whose value is the gradient of f, d f / d argument.

    f returns one number. `argnums` says by which of its positional arguments to differentiate; a tuple of them
    gives a tuple of gradients, and negative ones count from the end. Other arguments are passed on as they are.
    A `no_grad` inside f holds, one outside does not hinder: the derivative is taken all the same.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda w, x: w[0] * x + w[1], argnums=(0, 1))([3.0, 1.0], 2.0)
    ([2.0, 1.0], 3.0)

    Raises TypeError if f does not return one number, ValueError for an argument that is not there or empty.
    """
    both = value_and_grad(f, argnums)

    @resembling(f)
    def gradient_of(*args: Any, **named: Any) -> Any:
        return both(*args, **named)[1]

    return gradient_of


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function that returns f and its gradient, at the price of one call of f.

    >>> value_and_grad(lambda x: x[0] * x[1])([2.0, 3.0])
    (6.0, [3.0, 2.0])
    """
    chosen = positions(f, argnums)

    @resembling(f)
    def value_and_gradient_of(*args: Any, **named: Any) -> tuple[Any, Any]:
        call = Call(f, args, named, chosen)
        if outline(call.out) is not None:
            raise TypeError(
                "a gradient is taken of a function that returns one number; `jacobian` takes any shape. "
                f"Received: {kind(call.out)}"
            )
        return call.value(), unpack(call.gradients(call.route.pull([1.0])), argnums)

    return value_and_gradient_of


def jacobian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function whose value is the Jacobian of f: for each number that f returns its gradient.

    An output array of shape s and an argument of shape t, list or array, give an array of shape s + t. Where f
    returns a list, tuple or dict, the gradients stand in one likewise.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0]]
    >>> import numpy as np
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    chosen = positions(f, argnums)

    @resembling(f)
    def jacobian_of(*args: Any, **named: Any) -> Any:
        call = Call(f, args, named, chosen)
        rows = (unpack(call.gradients(row), argnums) for row in call.jacobian())

        def gather(rows: list[Any], shape: tuple[int, ...]) -> Any:
            if isinstance(argnums, Sequence):
                return tuple(stack(arg, [row[k] for row in rows], shape) for k, arg in enumerate(call.chosen))
            return stack(call.chosen[0], rows, shape)

        return rebuild(call.out, rows, gather)

    return jacobian_of


def stack(arg: Any, gradients: list[Any], shape: tuple[int, ...]) -> Any:
    """Gradients by `arg` of an array of outputs as one array, or as nested lists where `arg` has no shape."""
    inner = shape_of(arg)
    if inner is not None:
        return to_array([*leaves(gradients)], shape + inner)
    boxes = np.empty(len(gradients), object)
    boxes[:] = gradients
    return boxes.reshape(shape).tolist()


def hessian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function whose value is the Hessian of f, its second derivatives d2 f / d x_i d x_j.

    An argument of shape s gives shape s + s; several argnums give a tuple of tuples, H[k][l] by arguments k and l.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """
    return jacobian(grad(f, argnums), argnums)


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """(f(*primals), J t): the value, and how it moves when the arguments move by the tangents. Forward mode.

    `primals` is the tuple of f's arguments, `tangents` has a number for each number in it.

    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)
    """
    chosen = all_positions(f, primals)
    moves = directions(tangents, primals, "tangents")
    call = Call(f, primals, {}, chosen)
    return call.value(), call.tangent(moves)


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """(f(*primals), pullback): pullback(c) is c J, a tuple with a gradient for each argument. Reverse mode.

    c has a number for each number that f returned. The pullback may be called many times.

    >>> value, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 3.0)
    >>> value, pullback([1.0, 0.0]), pullback([0.0, 1.0])
    ([6.0, 5.0], (3.0, 2.0), (1.0, 1.0))
    """
    call = Call(f, primals, {}, all_positions(f, primals))

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        return call.gradients(call.route.pull(directions(cotangent, call.out, "the pullback's argument")))

    return call.value(), pullback


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """H t, the Hessian of f times a vector, for the price of a few calls of f (Pearlmutter, 1994).

    Forward over reverse: how the gradient moves when the arguments move. A tuple if there are several arguments.

    >>> hvp(lambda x: x[0] ** 2 * x[1], ([3.0, 5.0],), ([1.0, 0.0],))
    [10.0, 6.0]
    """
    chosen = all_positions(f, primals)
    return jvp(grad(f, chosen if len(chosen) > 1 else 0), primals, tangents)[1]


def gradient(output: Value, inputs: Any, create_graph: bool = False) -> Any:
    """d output / d inputs of what has been recorded already, in the structure of `inputs`; no `grad` changes.

    Inputs are Values, leaves or inner nodes, one or a list or an array of them; one on which the output does not
    depend gets 0.0. With `create_graph` the gradients are Values that can be differentiated again.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> z = y * x
    >>> gradient(z, [x, y])
    [27.0, 3.0]
    >>> gradient(gradient(z, x, create_graph=True), x)
    18.0
    """
    if not isinstance(output, Value):
        raise TypeError(f"the output must be a Value. Received: {kind(output)}")
    nodes = [*leaves(inputs)]
    for x in nodes:
        if not isinstance(x, Value):
            raise TypeError(f"each input must be a Value. Received: {kind(x)}")
    slopes = Route([output], nodes, create_graph, through=True).pull([1.0])
    return rebuild(inputs, map(as_value if create_graph else float, slopes))


# Are they right? --------------------------------------------------------------------------------------------------


def check_gradient(f: Function, *xs: Any, order: int = 2, tolerance: float = 1e-6) -> None:
    """Compare the derivatives of f at xs, up to `order`, with finite differences of those of one order less.

    f may take and return whatever `jacobian` accepts. `tolerance` is relative; where a derivative vanishes, what
    the differences themselves cannot resolve is allowed for. With n numbers in xs, order k takes some 20 n^k
    evaluations of f.

    Raises AssertionError naming the derivative, the point, what was got and what was expected. A kink or a jump
    at xs is an error too: no derivative is right there.

    >>> check_gradient(lambda x: x.tanh(), 0.5)
    >>> from autograd import Op
    >>> wrong = Op("wrong", "x^2", lambda x: x * x, lambda g, out, x: 2.002 * g * x)
    >>> check_gradient(wrong, 3.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: d f / d x at x = 3.0: got 6.006, expected 6 ± ...
    """
    positions(f, 0)  # a look at f
    order = whole("check_gradient", "order", order)
    tolerance = number(tolerance)
    if not tolerance > 0.0:
        raise ValueError(f"check_gradient needs tolerance above 0. Received: tolerance={tolerance}")
    names = [*places(xs[0], "x")] if len(xs) == 1 else [*places(xs, "x")]
    point = [x.data if isinstance(x, Value) else number(x) for x in leaves(xs)]
    if not point:
        raise ValueError(f"check_gradient needs a number in xs. Received: xs={xs}")
    where = ", ".join(f"{name} = {x!r}" for name, x in list(zip(names, point, strict=True))[:8])
    where += ", ..." if len(names) > 8 else ""
    with no_grad():
        labels = [*places(f(*rebuild(xs, map(Value, point))), "f")]

    def lower(numbers: list[Any]) -> list[Any]:  # f as a function of one flat list; later on its derivatives
        return [*leaves(f(*rebuild(xs, iter(numbers))))]

    for _ in range(order):
        slopes = jacobian(lower)
        columns = zip(*slopes(point), strict=True)
        for j, (name, column) in enumerate(zip(names, columns, strict=True)):
            expected, error, size = central_difference(lower, point, j)
            got = np.array(column, float)
            slack = np.minimum(4.0 * error, tolerance * size)
            right = abs(got - expected) <= tolerance * np.maximum(abs(got), abs(expected)) + slack
            for i in np.flatnonzero(~right)[:1]:
                raise AssertionError(
                    f"d {labels[i]} / d {name} at {where}: got {got[i]:.12g}, "
                    f"expected {expected[i]:.12g} ± {error[i]:.1g}"
                )
        labels = [f"(d {label} / d {name})" for label in labels for name in names]
        lower = partial(flat, slopes)


def flat(f: Function, numbers: list[Any]) -> list[Any]:
    return [*leaves(f(numbers))]


def places(tree: Any, name: str) -> Iterator[str]:
    """A name for each number in a structure: `x[0]['w'][2, 1]`."""
    if isinstance(tree, np.ndarray) and tree.ndim:
        yield from (f"{name}{list(index)}" for index in np.ndindex(tree.shape))
    elif isinstance(tree, (list, tuple, dict)):
        for key, branch in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(branch, f"{name}[{key!r}]")
    else:
        yield name


def central_difference(f: Function, point: list[float], j: int) -> tuple[Any, Any, Any]:
    """(f(x + h) - f(x - h)) / 2h along number j, for every output: (estimates, errors, sizes of f there).

    Its error is a series in h^2. So h is halved again and again, the leading terms are taken out of neighbouring
    estimates (Richardson, 1911), and each output keeps the one that agrees best with its neighbours (Ridders,
    1982), until rounding, which grows with 1 / h, is worse than what is left. Steps that leave the domain of f give
    nan, which never agrees.
    """

    def at(x: float) -> Any:
        with no_grad():
            return np.array([float(y) for y in f([*map(Value, [*point[:j], x, *point[j + 1 :]])])])

    h = 0.01 * max(1.0, abs(point[j]))
    row: list[Any] = []
    best, error, size = (np.full(len(at(point[j])), fill) for fill in (math.nan, math.inf, 0.0))
    for _ in range(40):
        left, right = point[j] - h, point[j] + h
        with np.errstate(all="ignore"):
            below, above = at(left), at(right)
            scale = np.maximum(abs(below), abs(above))
            size = np.where(np.isfinite(scale), np.maximum(size, scale), size)
            noise = np.finfo(float).eps * scale / h
            wider, row = row, [(above - below) / (right - left)]
            for k, coarser in enumerate(wider[:6]):
                row.append(row[k] + (row[k] - coarser) / (4.0 ** (k + 1) - 1.0))
            for k in range(2, len(row)):  # two neighbours may agree by chance, three will not
                doubt = noise + reduce(
                    np.maximum, [abs(row[k] - x) for x in (row[k - 1], row[k - 2], wider[k - 1])]
                )
                better = doubt < error
                best, error = np.where(better, row[k], best), np.where(better, doubt, error)
        if np.all((noise >= error) & np.isfinite(error)):
            break
        h /= 2.0
    return best, error, size
