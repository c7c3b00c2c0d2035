"""compile: a function of scalars in, a program of arrays out."""

from __future__ import annotations

import functools
import gc
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import among, function, whole
from ..context import current
from ..ops import Op, number
from ..value import Value
from .store import Bound, Store

if TYPE_CHECKING:
    from .build import Built
    from .record import Recorded

UNSIGNED = {char: np.dtype(char.upper()) for char in "bhilqBHILQ"}
DTYPES = {"float64": np.float64, "float32": np.float32}
DRAWN = 60  # lines of a program that a notebook draws, at most
Shapes = Sequence[tuple[int, ...]]


class Program:
    """A compiled function; `compile` makes it.

    Called with arrays, it returns what the function returns, for each sample of a batch; `value_and_grad` returns the
    function's mean over the batch and its gradient. The first call for samples of a shape records and compiles.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        wrt: Any = None,
        batch: bool = False,
        reduction: str = "mean",
        dtype: Any = "float64",
        seed: int = 0,
        record: Callable[[Shapes], tuple[Recorded, Any]] | None = None,
        take_over: bool = False,
    ) -> None:
        if not callable(f):
            raise TypeError(f"compile needs a function. Received: {type(f).__name__}")
        if not among(reduction, ("mean", "sum")):
            raise ValueError(f"reduction must be 'mean' or 'sum'. Received: {reduction!r}")
        name = getattr(dtype, "__name__", None) or str(dtype)
        if name not in DTYPES:
            raise ValueError(f"dtype must be 'float64' or 'float32'. Received: {dtype!r}")
        functools.update_wrapper(self, f, updated=())
        self.f, self.batch, self.reduction, self.dtype = f, bool(batch), reduction, np.dtype(DTYPES[name])
        self.rng, self.take_over = np.random.default_rng(whole("compile", "seed", seed, 0)), take_over
        self.wrt, self.wrt_values, self.single = wrt, *parameters_of(wrt)
        self.title = re.sub(r"[^\w.]+", " ", getattr(f, "__name__", type(f).__name__)).strip()
        self.record: Callable[[Shapes], tuple[Recorded, Any]] = (
            self.record_call if record is None else function("compile", "record", record)
        )
        self.versions: dict[Any, Version] = {}
        self.direct_forward: dict[int, Callable[..., Any]] = {}  # for so many floats
        self.direct_gradient: dict[int, Callable[..., Any]] = {}
        self.last: Version | None = None
        self.recent: list[tuple[int, ...]] | None = None  # the shapes of the last call's arguments
        self.assumed: dict[Callable[[], Any], None] = {}  # what the versions rest on: see `assume`
        self.modes: tuple[Any, ...] = ()  # what these returned at the last call
        self.lock = RLock()
        self.store: Store | None = None
        self.p: Any = np.zeros(0, self.dtype)

    # Calling ------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> Any:
        """f of each sample of the batch, as an array; without a batch, f of the one sample."""
        direct = self.direct_forward.get(len(args))
        if direct is not None and not current().anomaly:
            for x in args:
                if type(x) is not float:
                    break
            else:
                return direct(*args)
            if {*map(type, args)} <= {int, float}:
                return direct(*map(float, args))
        with self.lock:  # a program's working memory is for one call at a time
            arrays, version = self.version(args)
            out = version.forward(arrays)
            self.offer(version, "forward", self.direct_forward, args)
        return self.sound(out)

    def value_and_grad(self, *args: Any) -> tuple[float, Any]:
        """(the mean of f over the batch, or the sum; its gradient in the order of `wrt`)."""
        direct = self.direct_gradient.get(len(args))
        if direct is not None and not current().anomaly:
            for x in args:
                if type(x) is not float:
                    break
            else:
                return direct(*args)  # type: ignore[no-any-return]
            if {*map(type, args)} <= {int, float}:
                return direct(*map(float, args))  # type: ignore[no-any-return]
        with self.lock:
            arrays, version = self.version(args)
            found = version.gradient(arrays)
            self.offer(version, "gradient", self.direct_gradient, args)
        self.sound(found)
        return found

    def sound(self, found: Any) -> Any:
        """What was found, or in `detect_anomaly()` an error if there is a nan or inf in it."""
        if current().anomaly and not all(np.isfinite(x).all() for x in arrays_in(found)):
            raise FloatingPointError(
                f"{self!r} computed a nan or an inf; call {self.title} as it was before it was compiled to see where"
            )
        return found

    def offer(self, version: Version, kind: str, direct: dict[int, Any], args: Sequence[Any]) -> None:
        """From now on, call the function for this many floats directly, if it can be."""
        always = not self.assumed and {*map(type, args)} <= {int, float}
        call = version.direct(kind) if always else None
        if call is not None:
            direct[len(args)] = call

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(
            f"{self!r} cannot be copied or pickled: it is bound to its parameters. Copy the model, and compile again."
        )

    def forget(self) -> None:
        """Outdated: record and compile anew."""
        self.recent = None
        self.versions.clear()
        self.direct_forward.clear()
        self.direct_gradient.clear()

    @property
    def source(self) -> str:
        """The text of what has been compiled, for samples of the shape that came last."""
        if self.last is None or not self.last.built:
            raise RuntimeError(
                "a program has a source once it was called: it learns shapes from its arguments"
            )
        return "\n\n".join(built.source for built in self.last.built.values())

    def draw(self) -> Any:
        """The program's arrays, and which is computed from which, as a graphviz.Digraph."""
        from .picture import draw

        if self.last is None or not self.last.built:
            raise RuntimeError(
                "a program has a picture once it was called: it learns shapes from its arguments"
            )
        return draw([*self.last.built.values()][-1])

    def __repr__(self) -> str:
        return f"<program {self.title}, {self.compiled}>"

    @property
    def compiled(self) -> str:
        """What it is compiled for, in words."""
        n = len(self.versions)
        return f"compiled for {n} shape{'s' * (n != 1)}" if n else "compiled when it is called"

    def _repr_html_(self) -> str | None:
        """How a notebook shows it, beside the text of `repr`: its arrays as a picture, if that is small; its source."""
        if self.last is None or not self.last.built:
            return None
        from .. import display

        *_, drawn = self.last.built.values()
        svg = display.picture(self.draw()) if drawn.source.count("\n") < DRAWN else None
        return (display.image(svg, f"Arrays of {self.title}") if svg else "") + display.code(self.source)

    # Arguments ----------------------------------------------------------------------------------------------------

    def version(self, args: Sequence[Any]) -> tuple[list[Any], Version]:
        """The arguments as arrays, and what is compiled for samples of their shapes."""
        arrays = [
            a
            if type(a) is np.ndarray and (a.dtype == self.dtype or a.dtype.kind in "iu")
            else self.array(k, a)
            for k, a in enumerate(args)
        ]
        shapes = [a.shape for a in arrays]
        modes = tuple([read() for read in self.assumed]) if self.assumed else ()
        if (
            shapes == self.recent
            and modes == self.modes
            and self.last
            and not (self.store is not None and self.store.changed())
        ):
            return arrays, self.last  # as the last time
        if self.batch:
            self.check_batch(arrays)
            key = tuple([shape[1:] for shape in shapes])
        else:
            key = tuple(shapes)
        if self.store is not None and self.store.changed() and self.store.refresh():
            self.forget()  # frozen or freed since: other gradients are wanted
        version = self.versions.get((key, modes))
        if version is None:
            version = Version(self, key)  # which may find that the others are outdated
            modes = tuple([read() for read in self.assumed])
            self.versions[key, modes] = version
        self.modes = modes
        if version is not self.last:
            self.last = version
            self.direct_forward.clear()  # so that whoever is called next comes by here, and is the last one
            self.direct_gradient.clear()
        self.recent = shapes
        return arrays, version

    def hold(self, values: list[Value]) -> None:
        """Have these parameters in the one array that all versions read. The first ones are those that it has had."""
        if self.store is not None:
            if self.store.values == values:
                return
            self.store.let_go()
            self.forget()
        own = self.dtype if self.take_over else np.dtype(np.float64)
        self.store = Store(values, own, len(self.wrt_values) if self.take_over else 0)
        self.p = self.store.array if own == self.dtype else np.zeros(len(values), self.dtype)

    def fetch(self) -> None:
        """Before a call: bring in parameters that live elsewhere."""
        if self.store is not None:
            if self.store.shared:
                self.store.fetch()
            if self.p is not self.store.array:
                self.p[...] = self.store.array

    def array(self, k: int, x: Any) -> Any:
        if isinstance(x, Value) or callable(getattr(x, "backward", None)):
            raise TypeError(
                f"a compiled program takes numbers and arrays; within another function call {self.title} as it was "
                f"before it was compiled. Received: {type(x).__name__} as argument {k}"
            )
        try:
            array = np.asarray(x)
            if array.dtype.kind == "O":
                array = np.array([number(item) for item in array.flat], self.dtype).reshape(array.shape)
        except (TypeError, ValueError):
            array = np.asarray("")
        if array.dtype.kind not in "biuf":
            raise TypeError(
                f"a compiled program takes numbers, and arrays of numbers. Received: {type(x).__name__} as argument {k}"
            )
        return array if array.dtype.kind in "iu" else array.astype(self.dtype, copy=False)

    def check_batch(self, arrays: Sequence[Any]) -> None:
        if not arrays:
            raise TypeError(
                f"{self.title} was compiled with batch=True: it needs an argument that tells the size of the batch. "
                "Received: none"
            )
        sizes = {len(a) if a.ndim else None for a in arrays}
        if len(sizes) != 1 or None in sizes or 0 in sizes:
            shown = ", ".join(str(a.shape) for a in arrays)
            raise ValueError(
                f"{self.title} was compiled with batch=True: each argument needs a leading axis of the same size, at "
                f"least 1, one entry a sample. Received: {shown}"
            )

    # Recording ----------------------------------------------------------------------------------------------------

    def record_call(self, shapes: Shapes) -> tuple[Recorded, Any]:
        """f recorded on a sample of these shapes, and the structure of what it returned."""
        from .record import Recorded, Recording, to_graph

        with undisturbed():
            recording = Recording(self.f, shapes)
            flat = [*flatten(recording.output)]
            recording.check_draws()
            self.assumed.update(recording.notes.assumed)
            updated = recording.notes.updates
            wanted = [*flat, *updated.values()]
            first = in_their_order(wanted, self.wrt_values) if self.store is None else self.store.values
            graph, nodes, parameters = to_graph(
                wanted, recording.inputs, first, recording.made_here, self.batch
            )
            outputs, updates = nodes[: len(flat)], [*zip(updated, nodes[len(flat) :], strict=True)]
            if any(graph.varies[node] for _, node in updates):
                raise TypeError(
                    "what is remembered after a call must be the same for all samples: see batch_mean"
                )
            trees = structure(recording.output, iter(outputs))
        places = None if self.wrt is None else list(range(len(self.wrt_values)))
        recorded = Recorded(
            graph, outputs, recording.names, [*shapes], parameters, places, self.title, updates
        )
        return recorded, trees


def passes() -> Any:
    """The passes that follow a recording: imported by the first program that is compiled, not with the package."""
    from . import build

    return build


class Version:
    """A program for samples of one shape. Its functions are built when they are first called."""

    def __init__(self, program: Program, shapes: Shapes) -> None:
        self.program = program
        self.recorded, self.trees = program.record(shapes)
        self.built: dict[str, Built] = {}
        if self.recorded.parameters or program.store is not None:
            program.hold(self.recorded.parameters)
        self.p, self.g = program.p, np.zeros(len(program.wrt_values), program.dtype)

    def ready(self, built: Built, arrays: list[Any]) -> None:
        """Before a call: parameters that live elsewhere, and whether integers are where they must be."""
        self.program.fetch()
        dtype = self.program.dtype
        for k, array in enumerate(arrays):
            if k in built.index_inputs:
                check_index(self.recorded.names[k], array, built.index_inputs[k])
            elif array.dtype != dtype:  # integers that are numbers
                arrays[k] = array.astype(dtype)

    def forward(self, arrays: list[Any]) -> Any:
        built = self.built.get("forward")
        if built is None:
            with undisturbed():
                built = self.built["forward"] = passes().forward(self, self.trees)
        self.ready(built, arrays)
        if built.straight:
            return self.returned_lists(self.trees, built.function(*floats(arrays), *self.parameters(built)))
        with np.errstate(all="ignore"):
            out = built.function(*arrays)
        if self.recorded.updates:
            *out, new = out
            self.remember(new)
            out = tuple(out)
        return self.returned(self.trees, iter(out if type(out) is tuple else (out,)), arrays)

    def remember(self, new: Any) -> None:
        """What a call leaves behind, such as running means."""
        numbers = [x for part in new for x in np.ravel(part).tolist()]
        for (target, _), x in zip(self.recorded.updates, numbers, strict=True):
            target.data = x

    def returned(self, tree: Any, found: Iterator[Any], arrays: list[Any]) -> Any:
        """The arrays in the structure of what f returned."""
        if isinstance(tree, (tuple, list)):
            return tuple(self.returned(branch, found, arrays) for branch in tree)
        if isinstance(tree, dict):
            return {key: self.returned(branch, found, arrays) for key, branch in tree.items()}
        out = np.asarray(next(found), self.program.dtype)
        if not self.program.batch:
            return out.copy() if tree.ndim else float(out)
        shape = (len(arrays[0]), *tree.shape)
        own = out.shape == shape and out.base is None and not any(out is array for array in arrays)
        return out if own else np.broadcast_to(out, shape).copy()

    def returned_lists(self, tree: Any, found: Any) -> Any:
        """What a straight-line program returned: floats, and arrays of them."""
        if isinstance(tree, tuple):
            return tuple(map(self.returned_lists, tree, found))
        if isinstance(tree, dict):
            return {key: self.returned_lists(tree[key], found[key]) for key in tree}
        return np.array(found, dtype=self.program.dtype) if tree.ndim else float(found)

    def gradient(self, arrays: list[Any]) -> tuple[float, Any]:
        value = self.gradient_in_place(arrays)
        program = self.program
        if self.built["gradient"].straight:
            return value[0], self.gradient_of_floats(value[1])
        if program.wrt is None:
            value, *slopes = value
            return float(value), self.by_inputs(slopes, arrays)
        return float(value), float(self.g[0]) if program.single else self.g.copy()

    def gradient_of_floats(self, slopes: Any) -> Any:
        """The gradient that a straight-line program returned, as arrays where it is more than a number."""
        program, shapes = self.program, self.recorded.shapes
        if program.single:
            return slopes[0]
        if program.wrt is not None:
            return np.array(slopes, program.dtype)
        if len(shapes) == 1:
            return np.array(slopes, program.dtype).reshape(shapes[0]) if shapes[0] else slopes
        return tuple(
            np.array(slope, program.dtype).reshape(shape) if shape else slope
            for slope, shape in zip(slopes, shapes, strict=True)
        )

    def direct(self, kind: str) -> Callable[..., Any] | None:
        """A straight-line program as a function of floats alone; None where arrays, an index or float32 need care."""
        built, program = self.built[kind], self.program
        if not built.straight or any(self.recorded.shapes) or built.index_inputs or program.dtype != float:
            return None
        function, gradient = built.function, kind == "gradient"
        plain = program.wrt is None if gradient else only_numbers(self.trees)
        if not self.recorded.parameters:
            if plain:
                return function
            if not gradient:
                return lambda *args: self.returned_lists(self.trees, function(*args))

        def with_parameters(*args: float) -> Any:
            store = program.store
            if store is not None and store.changed():
                program.forget()
                return program.value_and_grad(*args) if gradient else program(*args)
            program.fetch()
            found = function(*args, program.p.tolist()) if store is not None else function(*args)
            if plain:
                return found
            if not gradient:
                return self.returned_lists(self.trees, found)
            return found[0], self.gradient_of_floats(found[1])

        return with_parameters

    def by_inputs(self, slopes: list[Any], arrays: list[Any]) -> Any:
        found = []
        for slope, array in zip(slopes, arrays, strict=True):
            slope = np.asarray(slope, self.program.dtype)
            full = np.broadcast_to(
                slope.reshape(array.shape) if slope.size == array.size else slope, array.shape
            )
            found.append(full.copy() if array.ndim else float(full))
        return found[0] if len(found) == 1 else tuple(found)

    def gradient_in_place(self, arrays: list[Any]) -> Any:
        """The value; the gradient by the parameters is left in `g`."""
        with np.errstate(all="ignore"):
            return self.quiet_gradient(arrays)

    def quiet_gradient(self, arrays: list[Any]) -> Any:
        """The same, where NumPy's warnings are off already."""
        built = self.built.get("gradient")
        if built is None:
            self.check_scalar()
            with undisturbed():
                built = self.built["gradient"] = passes().gradient(self)
        self.ready(built, arrays)
        if built.straight:
            return built.function(*floats(arrays), *self.parameters(built))
        found = built.function(*arrays)
        if self.recorded.updates:
            *found, new = found
            self.remember(new)
            return found[0] if len(found) == 1 else tuple(found)
        return found

    def parameters(self, built: Built) -> list[Any]:
        return [self.p.tolist()] if len(self.p) else []

    @functools.cached_property
    def reached(self) -> list[int]:
        """The places in wrt of what a gradient reaches, be it 0: not what is frozen, or detached on every path."""
        from .graph import flows

        graph, seen = self.recorded.graph, {*self.recorded.outputs}
        stack = [*seen]
        while stack:
            i = stack.pop()
            if isinstance(graph.ops[i], Op):
                new = {j for k, j in enumerate(graph.args[i]) if flows(graph.ops[i], k)} - seen
                seen |= new
                stack += new
        return [
            place
            for place, v in enumerate(self.program.wrt_values)
            if v.requires_grad and graph.parameters[place] in seen
        ]

    def check_scalar(self) -> None:
        if not isinstance(self.trees, np.ndarray) or self.trees.ndim:
            raise TypeError(
                f"a gradient is taken of a function that returns one number. Received: {self.program.title} returns "
                f"{'an array of shape ' + str(self.trees.shape) if isinstance(self.trees, np.ndarray) else 'several'}"
            )


def arrays_in(tree: Any) -> Iterator[Any]:
    if isinstance(tree, (tuple, dict)):
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from arrays_in(branch)
    else:
        yield tree


def only_numbers(tree: Any) -> bool:
    """Whether there are no lists in what a function returned."""
    if isinstance(tree, dict):
        return all(map(only_numbers, tree.values()))
    return all(map(only_numbers, tree)) if isinstance(tree, tuple) else not tree.ndim


def floats(arrays: Sequence[Any]) -> list[Any]:
    return [a.ravel().astype(float).tolist() if a.ndim else float(a) for a in arrays]


def check_index(name: str, array: Any, rows: int) -> None:
    unsigned = UNSIGNED.get(array.dtype.char)
    if unsigned is None:
        raise TypeError(f"{name} is used as an index and needs integers. Received: an array of {array.dtype}")
    # As unsigned numbers the negative ones are huge: one look at the maximum is enough
    if array.size and np.maximum.reduce(array.view(unsigned), None) >= rows:
        raise IndexError(
            f"{name} is used as an index from 0 to {rows - 1}. Received: {array.min()} to {array.max()}"
        )


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the garbage collector, which would look at every node again and again: there are no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def in_their_order(outputs: list[Any], wrt: list[Value]) -> list[Value]:
    """wrt, and then the parameters that stand in arrays already, in that order: it spares copies of them."""
    stores: dict[Store, set[Value]] = {}
    from .record import operands_first

    for v in operands_first([v for v in outputs if isinstance(v, Value)], {*wrt}):
        if type(v) is Bound:
            stores.setdefault(v._dx, set()).add(v)
    others = [v for store, read in stores.items() for v in store.values if v in read]
    return [*dict.fromkeys([*wrt, *others])]


def parameters_of(wrt: Any) -> tuple[list[Value], bool]:
    """The Values by which to differentiate, and whether it is a single one."""
    if wrt is None:
        return [], False
    if isinstance(wrt, Value):
        return [wrt], True
    if callable(getattr(wrt, "parameters", None)):
        return list(wrt.parameters()), False
    if isinstance(wrt, (list, tuple)) and all(isinstance(v, Value) for v in wrt):
        if len({*wrt}) < len(wrt):
            raise ValueError(
                "each Value in wrt has one place in the gradient. Received: the same Value twice"
            )
        return list(wrt), False
    shown = type(wrt).__name__
    if isinstance(wrt, (list, tuple)):
        shown += f" with a {next(type(v).__name__ for v in wrt if not isinstance(v, Value))}"
    raise TypeError(
        f"wrt must be a Module, a Value, a list of Values, or None for the inputs. Received: {shown}"
    )


# What a function returns ------------------------------------------------------------------------------------------


def flatten(tree: Any) -> Iterator[Any]:
    if isinstance(tree, np.ndarray):
        yield from tree.ravel().tolist()
    elif isinstance(tree, dict):
        for branch in tree.values():
            yield from flatten(branch)
    elif isinstance(tree, (list, tuple)):
        for branch in tree:
            yield from flatten(branch)
    elif isinstance(tree, (Value, int, float, np.number)):
        yield tree
    else:
        raise TypeError(
            "a compiled function must return numbers, or lists, arrays or tuples of them. "
            f"Received: {type(tree).__name__}"
        )


def structure(tree: Any, nodes: Iterator[int]) -> Any:
    """The same structure with arrays of nodes: lists of one shape are an array; tuples and dicts stay what they are."""
    if isinstance(tree, dict):
        return {key: structure(branch, nodes) for key, branch in tree.items()}
    if isinstance(tree, tuple):
        return tuple(structure(branch, nodes) for branch in tree)
    if isinstance(tree, (list, np.ndarray)):
        branches = [structure(branch, nodes) for branch in tree]
        if all(isinstance(b, np.ndarray) and b.shape == branches[0].shape for b in branches):
            return np.array(branches, dtype=int)
        return tuple(branches)
    return np.array(next(nodes))


# The two ways in --------------------------------------------------------------------------------------------------


def compile(
    f: Any = None,
    *,
    wrt: Any = None,
    batch: bool = False,
    reduction: str = "mean",
    dtype: Any = "float64",
    seed: int = 0,
) -> Any:
    """Compile a function of scalars, written for one sample, into the NumPy that a person would have written.

    f is called once, on inputs without numbers, for each shape of its arguments: a number for a sample that is one,
    an array of them for any other. What it computes is recorded, differentiated by the rules of the table, and
    turned into arrays and products of matrices; see `source`.

        program(X, Y)                   f of each sample: arrays with a leading batch axis in and out
        program.value_and_grad(X, Y)    the mean of f over the batch, and its gradient
        program.source                  the program's text

    `wrt`: a Module or a list of Values gives the gradient as one array in their order, a Value as a float, None the
    gradient by each argument. Parameters, all Values that f reads, are read anew at each call. With `batch=False` there
    is one sample and no batch axis, and a small program is plain Python on floats. `reduction` is "mean" or "sum",
    `dtype` "float64" or "float32"; `seed` begins the random numbers of `autograd.uniform`.

    Integers stay integers: they may be the index of `take`. A Python `if`, float(), int(), an index or a comparison on
    what depends on an input raises TypeError, for it would be decided once and for all.

    >>> import numpy as np
    >>> w = Value(3.0, label="w")
    >>> program = compile(lambda x, y: (w * x - y) ** 2, wrt=[w], batch=True)
    >>> program(np.array([1.0, 2.0]), np.array([3.0, 5.0]))
    array([0., 1.])
    >>> program.value_and_grad(np.array([1.0, 2.0]), np.array([3.0, 5.0]))
    (0.5, array([2.]))

    As a decorator: `@compile`, or `@compile(batch=True)`.
    """
    options = {"wrt": wrt, "batch": batch, "reduction": reduction, "dtype": dtype, "seed": seed}
    return functools.partial(compile, **options) if f is None else Program(f, **options)


def compile_graph(
    outputs: Any, *, inputs: Sequence[Value], wrt: Any = None, dtype: Any = "float64"
) -> Program:
    """Compile what has been recorded already: Values that nobody planned to compile.

    `inputs` are the Values that become the program's arguments, in order, one number each; `outputs` is a Value, or a
    list of them. Other leaves are parameters, whose numbers are read at each call. `wrt` is that of `compile`, and may
    name inputs.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> program = compile_graph(a * b + b, inputs=[a, b])
    >>> program(4.0, 5.0), program.value_and_grad(4.0, 5.0)
    (25.0, (25.0, (5.0, 5.0)))
    """
    if not isinstance(inputs, Iterable) or getattr(inputs, "ndim", 1) == 0:
        raise TypeError(f"compile_graph needs a list of Values as inputs. Received: {type(inputs).__name__}")
    inputs = list(inputs)
    for v in inputs:
        if not isinstance(v, Value):
            raise TypeError(f"each of the inputs must be a Value. Received: {type(v).__name__}")
    flat = [*flatten(outputs)]
    if not any(isinstance(v, Value) for v in flat):
        raise TypeError(
            f"the outputs must be a Value, or a list of Values. Received: {type(outputs).__name__}"
        )
    if len({*inputs}) < len(inputs):
        raise ValueError("each input stands for one argument. Received: the same Value twice")

    def record(shapes: Shapes) -> tuple[Recorded, Any]:
        if len(shapes) != len(inputs) or any(shapes):
            raise TypeError(f"this program takes {len(inputs)} numbers. Received: shapes {[*shapes]}")
        from .record import Recorded, to_graph

        with undisturbed():
            graph, nodes, parameters = to_graph(
                flat, [[v] for v in inputs], parameters_of(wrt)[0], lambda v: False, False
            )
            names = [v.label or f"x{i}" for i, v in enumerate(inputs)]
            trees = structure(outputs, iter(nodes))
        places = None if wrt is None else list(range(len(parameters_of(wrt)[0])))
        return Recorded(graph, nodes, names, [*shapes], parameters, places, "graph"), trees

    def graph(*args: float) -> Any:  # only for its name
        raise RuntimeError("a recorded graph is not called")

    return Program(graph, wrt=wrt, dtype=dtype, record=record)
