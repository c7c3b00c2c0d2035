"""How a large graph collapses: the values that one module recorded become one group, at the level that is asked for.

    places    the module in which each value was recorded; what is called again on its own results, step by step
    homes     the group of each value at one level: a module, or, outside all modules, what is computed alike
    parted    groups that wait for each other are parted, so that arrows lead from operands to results alone
    groups    all groups of a level with what they read, and how many values go from one to the other

Two ideas keep this short. Modules nest, so a level is a rule which of the modules around a value is meant. And a
network that runs along a sequence is recorded as it unfolds in time: how often the same weights were met on the way
to a value is the step to which it belongs.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from . import ops
from .context import Scope
from .value import NO_GRADIENT, Constant, Value, topological
from .vector import Vector

LEVELS = ("scalar", "neuron", "layer", "block", "model")
SIZES = ("neuron", "layer", "model")  # of modules; a block is the largest layer around a value
FEW = 8  # so many leaves with labels, read together, are told one by one


class Step(Scope):
    """One step of a module that is called again and again on what it returned before."""

    __slots__ = ("number", "of", "whole")

    def __init__(self, whole: Scope, parent: Scope | None, number: int = 0, of: int = 0) -> None:
        super().__init__(whole.name, whole.title, whole.level, parent)
        self.whole, self.number, self.of = whole, number, of


def whole(scope: Scope | None) -> Scope | None:
    """The module itself, of a step of it."""
    return scope.whole if isinstance(scope, Step) else scope


def chain(scope: Scope | None) -> list[Scope]:
    """A scope with those around it, outermost first."""
    scopes: list[Scope] = []
    while scope is not None:
        scopes.insert(0, scope)
        scope = scope.parent
    return scopes


def natural(scope: Scope) -> list[Any]:
    """Sorts neurons.10 behind neurons.9."""
    name = [float(part) if part.isdecimal() else part for part in re.split(r"(\d+)", scope.name)]
    return [*name, getattr(scope, "number", 0)]


def full_name(scope: Scope) -> str:
    return ".".join(s.name for s in chain(scope))


def title_of(scope: Scope) -> str:
    """What a picture calls a module: `cells.0: LSTMCell(4, 8)`."""
    return scope.name if scope.title in ("", scope.name) else f"{scope.name}: {scope.title}"


def step_of(scope: Scope) -> str:
    """`step 1 of 8`, or nothing."""
    return f"step {scope.number} of {scope.of}" if isinstance(scope, Step) and scope.number else ""


def group_at(scope: Scope | None, level: str) -> Scope | None:
    """The module of that level in which something was recorded: for "neuron", "layer" and "model" the innermost of at
    least that size; for "block" the outermost layer, so attention with the layers in it. Where none is so large, it is
    the largest."""
    around = chain(scope)
    layers = [s for s in around if s.level in ("neuron", "layer")]
    if level == "block" and layers:
        return layers[0]
    sizes = SIZES[SIZES.index("model" if level == "block" else level) :]
    large = [s for s in around if s.level in sizes]
    return large[-1] if large else around[0] if around else None


def merged(outputs: Sequence[Value]) -> list[Value]:
    """The inner nodes behind all outputs, each once, operands before results."""
    if len(outputs) == 1:
        return topological(outputs[0])
    return topological(Value(0.0, tuple(reversed(outputs))))[:-1]


def parameters(outputs: Sequence[Value]) -> dict[Value, Scope]:
    """The leaves that belong to a module, with the module: weights and biases, and what bears a module's path."""
    owners: dict[Value, Scope] = {}
    for v in merged(outputs):
        if v.scope is None:
            continue
        own = (*v._x[0], v._x[2]) if v.op is ops.dot else v.operands
        for x in own:
            if isinstance(x, Value) and not x.op and x not in owners:
                owner = v.scope
                if v.op is not ops.dot:
                    named = [
                        s
                        for s in chain(v.scope)
                        if x.label.startswith((str(getattr(s, "path", "")) or "\0") + ".")
                    ]
                    if not named:
                        continue
                    owner = named[-1]
                owners[x] = owner
    return owners


# Steps in time ----------------------------------------------------------------------------------------------------


def places(inner: Sequence[Value], owners: dict[Value, Scope]) -> dict[Value, Scope | None]:
    """The scope of each value; within a module that is called on its own results, the scope of the step."""
    weights = {v: (v.scope, x) for v in inner if (x := weight_of(v, owners)) is not None}
    ranks = by_depth(inner, weights)
    rank = {v: ranks[key] for v, key in weights.items()}
    states = step_states(inner, rank)
    counts = {scope: max(step for step, _ in state.values()) for scope, state in states.items()}
    again = {scope for scope, count in counts.items() if count > 1}
    steps = {scope: late(inner, rank, states[scope]) for scope in again if is_unrolled(scope, again)}
    made: dict[tuple[Scope, Scope, int], Step] = {}

    def place(v: Value) -> Scope | None:
        around = chain(v.scope)
        unit = next((s for s in around if s in steps), None)
        if unit is None:
            return v.scope
        number, found = steps[unit][v], unit.parent
        for s in around[around.index(unit) :]:
            key = (unit, s, number)
            if key not in made:
                made[key] = Step(s, found, number, counts[s]) if s is unit else Step(s, found)
            found = made[key]
        return found

    return {v: place(v) for v in inner}


def is_unrolled(scope: Scope, again: set[Scope]) -> bool:
    """Of the modules around a loop, the one that is called at each step: the largest layer that has the loop within
    itself, such as a cell; where no layer has, the smallest model. The model around it is called once."""
    if scope.level in ("neuron", "layer"):
        return not any(s in again and s.level in ("neuron", "layer") for s in chain(scope.parent))
    return not any(scope in chain(s.parent) for s in again)


State = dict[Any, tuple[int, int]]


def step_states(inner: Sequence[Value], rank: dict[Value, int]) -> dict[Scope, State]:
    """For each scope, and each value in it: the step at which it can be known at the earliest, from 1, and the last
    weights on the way there.

    Weights follow each other as deep as they stand in the graph: that is their `rank`. Where the same ones, or some
    that stand before, come after others, a new step begins.
    """
    states: dict[Scope, State] = {}
    for v in inner:
        here = rank.get(v, -1)
        for scope in chain(v.scope):
            state = states.setdefault(scope, {})
            step, last = 1, -1
            for x in sources(v):
                if type(x) is Vector and x not in state:
                    state[x] = max((state[y] for y in x if y in state), default=(1, -1))
                step, last = max((step, last), state.get(x, (1, -1)))
            state[v] = (step + (last >= here), here) if here >= 0 else (step, last)
    return states


def late(inner: Sequence[Value], rank: dict[Value, int], state: State) -> dict[Value, int]:
    """The step of each value in a scope: that of its first reader there, unless the reader begins a new one. What is
    made of the inputs alone could be known before the first step, and belongs to the one that reads it."""
    steps: dict[Any, int] = {}
    for v in reversed(inner):
        if v in state:
            step = steps.setdefault(v, state[v][0])
            for x in sources(v):
                if x in state:
                    latest = step - (rank.get(v, -1) >= 0 and state[x][1] >= rank[v])
                    for part in (x, *(y for y in x if y in state)) if type(x) is Vector else (x,):
                        steps[part] = min(steps.get(part, latest), latest)
    return steps


def weight_of(v: Value, owners: dict[Value, Scope]) -> Value | None:
    """The weight by which a reader of weights is known: the first one."""
    read = v._x[0]._x[:1] if v.op is ops.dot else v.operands
    return next((x for x in read if x in owners), None)


def by_depth(inner: Sequence[Value], key_of: dict[Value, Any]) -> dict[Any, int]:
    """The keys in the order of the depth at which the first value of each stands."""
    depth: dict[Any, int] = {}
    first: dict[Any, tuple[int, int]] = {}
    for i, v in enumerate(inner):
        for x in sources(v):
            if type(x) is Vector and x not in depth:
                depth[x] = max((depth.get(y, 0) for y in x), default=0)
        depth[v] = 1 + max((depth.get(x, 0) for x in sources(v)), default=0)
        if v in key_of:
            key = key_of[v]
            first[key] = min(first.get(key, (depth[v], i)), (depth[v], i))
    return {key: i for i, key in enumerate(sorted(first, key=first.__getitem__))}


def sources(v: Value) -> Iterable[Any]:
    """What a value was computed from: Values, and the Vectors that it read as such."""
    if v.op is ops.dot:
        return [x for x in v._x if type(x) is not float]
    return [x for x in v.operands if isinstance(x, Value)]


# Groups -----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Group:
    """What is drawn as one box: the values of a module, or of a few operations, or leaves."""

    around: Scope | None  # the module within which it stands
    values: list[Value] = field(default_factory=list)  # that were computed
    leaves: list[Value] = field(default_factory=list)  # parameters, or inputs
    vectors: list[Vector] = field(default_factory=list)  # plain numbers
    scope: Scope | None = None  # the module that it is, if it is one
    part: str = ""  # of the module, where it is one of several

    @property
    def single(self) -> Value | None:
        """The one value that it is."""
        alone = len(self.values) + len(self.leaves) == 1 and self.scope is None and not self.vectors
        return (self.values + self.leaves)[0] if alone else None

    def gradients(self) -> list[float]:
        return [float(v.grad) for v in (*self.values, *self.leaves) if v.grad is not NO_GRADIENT]

    def lines(self, number_format: str, narrow: bool = False) -> list[str]:
        """What it says: `query`, `Layer(16, 16)`, `112 values, 272 parameters`, `|grad| mean 0.1, max 0.3`; narrow,
        each number on a line of its own."""
        v, grads = self.single, self.gradients()
        if v is not None:
            lines = [v.label] * bool(v.label) + [sign(v.op)] * bool(v.op) + [f"data {v.data:{number_format}}"]
            return lines + [f"grad {g:{number_format}}" for g in grads]
        said, sizes = self.contents(), [abs(g) for g in grads]
        if sizes:
            said.append(
                [
                    f"|grad| mean {math.fsum(sizes) / len(sizes):{number_format}}",
                    f"max {max(sizes):{number_format}}",
                ]
            )
        return [line for parts in said for line in (parts if narrow else [", ".join(parts)])]

    def contents(self) -> list[list[str]]:
        """What it is, and how much is in it: the parts of each line."""
        if self.values and self.scope is not None:
            title = self.scope.title if self.scope.title != self.scope.name else ""
            lines = [line for line in (self.scope.name, title, step_of(self.scope), self.part) if line]
            sizes = [counted(len(self.values), "value")]
            return [
                *([line] for line in lines),
                sizes + [counted(len(x), "parameter") for x in [self.leaves] if x],
            ]
        if self.values:
            what = f"{operations(self.values)} ({counted(len(self.values), 'value')})"
            return [*([line] for line in common(self.values)), [what]]
        if self.leaves and not is_plain(self.leaves[0]):
            return [*([line] for line in common(self.leaves)), [counted(len(self.leaves), "input")]]
        vectors = Counter(map(len, self.vectors)) + Counter([len(self.leaves)] * bool(self.leaves))
        return [
            [counted(n, "number") if k == 1 else f"{k} vectors of {counted(n, 'number')}"]
            for n, k in vectors.items()
        ]


def counted(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def common(values: Sequence[Value]) -> list[str]:
    """What the labels of these have in common, up to a dot or bracket."""
    first, last = min(v.label for v in values), max(v.label for v in values)  # all others lie between
    if first == last:
        return [first] if first else []
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    prefix = re.sub(r"[^.\[]*$", "", first[:same]).rstrip(".[")
    return [prefix] if prefix else []


def sign(op: Any) -> str:
    """The name of an operation in a picture; nothing for a leaf."""
    return (op.symbol or "by hand") if op else ""


def operations(values: Sequence[Value]) -> str:
    """The operations that made these, the commonest first."""
    found = Counter(sign(v.op) for v in values).most_common()
    return ", ".join(name for name, _ in found[:4]) + (", ..." if len(found) > 4 else "")


class Recorded:
    """All that is drawn of the outputs, ready to be grouped; of `kept` nodes alone, if these are given."""

    def __init__(self, outputs: Sequence[Value], kept: set[Value] | None = None) -> None:
        self.owners = parameters(outputs)
        self.kept = kept
        self.outputs = set(outputs)
        inner = merged(outputs)
        found = places(inner, self.owners)
        self.inner = inner if kept is None else [v for v in inner if v in kept]
        self.places = {v: found[v] for v in self.inner}
        self.at = cache(group_at)

    def groups(self, level: str) -> tuple[list[Group], dict[tuple[Group, Group], int]]:
        """The groups at a level, operands before results, and how many values go from one to another; 0 from leaves,
        which say it themselves."""
        owner_of = {x: self.at(owner, level) for x, owner in self.owners.items() if self.is_kept(x)}
        group_of = self.gathered(level, owner_of)
        made = list(dict.fromkeys(group_of.values()))
        modules = {whole(g.scope): g for g in made if g.scope is not None}
        moving: dict[tuple[Group, Group], set[Value]] = {}
        readers: dict[Any, dict[Group, None]] = {}  # of each leaf, or vector of numbers
        for part, target in dict.fromkeys((part, group_of[v]) for v in self.inner for part in sources(v)):
            if type(part) is Vector and not part.op:
                if self.kept is None:
                    readers.setdefault(part, {})[target] = None
                continue
            for x in part if type(part) is Vector else (part,):
                owner = owner_of.get(x)
                if x in group_of or owner in modules:
                    source = group_of[x] if x in group_of else modules[owner]
                    if source is not target and (owner is None or owner is not whole(target.scope)):
                        moving.setdefault((source, target), set()).add(x)
                elif isinstance(x, Value) and self.is_kept(x):
                    readers.setdefault(x, {})[target] = None
        leaves = list(leaf_groups(readers))
        edges = {pair: len(found) for pair, found in moving.items()}
        edges.update({(g, target): 0 for g, targets in leaves for target in targets})
        groups = [g for g, _ in leaves] + made
        put_inside(groups)
        number_parts(groups)
        return groups, edges

    def is_kept(self, v: Value) -> bool:
        return self.kept is None or v in self.kept

    def gathered(self, level: str, owner_of: dict[Value, Scope | None]) -> dict[Value, Group]:
        """The group of each value that was computed, with the parameters of the module that it is."""
        owned: dict[Scope | None, list[Value]] = {}
        for x, owner in owner_of.items():
            owned.setdefault(owner, []).append(x)
        made: dict[Any, Group] = {}
        found = {}
        for v, key in parted(self.inner, self.homes(level)).items():
            if key not in made:
                home, _ = key
                module = isinstance(home, Scope)
                made[key] = Group(home.parent, scope=home) if module else Group(self.places[home])
                made[key].leaves += owned.get(whole(home), ()) if module else ()
            made[key].values.append(v)
            found[v] = made[key]
        return found

    def homes(self, level: str) -> dict[Value, Any]:
        """The module of that level in which each value was recorded, or, outside all modules, what tells it from
        others: its operation, its label, and from which groups its operands come."""
        home: dict[Value, Any] = {}
        alike: dict[Any, Any] = {}
        for v in self.inner:
            found: Any = self.at(self.places[v], level)
            if found is None:
                read = frozenset(home[x] for x in v.operands if isinstance(x, Value) and x in home)
                own = v if v in self.outputs else None
                named = frozenset(
                    x.label for x in v.operands if isinstance(x, Value) and not x.op and x.label
                )
                found = alike.setdefault((sign(v.op), v.label, read, named, own), v)
            home[v] = found
        return home


def put_inside(groups: Sequence[Group]) -> None:
    """What a module does beside the modules in it, which are drawn, stands among these, as operations."""
    outer = {s for g in groups for s in chain(g.around)}
    for g in groups:
        if g.scope in outer and g.scope is not None:
            g.around, g.scope = g.scope, None


def number_parts(groups: Sequence[Group]) -> None:
    """A module that is drawn as several boxes says which is which."""
    boxes: dict[Scope, list[Group]] = {}
    for g in groups:
        if g.scope is not None:
            boxes.setdefault(g.scope, []).append(g)
    for parts in boxes.values():
        for i, g in enumerate(parts if len(parts) > 1 else ()):
            g.part = f"part {i + 1} of {len(parts)}"


def leaf_groups(readers: dict[Any, dict[Group, None]]) -> Iterator[tuple[Group, list[Group]]]:
    """Leaves that the same groups read are one group, unless they are few and bear labels."""
    together: dict[Any, list[Any]] = {}
    for x, targets in readers.items():
        together.setdefault((is_plain(x), tuple(targets)), []).append(x)
    for (plain, targets), found in together.items():
        if len(found) <= FEW and not plain and all(x.label for x in found):
            yield from ((Group(None, leaves=[x]), list(targets)) for x in found)
        else:
            vectors = [x for x in found if type(x) is Vector]
            leaves = [x for x in found if type(x) is not Vector]
            yield Group(None, leaves=leaves, vectors=vectors), list(targets)


def is_plain(x: Any) -> bool:
    """Whether a leaf is one number, or a vector of them, without a name."""
    return type(x) is Vector or (type(x) is Constant and not x.label)


def parted(inner: Sequence[Value], home: dict[Value, Any]) -> dict[Value, tuple[Any, int]]:
    """The homes, of which those that wait for each other are parted: (home, part).

    A residual connection adds what comes in to what was made of it: the module's own additions stand before and after
    the modules between. Groups are put into an order, and the graph is read in rounds through it: a value that needs a
    later group belongs to the next round. Arrows then lead from round to round, or forward within one.
    """
    reads: dict[Any, dict[Any, None]] = {home[v]: {} for v in inner}
    for part, target in dict.fromkeys((part, home[v]) for v in inner for part in sources(v)):
        for x in part if type(part) is Vector else (part,):
            if x in home and home[x] is not target:
                reads[target][home[x]] = None
    waiting = in_circles(reads)
    if not waiting:
        return {v: (home[v], 0) for v in inner}
    order = by_depth(inner, home)
    rounds: dict[Any, int] = {}
    for v in inner:
        here, rounds[v] = order[home[v]], 0
        for part in sources(v):
            key = (part, here)  # many read one Vector
            if type(part) is not Vector:
                found = rounds[part] + (order[home[part]] > here) if part in rounds else 0
            elif key in rounds:
                found = rounds[key]
            else:
                read = (rounds[x] + (order[home[x]] > here) for x in part if x in rounds)
                found = rounds[key] = max(read, default=0)
            rounds[v] = max(rounds[v], found)
    return {v: (home[v], rounds[v] if home[v] in waiting else 0) for v in inner}


def longest(groups: Sequence[Group], edges: Iterable[tuple[Group, Group]]) -> int:
    """How many groups stand one after the other."""
    after: dict[Group, list[Group]] = {}
    waits: Counter[Group] = Counter()
    for source, target in edges:
        after.setdefault(source, []).append(target)
        waits[target] += 1
    length = 0
    ready = [g for g in groups if not waits[g]]
    while ready:
        length += 1
        for target in (t for g in ready for t in after.get(g, ())):
            waits[target] -= 1
        ready = list(dict.fromkeys(t for g in ready for t in after.get(g, ()) if not waits[t]))
    return length


def in_circles(reads: dict[Any, dict[Any, None]]) -> set[Any]:
    """Of what reads what: all that is left when what nobody else waits for is taken away from both ends."""
    left = set(reads)
    forwards = {key: set(found) for key, found in reads.items()}
    backwards: dict[Any, set[Any]] = {key: set() for key in reads}
    for key, found in reads.items():
        for other in found:
            backwards[other].add(key)
    for before, after in ((forwards, backwards), (backwards, forwards)):
        free = [key for key in reads if key in left and not before[key]]
        while free:
            key = free.pop()
            left.discard(key)
            for other in after[key]:
                before[other].discard(key)
                if not before[other] and other in left:
                    free.append(other)
    return left
