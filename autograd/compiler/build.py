"""All passes in a row: from a recording to the functions that compute it."""

from __future__ import annotations

import ast
import itertools
import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import syntax as s
from .emit import Emitter
from .graph import ADD, BATCH_SUM, DIV, MUL, Graph, differentiate, split
from .grouping import CONSTANT, Grouping, Part
from .levels import Levels
from .naming import Names
from .record import Recorded
from .straight import Straight
from .sums import fold
from .text import Text, execute
from .views import affine, view

PYTHON_COST = 0.05  # microseconds for an operation of straight-line Python
ARRAY_COST = 4.0  # microseconds for a line of NumPy on small arrays, with its gathers


@dataclass
class Built:
    """A compiled function, its text, and what a caller must know to call it."""

    function: Callable[..., Any]
    source: str
    index_inputs: dict[int, int]
    emitter: Emitter | None = None
    straight: bool = False  # plain Python on floats


def value_and_gradient(recorded: Recorded, reduction: str) -> tuple[int, list[int]]:
    """Nodes of the value, reduced over the batch, and of its gradient."""
    graph, (root,) = recorded.graph, recorded.outputs
    inputs = [i for i, kind in enumerate(graph.ops) if kind == "input"]
    if recorded.wrt is None:
        return value_and_slopes(graph, root, reduction, inputs)
    free = [k for k in recorded.wrt if recorded.parameters[k].requires_grad]
    value, slopes = value_and_slopes(graph, root, reduction, [graph.parameters[k] for k in free])
    found = dict(zip(free, slopes, strict=True))  # what is frozen has gradient 0
    return value, [found.get(k, graph.literal(0.0)) for k in recorded.wrt]


def value_and_slopes(graph: Graph, root: int, reduction: str, targets: list[int]) -> tuple[int, list[int]]:
    one = graph.literal(1.0)
    if not graph.batch:
        return root, differentiate(graph, {root: one}, targets)
    varying, rest = split(graph, root)
    mean = reduction == "mean"
    seeds: dict[int, int] = {}
    value = None
    if varying is not None:
        seeds[varying] = graph.add(DIV, (one, graph.count())) if mean else one
        value = graph.add(BATCH_SUM, (varying,))
        value = graph.add(DIV, (value, graph.count())) if mean else value
    if rest is not None:
        seeds[rest] = one if mean else graph.count()
        scaled = rest if mean else graph.add(MUL, (graph.count(), rest))
        value = scaled if value is None else graph.add(ADD, (value, scaled))
    if value is None:
        raise ValueError("the function returns nothing")
    return value, differentiate(graph, seeds, targets)


def levels_of(recorded: Recorded, grouping: Grouping) -> Levels | None:
    """Level by level, if the graph has so little order that its arrays are many and small."""
    program = grouping.program
    if (
        recorded.graph.batch
        or recorded.updates
        or len(grouping.arrays) < 100
        or len(program.order) > 30 * len(grouping.arrays)
    ):
        return None
    levels = Levels(program) if Levels.suits(program) else None
    return levels if levels is not None and levels.cost() < ARRAY_COST * len(grouping.arrays) else None


def start(recorded: Recorded, grouping: Grouping, dtype: Any) -> tuple[Emitter, Text]:
    emitter = Emitter(grouping, Names(recorded.graph, recorded.names), recorded.graph.batch, dtype)
    emitter.emit()
    return emitter, Text(emitter)


def shape_comment(recorded: Recorded) -> str:
    lead = ["n"] if recorded.graph.batch else []
    shown = []
    for name, shape in zip(recorded.names, recorded.shapes, strict=True):
        sizes = [*lead, *map(str, shape)]
        if sizes:
            shown.append(f"{name} ({', '.join(sizes)}{',' if len(sizes) == 1 else ''})")
    return ", ".join(shown)


def assemble(
    kind: str,
    recorded: Recorded,
    emitter: Emitter,
    results: list[tuple[str, s.Expr]],
    text: Text,
    head: list[str],
) -> str:
    """The text of the program: views of the parameters, and one function."""
    arguments = emitter.names.arguments
    head = [*text.head(), *head]
    body = text.body(results)
    needs_n = any(
        isinstance(x, ast.Name) and x.id == "n"
        for x in ast.walk(s.parsed("\n".join(body).replace("return ", "")))
    )
    if needs_n and arguments:
        body.insert(0, f"n = len({arguments[0]})")
    head += beside(emitter.constants)
    comment = shape_comment(recorded)
    lines = head + ([""] * 2 if head else [])
    lines = [row for line in lines for row in s.broken(line)] + s.header(kind, arguments, comment)
    return "\n".join(lines + ["    " + row for line in body for row in s.broken(line)]) + "\n"


def beside(constants: dict[str, Any]) -> list[str]:
    """A comment on the arrays that stand beside the text, because they are too long to be written out."""
    shown = [f"{name} {x.shape}" for name, x in constants.items() if hasattr(x, "shape")]
    lines = textwrap.wrap(f"Constants: {', '.join(shown)}", 96, break_long_words=False) if shown else []
    return [f"# {line}" for line in lines]


def forward(version: Any, trees: Any) -> Built:
    """The function that returns what f returns; `trees` is its structure, with arrays of node numbers."""
    recorded: Recorded = version.recorded
    updates = [node for _, node in recorded.updates]
    if not recorded.graph.batch and not updates:
        straight = Straight(recorded, recorded.outputs)
        if straight.worthwhile():
            return finish_straight(version, straight, "forward", straight.tree(nested(trees)))
    grouping = Grouping(fold(recorded.graph, [*recorded.outputs, *updates]), recorded.shapes)
    levels = levels_of(recorded, grouping)
    if levels is not None:
        return finish_levels(
            version, levels, "forward", lambda: [levels.read(tree) for tree in arrays_in(trees)]
        )
    emitter, text = start(recorded, grouping, version.program.dtype)
    exprs = [emitter.output(tree) for tree in arrays_in(trees)]
    exprs += [remembered(emitter, updates)] if updates else []
    source = assemble("forward", recorded, emitter, [("return ", one_or_tuple(exprs))], text, [])
    return finish(version, emitter, "forward", source)


def gradient(version: Any) -> Built:
    """The function that returns the value and leaves the gradient in g, or, by the inputs, returns it too."""
    recorded: Recorded = version.recorded
    value, slopes = value_and_gradient(recorded, version.program.reduction)
    updates = [node for _, node in recorded.updates]
    if not recorded.graph.batch and not updates:
        straight = Straight(recorded, [value, *slopes], slopes)
        if straight.worthwhile():
            return finish_straight(version, straight, "value_and_grad", straight.gradient_tree())
    grouping = Grouping(fold(recorded.graph, [value, *slopes, *updates]), recorded.shapes)
    levels = levels_of(recorded, grouping)
    if levels is not None and PYTHON_COST * straight.operations < levels.cost():
        return finish_straight(version, straight, "value_and_grad", straight.gradient_tree())
    if levels is not None:

        def returned_by_levels() -> list[str]:
            if recorded.wrt is None:
                by = zip(recorded.shapes, by_argument(recorded, slopes), strict=True)
                return [
                    levels.read(np.array(value)),
                    *(levels.read(np.array(x).reshape(shape)) for shape, x in by),
                ]
            levels.lines.append(f"g[:] = {levels.read(np.array(slopes))}")
            return [levels.read(np.array(value))]

        return finish_levels(version, levels, "value_and_grad", returned_by_levels)
    decay = shared_decay(grouping, slopes) if recorded.wrt is not None else None
    emitter, text = start(recorded, grouping, version.program.dtype)
    results: list[tuple[str, s.Expr]] = []
    head: list[str] = []
    returned = [emitter.output(np.array(value))]
    if recorded.wrt is None:
        for shape, nodes in zip(recorded.shapes, by_argument(recorded, slopes), strict=True):
            returned.append(full(emitter, np.array(nodes, dtype=int).reshape(shape)))
    else:
        results, head = into_vector(emitter, slopes)
        if decay is not None:
            own = (
                s.name("p")
                if len(recorded.parameters) == len(slopes)
                else s.index(s.name("p"), [slice(len(slopes))])
            )
            results.append(("g[...] += ", s.binary(s.number(decay), "*", own)))
    returned += [remembered(emitter, updates)] if updates else []
    results.append(("return ", one_or_tuple(returned)))
    source = assemble("value_and_grad", recorded, emitter, results, text, head)
    return finish(version, emitter, "value_and_grad", source)


def finish(version: Any, emitter: Emitter, kind: str, source: str) -> Built:
    dtype = version.program.dtype
    constants = {
        k: v.astype(dtype) if getattr(v, "dtype", None) == np.float64 else v
        for k, v in emitter.constants.items()
    }
    given = {"p": version.p, "g": version.g, "rng": version.program.rng, **constants}
    scope = execute(source, given, version.recorded.title)
    return Built(scope[kind], source, emitter.integer_inputs, emitter)


def finish_levels(version: Any, levels: Levels, kind: str, returned: Callable[[], list[str]]) -> Built:
    recorded = version.recorded
    levels.emit()
    exprs = returned()
    source = levels.function(kind, recorded, exprs)
    given = {"p": version.p, "g": version.g, "rng": version.program.rng, **levels.constants}
    given["v"] = np.zeros(len(levels.place), version.program.dtype)
    return Built(execute(source, given, recorded.title)[kind], source, {})


def finish_straight(version: Any, straight: Straight, kind: str, returned: s.Expr) -> Built:
    source = straight.source(kind, bool(version.recorded.parameters), returned)
    scope = execute(source, {**straight.formulas, "rng": version.program.rng}, version.recorded.title)
    return Built(scope[kind], source, straight.index_inputs, None, straight=True)


def by_argument(recorded: Recorded, slopes: Sequence[int]) -> list[Any]:
    """Gradients by the inputs, of one argument after another: a node for a number, else a flat list."""
    found: list[Any] = []
    place = 0
    for shape in recorded.shapes:
        size = math.prod(shape)
        found.append([*slopes[place : place + size]] if shape else slopes[place])
        place += size
    return found


def arrays_in(trees: Any) -> list[Any]:
    if isinstance(trees, dict):
        trees = [*trees.values()]
    return [a for tree in trees for a in arrays_in(tree)] if isinstance(trees, (tuple, list)) else [trees]


def nested(trees: Any) -> Any:
    """Arrays of nodes as nested lists."""
    if isinstance(trees, dict):
        return {key: nested(tree) for key, tree in trees.items()}
    return tuple(nested(tree) for tree in trees) if isinstance(trees, tuple) else trees.tolist()


def one_or_tuple(exprs: list[s.Expr]) -> s.Expr:
    return exprs[0] if len(exprs) == 1 else s.tuple_of(exprs)


def full(emitter: Emitter, nodes: Any) -> s.Expr:
    """An output that has a batch axis even if it is the same for all samples."""
    expr = emitter.output(nodes)
    if emitter.batch and not any(emitter.graph.varies[int(i)] for i in nodes.flat):
        expr = s.np_call("broadcast_to", expr, s.tuple_of([s.name("n"), *s.integers(nodes.shape)]))
    return expr


def remembered(emitter: Emitter, updates: Sequence[int]) -> s.Expr:
    """What is to be remembered after the call, such as running means: a tuple of arrays."""
    runs = itertools.groupby(updates, key=lambda node: int(emitter.grouping.array_of[node]))
    return s.tuple_of([emitter.output(np.array([*nodes])) for _, nodes in runs])


def shared_decay(grouping: Grouping, slopes: Sequence[int]) -> float | None:
    """The number c where every gradient has a term c times its own parameter, as with an L2 penalty on all of them.
    The terms are taken out: they are one line for the whole vector."""
    arrays: dict[int, tuple[Any, Any]] = {}
    found: set[float] = set()
    for place, node in enumerate(slopes):
        number = int(grouping.array_of[node])
        if number < 0:
            return None
        if number not in arrays:
            arrays[number] = grouping.arrays[number], np.full(grouping.arrays[number].size, -1)
        arrays[number][1][grouping.place_of[node]] = place
    terms = []
    for array, index in arrays.values():
        own = [part for part in array.parts if part.b is not None and is_decay(grouping, part, index)]
        if len(own) != 1 or len(array.parts) < 2 or (index < 0).any():
            return None
        terms.append((array, own[0]))
        found.add(own[0].sign * float(own[0].a.index.flat[0]))
    if len(found) != 1:
        return None
    for array, part in terms:
        array.parts = [other for other in array.parts if other is not part]
    return found.pop()


def is_decay(grouping: Grouping, part: Part, index: Any) -> bool:
    """Whether a part is a number times the parameters at these places."""
    a, b = part.a, part.b
    if (
        b is None
        or a.source != CONSTANT
        or b.source == CONSTANT
        or not part.complete
        or b.index.shape[-1] != 1
    ):
        return False
    number = a.index.flat[0]
    return (
        grouping.arrays[b.source].kind == "parameter"
        and bool((a.index == number).all())
        and np.array_equal(b.index.ravel(), index)
    )


def into_vector(emitter: Emitter, slopes: Sequence[int]) -> tuple[list[tuple[str, s.Expr]], list[str]]:
    """Statements that write each gradient to its place in the vector g, and the views that they write to."""
    grouping = emitter.grouping
    targets: dict[int, list[tuple[int, int]]] = {}  # array -> (place in it, place in g)
    results: list[tuple[str, s.Expr]] = []
    head: list[str] = []
    for place, node in enumerate(slopes):
        source = int(grouping.array_of[node])
        if source >= 0:
            targets.setdefault(source, []).append((int(grouping.place_of[node]), place))
        elif grouping.values[node] != 0.0:
            results.append((f"g[{place}] = ", s.number(float(grouping.values[node]))))
    starts: dict[int, list[int]] = {}
    for source, pairs in targets.items():
        array = grouping.arrays[source]
        index = np.full(array.size, -1)
        for at, place in pairs:
            index[at] = place
        form = affine(index.reshape(array.shape)) if len(pairs) == array.size and (index >= 0).all() else None
        found = (
            view(form, array.shape, len(slopes), None, starts)
            if form is not None and array.size > 1
            else None
        )
        if found is None or not all(found.places):
            places = [place for _, place in pairs]
            nodes = [slopes[place] for place in places]
            expr = emitter.output(np.array(nodes if len(nodes) > 1 else nodes[0]))
            where = s.number(places[0]) if len(pairs) == 1 else emitter.constant(np.array(places))
            key = f"g[{s.text(s.replace(where, {k: s.name(v.name) for k, v in emitter.by_key.items()}))}] = "
            results.append((key, expr))
            continue
        expr = s.name("g")
        if found.cut != (0, len(slopes)):
            expr = s.index(expr, [slice(*found.cut)])
        if len(found.shape) > 1:
            expr = s.method(expr, "reshape", *s.integers(found.shape))
            if any(x != slice(None) for x in found.slices):
                expr = s.index(expr, found.slices)
        if found.order != tuple(range(len(found.order))):
            expr = emitter.transposed(expr, found.order, False)
        label = emitter.graph.labels.get(emitter.graph.parameters[pairs[0][1]], "") if pairs else ""
        base = next(
            (
                line.name
                for line in emitter.head
                if line.key.startswith("@p") and emitter.first_of.get(line.key) == pairs[0][1]
            ),
            "",
        )
        base = base or emitter.names.parameter([label], len(array.shape))
        name = emitter.names.unique(f"d{base}")
        head.append(f"{name} = {s.text(expr)}")
        results.append((f"{name}[...] = ", emitter.source(source)))
    return results, head
