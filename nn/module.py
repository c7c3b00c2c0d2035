"""Module: a part of a model. It finds its parameters, names them, and marks what is recorded in its call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.compiler.traced import assume
from autograd.context import Context, Scope, context, no_grad, within
from autograd.ops import number
from autograd.value import NO_GRADIENT, Constant, Value
from autograd.vector import Vector

from .activations import Activation
from .checks import entries, function, is_list, one_line, text

if TYPE_CHECKING:
    from .summary import Summary

current = context.get
building: ContextVar[bool] = ContextVar("building", default=False)  # whether a module is being constructed
SCOPES_REMEMBERED = 100
NOTHING = Scope("nothing")
KEPT = ("_entered", "_scopes", "_watched")  # working memory, of which copies and pickles begin without
PLAIN, RECORDED = {float}, {Value, Constant}


class ModuleScope(Scope):
    """The scope of a module's call; `path` is where the module stands in its model."""

    __slots__ = ("path",)

    def __init__(self, name: str, title: str, level: str, parent: Scope | None, path: str) -> None:
        super().__init__(name, title, level, parent)
        self.path = path


class Naming(type):
    """Names the parameters once the outermost module is constructed, whoever calls `super().__init__` or not."""

    def __call__(cls, *args: Any, **named: Any) -> Any:
        outermost = not building.get()
        token = building.set(True)
        try:
            module = super().__call__(*args, **named)
        finally:
            building.reset(token)
        text(type(module).__name__, "label", module.label)
        if outermost:
            label_parameters(module)
        return module


class Module(metaclass=Naming):
    """A part of a model: make the parameters, Values or modules, in `__init__`; write the equation in `__call__`.

    Parameters are found in the attributes, also within lists, tuples, dicts and arrays of Values, in the order in
    which the attributes were set; a shared one counts once. Attributes whose names begin with `_` are working
    memory and are not searched. Directly after construction each parameter without a label gets its path for one.
    What `__call__` records carries the module in its scope: pictures draw it as a cluster.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slopes, self.offset = [Value(2.0), Value(3.0)], Value(1.0)
    ...
    ...     def __call__(self, x):
    ...         return self.slopes[0] * x[0] + self.slopes[1] * x[1] + self.offset
    >>> line = Line()
    >>> line([1.0, 1.0]), [p.label for p in line.parameters()]
    (Value(data=6.0), ['slopes[0]', 'slopes[1]', 'offset'])
    """

    buffers: tuple[str, ...] = ()  # attributes with numbers that it remembers, but that no gradient trains
    label: str = ""  # a name for it in drawings, and the first part of its parameters' labels
    level: str = "model"  # how large a part: "model", "layer" or "neuron"; drawings collapse by it
    _path: str = ""
    _training: bool = True
    _entered: tuple[Context | None, Context] = (None, Context(scope=NOTHING))
    _watched: Scope | None = NOTHING  # the scope of the last call under `watching`
    _scopes: dict[Scope | None, ModuleScope] | None = None

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} needs a method __call__, its equation")

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        for name in ("__call__", "batch"):
            if name in vars(cls):
                setattr(cls, name, in_scope(vars(cls)[name]))

    def batch(self, samples: Sequence[Any]) -> list[Any]:
        """The outputs for a list of samples. A module in which the samples meet, as in `BatchNorm`, does it its way."""
        return [self(x) for x in entries(self._named(), "samples", samples)]

    # What is inside -------------------------------------------------------------------------------------------------

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Itself, with the path "", and each module in it, with its path, such as `layers.0.neurons.1`."""
        return ((path, part) for part, path in contents(self).items() if isinstance(part, Module))

    def modules(self) -> list[Module]:
        """Itself, and all modules in it."""
        return [part for _, part in self.named_modules()]

    def apply(self, change: Callable[[Module], Any]) -> Any:
        """Call `change` with each module inside, inner ones first, and with itself; returns itself.

        >>> from nn import MLP, Neuron
        >>> def without_bias(module):
        ...     if isinstance(module, Neuron):
        ...         module.b = None
        >>> MLP(2, [3, 1]).apply(without_bias).count_parameters()
        9
        """
        function("apply", "change", change)
        for module in reversed(self.modules()):
            change(module)
        return self

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Each parameter with its path, such as `layers.0.neurons.1.w[2]`."""
        return ((path, p) for p, path in contents(self).items() if isinstance(p, Value))

    def named_buffers(self) -> Iterator[tuple[str, Value]]:
        """Each number that a module remembers without being trained, such as a running mean, with its path."""
        for path, module in self.named_modules():
            found: dict[Any, str] = {}
            for name in module.buffers:
                collect(getattr(module, name), name, name, True, found)
            yield from ((f"{path}.{own}" if path else own, v) for v, own in found.items())

    def count_parameters(self, trainable: bool = False) -> int:
        """How many parameters there are, or, with `trainable`, those alone that are not frozen."""
        return sum(p.requires_grad or not trainable for p in self.parameters())

    def parameters(self) -> list[Value]:
        """All parameters, each once, in a fixed order; frozen ones, which require no gradient, among them."""
        return [p for p in contents(self) if isinstance(p, Value)]

    def summary(self, x: Any = None, *more: Any) -> Summary:
        """Its parts with their shapes, activations and numbers of parameters, as a table; a call with a sample x shows
        the shapes that no part knows by itself. `nn.summary` says how it is read.

        >>> from nn import MLP
        >>> print(MLP(784, [128, 10]).summary())
        MLP(784, [128, 10])
        layer     inputs -> outputs  activation  weights  biases  parameters
        layers.0         784 -> 128  relu        100,352     128     100,480
        layers.1          128 -> 10  identity      1,280      10       1,290
        total                                    101,632     138     101,770
        depth: 1 hidden layer
        """
        from .summary import summary  # it knows the modules that are made of this one

        return summary(self, x, *more)

    def zero_grad(self) -> None:
        """Forget the gradients: they are as they were before any backward, equal to 0."""
        for p in self.parameters():
            p.grad = NO_GRADIENT

    # Modes ----------------------------------------------------------------------------------------------------------

    @property
    def training(self) -> bool:
        """Whether it is being trained, True at first: `Dropout` and `BatchNorm` then do other than in use."""
        if current().tracer:
            assume(self._mode)  # what is compiled holds for this mode alone
        return self._training

    def _mode(self) -> bool:
        return self._training

    def train(self, training: bool = True) -> Any:
        """From now on it is being trained, with all modules in it; returns itself."""
        for module in self.modules():
            module._training = training
        return self

    def eval(self) -> Any:
        """From now on it is in use, with all modules in it, and not being trained; returns itself."""
        return self.train(False)

    def freeze(self, frozen: bool = True) -> Any:
        """From now on no gradient is computed for its parameters, and no optimiser moves them; returns itself.

        >>> from nn import MLP
        >>> model = MLP(2, [3, 1])
        >>> model.layers[0].freeze().count_parameters(trainable=True), model.count_parameters(trainable=True)
        (0, 4)
        """
        for p in self.parameters():
            p.requires_grad = not frozen
        return self

    def unfreeze(self) -> Any:
        """Undo `freeze`; returns itself."""
        return self.freeze(False)

    def __repr__(self) -> str:
        own = [x for x in contents(self, deep=False) if isinstance(x, Module) and x is not self]
        shown = f"{type(self).__name__} of [{', '.join(map(repr, own))}]" if own else self._title()
        return one_line(shown, len(shown))

    def _repr_html_(self) -> str | None:
        """How a notebook shows it, beside the text of `repr`: as its summary."""
        return Module.summary(self)._repr_html_()  # a model's own `summary` may be anything

    def _title(self) -> str:
        """What errors and drawings call it: its class and sizes."""
        return type(self).__name__

    def _named(self) -> str:
        """The same, after its path inside a model: `layers.0: Layer(2, 16)`."""
        shown = f"{self._path}: {self._title()}" if self._path else self._title()
        return one_line(shown, len(shown))

    def _enter(self, now: Context) -> Context:
        """The context of a call out of `now`: the scope is the same one in every call from the same place."""
        parent = now.scope
        if self._scopes is None or len(self._scopes) > SCOPES_REMEMBERED:  # callers with ever new scopes
            self._scopes = {}
        scope = self._scopes.get(parent)
        if scope is None:
            name = self._path or self.label or type(self).__name__
            if isinstance(parent, ModuleScope) and parent.path and name.startswith(parent.path + "."):
                name = name[len(parent.path) + 1 :]
            scope = self._scopes[parent] = ModuleScope(name, self._title(), self.level, parent, self._path)
        inside = now.but(scope=scope)
        if now.watch is None:
            self._entered = (now, inside)
        return inside

    def __getstate__(self) -> dict[str, Any]:
        return {name: x for name, x in vars(self).items() if name not in KEPT}


def in_scope(call: Callable[..., Any]) -> Callable[..., Any]:
    """A module's `__call__`, recording within its scope. A neuron is called often: the context is kept ready."""

    @wraps(call)
    def scoped(self: Module, *inputs: Any, **named: Any) -> Any:
        now = current()
        outside, inside = self._entered
        if now is not outside:
            if now.scope is inside.scope or now.scope is self._watched:  # __call__ out of super or batch
                return call(self, *inputs, **named)
            if now.watch is not None:
                return watched(call, self, now, inputs, named)
            inside = self._enter(now)
        token = context.set(inside)
        try:
            if len(inputs) == 1 and not named:  # the usual call, and the faster one
                return call(self, inputs[0])
            return call(self, *inputs, **named)
        finally:
            context.reset(token)

    return scoped


def watching(callback: Callable[[Module, tuple[Any, ...], Any], None]) -> AbstractContextManager[None]:
    """Within `with watching(callback):` each module's call ends in callback(module, its inputs, what it returned).

    >>> from nn import MLP
    >>> with watching(lambda module, inputs, output: print(module._title(), "->", output)):
    ...     _ = MLP(1, [1], init="ones")([2.0])
    Neuron(1) -> Value(data=2.0)
    Layer(1, 1) -> Value(data=2.0)
    MLP(1, [1]) -> Value(data=2.0)
    """
    return within(watch=function("watching", "callback", callback))


def watched(
    call: Callable[..., Any], module: Module, now: Context, inputs: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """A module's call of which `now.watch` is told."""
    inside = module._enter(now)
    module._watched, token = inside.scope, context.set(inside)
    try:
        output = call(module, *inputs, **named)
    finally:
        context.reset(token)
    if call.__name__ == "__call__" and now.watch is not None:
        now.watch(module, inputs, output)
    return output


@contextmanager
def in_use(model: Module) -> Iterator[None]:
    """Nothing is recorded and nothing dropped; afterwards each module is in the mode in which it was."""
    modes = [(module, module._training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, training in modes:
            module._training = training


# Finding what is inside -------------------------------------------------------------------------------------------


def contents(module: Module, deep: bool = True) -> dict[Any, str]:
    """The parameters and modules in a module, itself first, each with its path, in the order of the attributes;
    not `deep`: without what those modules contain."""
    found: dict[Any, str] = {module: ""}
    for name, part in attributes(module):
        collect(part, name, name, deep, found)
    return found


def attributes(module: Module) -> Iterator[tuple[str, Any]]:
    """Where parameters and modules are looked for."""
    remembered = module.buffers
    return (
        item for item in vars(module).items() if not item[0].startswith("_") and item[0] not in remembered
    )


def collect(part: Any, dotted: str, path: str, deep: bool, found: dict[Any, str]) -> None:
    """A module's path has its place in a list as `layers.0`, a Value's as `w[0]`: until we know, we carry both."""
    if isinstance(part, Value):
        if part.op is None and part not in found:
            found[part] = path
    elif isinstance(part, Module):
        if part not in found:
            found[part] = dotted
            for name, inner in attributes(part) if deep else ():
                collect(inner, f"{dotted}.{name}", f"{dotted}.{name}", deep, found)
    elif isinstance(part, (list, tuple, dict)) or (isinstance(part, np.ndarray) and part.dtype == object):
        for key, inner in part.items() if isinstance(part, dict) else enumerate(part):
            collect(inner, f"{dotted}.{key}", f"{path}[{key}]", deep, found)
    elif isinstance(part, Activation):  # its function may be a module, with parameters
        collect(part.function, dotted, path, deep, found)


def label_parameters(module: Module) -> None:
    """Give each parameter its path as label, and each inner module its path. A label that somebody chose stays:
    one given here ends the longer path that it gets when its module becomes a part of another."""
    for part, path in contents(module).items():
        if isinstance(part, Module) and part is not module:
            part._path = path
            part._scopes = None  # it may have been called, under its shorter path, before
            part._entered = Module._entered
    for path, v in (*module.named_parameters(), *module.named_buffers()):
        path = f"{module.label}.{path}" if module.label else path
        if path.endswith(v.label):
            v.label = path


# Checking what comes in -------------------------------------------------------------------------------------------


def sample(module: Module, x: Any, n: int) -> Vector:
    """x as the n inputs of a module, wrapped to be read together: Values all, or floats all."""
    vector = x if isinstance(x, Vector) else Vector(scalars(module, x, n), fixed=not current().tracer)
    if len(vector) != n:
        raise wrong_size(module, n, len(vector))
    return vector


def sequence(module: Module, xs: Any, n: int) -> list[Vector]:
    """xs as a list of vectors of n numbers each: the steps of a sequence."""
    steps = [sample(module, x, n) for x in entries(module._named(), "vectors", xs)]
    if not steps:
        raise ValueError(f"{module._named()} needs a sequence of at least one vector. Received: none.")
    return steps


def grid(module: Module, x: Any, sizes: Sequence[int | None]) -> Any:
    """x as an array of Python objects with these sizes, where None is any from 1: Values all, or floats all."""
    wanted = "(" + ", ".join("any" if n is None else str(n) for n in sizes) + ")"
    try:
        array = np.asarray(x) if isinstance(x, np.ndarray) else np.array(nested(x), dtype=object)
    except ValueError:
        raise ValueError(
            f"{module._named()} needs an array of shape {wanted}. Received: lists of different lengths."
        ) from None
    fits = len(array.shape) == len(sizes) and all(
        n > 0 and wish in (None, n) for wish, n in zip(sizes, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"{module._named()} needs an array of shape {wanted}. Received: shape {array.shape}."
        )
    numbers = np.empty(array.size, dtype=object)
    numbers[:] = scalars(module, array.ravel(), array.size)
    return numbers.reshape(array.shape)


def nested(x: Any) -> Any:
    """Nested lists, tuples and arrays as nested lists; Values and numbers as they are."""
    if isinstance(x, np.ndarray):
        return x.tolist()
    return [nested(part) for part in x] if isinstance(x, (list, tuple)) or hasattr(x, "__next__") else x


def wrong_size(module: Module, n: int, received: int) -> ValueError:
    return ValueError(f"{module._named()} needs {n} input{'s' * (n != 1)}. Received: {received}.")


def scalars(module: Module, x: Any, n: int | str) -> tuple[Any, ...]:
    """The numbers of one sample: a list, tuple, generator or row of an array, or a single number or Value."""
    if isinstance(x, np.ndarray):
        if x.ndim > 1:
            raise ValueError(
                f"{module._named()} needs one sample of {n} inputs at a time."
                f" Received: an array of shape {x.shape}."
            )
        x = x.tolist()
    if isinstance(x, (Value, float, int, np.number)):
        x = (x,)
    if not is_list(x):
        raise TypeError(f"{module._named()} needs {n} numbers or Values. Received: {type(x).__name__}.")
    xs = tuple(x)
    kinds = set(map(type, xs))
    if kinds == PLAIN or kinds <= RECORDED:
        return xs
    values = any(isinstance(v, Value) for v in xs)
    return tuple([one(module, v, n, values) for v in xs])


def one(module: Module, x: Any, n: int | str, values: bool) -> Any:
    """One input: a float, or among Values a constant."""
    if isinstance(x, Value):
        return x
    try:
        return Constant(x) if values else number(x)
    except TypeError:
        what = f"an array of shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(
            f"{module._named()} needs {n} numbers or Values. Received: {what} among them."
        ) from None
