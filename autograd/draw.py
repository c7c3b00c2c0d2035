"""The picture of a recorded graph, at the scale that answers the question.

A small graph is drawn in full: a box for each Value with its number and gradient, a circle for each operation, on
each edge the local derivative, so that the chain rule can be read off: the gradient of an operand is that of the
result times what stands on the edge between them. A larger one collapses by module, neuron, layer, model.

    collect   the graph as plain data, folded sums written out; the Values themselves stay as they are
    level     how much of it a picture can show
    scalars, groups   the two kinds of picture
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import ops
from .context import Scope
from .graph import expansion, trace
from .ops import Op
from .render import FONT, layout, measures_glyphs, write
from .value import NO_GRADIENT, Constant, Value, spread, topological

if TYPE_CHECKING:
    import graphviz

LEVELS = ("scalar", "neuron", "layer", "model")
MANY = 8  # more leaves than this, read by the same modules, are drawn as one box

THEMES = {  # paper, ink, faint ink, box, box of a parameter, frame
    "light": ("#ffffff", "#1f2328", "#6e7781", "#ffffff", "#f0f3f6", "#8c959f"),
    "dark": ("#0d1117", "#e6edf3", "#9198a1", "#161b22", "#21262d", "#6e7681"),
}
SIGNS = {  # orange for a negative gradient, blue for a positive one: the colour-blind tell them apart
    "light": ((230, 97, 1), (38, 102, 180)),
    "dark": ((190, 90, 20), (40, 100, 190)),
}
WILD = "#d7263d"  # nan and inf


@dataclass(eq=False)
class Node:
    """A Value as it is drawn: itself, and from what it was computed; `operands` are Nodes or plain numbers."""

    value: Any
    op: Any = None
    operands: list[Any] = field(default_factory=list)
    partials: tuple[Any, ...] = ()


def collect(outputs: list[Value], unfold: bool) -> list[Node]:
    """All Values behind the outputs, operands before results, in an order that depends on the graph alone."""
    made: dict[Value, Node] = {}
    stack: list[Any] = list(reversed(outputs))
    while stack:
        v = stack.pop()
        if isinstance(v, Node):  # its operands are made
            v.operands = [made[x] if isinstance(x, Value) else x for x in v.operands]
            made[v.value] = v
        elif v not in made:
            op, x, y, dx, dy = expansion(v) if unfold else (v.op, v._x, v._y, v._dx, v._dy)
            operands = spread(x, y)
            partials = spread(dx, dy) if type(x) is tuple else (dx, dy)[: len(operands)]
            stack.append(Node(v, op, list(operands), partials))
            stack.extend(x for x in reversed(operands) if isinstance(x, Value) and x not in made)
    return list(made.values())


def chain(scope: Scope | None) -> list[Scope]:
    """A scope with those around it, outermost first."""
    scopes: list[Scope] = []
    while scope is not None:
        scopes.insert(0, scope)
        scope = scope.parent
    return scopes


def natural(scope: Scope) -> list[Any]:
    """Sorts neurons.10 behind neurons.9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", scope.name)]


def full_name(scope: Scope) -> str:
    return ".".join(s.name for s in chain(scope))


# What stands in a box ---------------------------------------------------------------------------------------------


def escaped(text: str, longest: int = 40) -> str:
    """A label as DOT text that shows it literally, on one line, cut where it is long."""
    text = " ".join(str(text).split())
    text = text if len(text) <= longest else text[: longest - 3] + "..."
    return text.replace("\\", "\\\\").replace("&", "&amp;")


def counted(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def shown(x: Any, number_format: str) -> str:
    return format(float(x), number_format)


def gradient_of(v: Any) -> float | None:
    return None if v.grad is NO_GRADIENT else float(v.grad)


def tint(gradient: float | None, largest: float, theme: str, plain: str) -> str:
    """A box's colour: the sign of its gradient by hue, its size by strength; a nan or inf stands out."""
    if gradient is None or not gradient:
        return plain
    if not math.isfinite(gradient):
        return WILD
    strength = 0.15 + 0.6 * (abs(gradient) / largest) ** 0.5 if largest else 0.15
    paper = [int(plain[i : i + 2], 16) for i in (1, 3, 5)]
    ink = SIGNS[theme][gradient > 0]
    return "#" + "".join(f"{round(p + strength * (i - p)):02x}" for p, i in zip(paper, ink, strict=True))


def symbol(node: Node, number_format: str, pretty: bool) -> str:
    """The operation's sign, with its settings where these are plain numbers: `**2`, `leaky_relu 0.01`."""
    op = node.op
    if not isinstance(op, Op):
        return escaped(op.symbol or "by hand")
    sign = op.glyph if pretty else op.symbol
    settings = [shown(x, number_format) for x in settings_of(node)]
    return escaped(sign + (" " if settings and sign[-1].isalpha() else "") + ", ".join(settings))


def settings_of(node: Node) -> list[Any]:
    """The trailing plain numbers that belong to the operation rather than to its operands."""
    if not isinstance(node.op, Op) or node.op.variadic or not node.op.parameters:
        return []
    return [x for x in node.operands[-node.op.parameters :] if not isinstance(x, Node)]


# Levels -----------------------------------------------------------------------------------------------------------


def group_at(scope: Scope | None, level: str) -> Scope | None:
    """The module of at least that size, innermost first, in which something was recorded."""
    sizes = LEVELS[LEVELS.index(level) :]
    return next((s for s in reversed(chain(scope)) if s.level in sizes), None)


def count_drawn(outputs: list[Value], unfold: bool) -> int:
    """How many boxes and circles the full picture would have, without making it."""
    count = 0
    leaves: set[Value] = set()
    for v in merged(outputs):
        n = len(v.operands)
        count += 2 * n if unfold and v.op in (ops.dot, ops.sum_) else 2
        count += sum(type(x) is float for x in v.operands)
        leaves.update(x for x in v.operands if isinstance(x, Value) and not x.op)
    return count + len(leaves)


def merged(outputs: list[Value]) -> list[Value]:
    """The inner nodes behind all outputs, each once."""
    return list(dict.fromkeys(v for output in outputs for v in topological(output)))


def parameters(outputs: list[Value]) -> dict[Value, Scope]:
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
                        s for s in chain(v.scope) if x.label.startswith(str(getattr(s, "path", "\0")) + ".")
                    ]
                    if not named:
                        continue
                    owner = named[-1]
                owners[x] = owner
    return owners


# The two kinds of picture -----------------------------------------------------------------------------------------


class Picture:
    """A Digraph under construction: boxes go into the clusters of their modules, edges on top."""

    def __init__(self, theme: str, rankdir: str, number_format: str) -> None:
        self.theme, self.number_format = theme, number_format
        self.paper, self.ink, self.faint, self.box, self.parameter, self.frame = THEMES[theme]
        import graphviz  # half the time of importing all this package, so only when something is drawn

        self.graph = graphviz.Digraph(
            graph_attr={"rankdir": rankdir, "bgcolor": self.paper, "fontname": FONT, "fontcolor": self.ink,
                        "fontsize": "12", "nodesep": "0.18", "ranksep": "0.45", "ordering": "in", "pad": "0.2",
                        "labeljust": "l"},
            node_attr={"fontname": FONT, "fontsize": "11", "fontcolor": self.ink, "color": self.frame,
                       "style": "filled", "fillcolor": self.box},
            edge_attr={"fontname": FONT, "fontsize": "9", "fontcolor": self.faint, "color": self.faint,
                       "arrowsize": "0.6"},
        )  # fmt: skip
        self.members: dict[Scope | None, list[tuple[str, dict[str, str]]]] = {}
        self.inside: dict[Scope | None, list[Scope]] = {}

    def add(self, scope: Scope | None, name: str, **attributes: str) -> None:
        if scope not in self.members:
            around: Scope | None = None
            for each in chain(scope):
                if each not in self.members:
                    self.members[each] = []
                    self.inside.setdefault(around, []).append(each)
                around = each
            self.members.setdefault(scope, [])
        self.members[scope].append((name, attributes))

    def finish(self, note: str = "") -> graphviz.Digraph:
        counter = iter(range(len(self.members) + 1))

        def fill(graph: graphviz.Digraph, scope: Scope | None) -> None:
            for name, attributes in self.members.get(scope, ()):
                graph.node(name, **attributes)
            for inner in sorted(self.inside.get(scope, ()), key=natural):
                title = inner.name if inner.title in ("", inner.name) else f"{inner.name}: {inner.title}"
                with graph.subgraph(name=f"cluster_{next(counter)}") as sub:
                    sub.attr(label=escaped(title, 60), color=self.frame, style="rounded", fontcolor=self.ink)
                    fill(sub, inner)

        fill(self.graph, None)
        if note:
            self.graph.attr(label=escaped(note, 200), labelloc="b")
        return self.graph


def draw_scalars(
    outputs: list[Value], picture: Picture, unfold: bool, local_grads: bool, pretty: bool
) -> None:
    nodes, owners = collect(outputs, unfold), parameters(outputs)
    names = {node: f"v{i}" for i, node in enumerate(nodes)}
    sizes = [
        abs(g) for g in (gradient_of(node.value) for node in nodes) if g is not None and math.isfinite(g)
    ]
    largest, graph, shape = max(sizes, default=0.0), picture.graph, picture.number_format
    for node, name in names.items():
        v = node.value
        scope = owners.get(v, v.scope)
        gradient = gradient_of(v)
        plain = picture.parameter if v in owners else picture.box
        lines = [escaped(v.label)] * bool(v.label) + [f"data {shown(v, shape)}"]
        lines += (
            [] if isinstance(v, Constant) else [f"grad {'-' if gradient is None else shown(gradient, shape)}"]
        )
        wild = not math.isfinite(v.data)
        picture.add(
            scope, name, label="\\n".join(lines), shape="box", style="filled,rounded", margin="0.1,0.06",
            fillcolor=WILD if wild else tint(gradient, largest, picture.theme, plain),
            penwidth="2" if v in outputs else "1",
        )  # fmt: skip
        if not node.op:
            continue
        picture.add(
            v.scope, name + "op", label=symbol(node, shape, pretty), shape="circle", margin="0.02",
            width="0.35", fontsize="13", fillcolor=picture.paper,
        )  # fmt: skip
        graph.edge(name + "op", name)
        settings = len(settings_of(node))
        for i, x in enumerate(node.operands[: len(node.operands) - settings]):
            d = node.partials[i]
            source = names[x] if isinstance(x, Node) else f"{name}c{i}"
            if not isinstance(x, Node):
                picture.add(
                    v.scope, source, label=shown(x, shape), shape="plaintext", style="", margin="0.05,0.02"
                )
            mark = {"label": " " + shown(d, shape)} if local_grads and d is not None else {}
            graph.edge(source, name + "op", **mark)


def groups_of(outputs: list[Value], level: str) -> tuple[dict[Any, list[Value]], dict[tuple[Any, Any], int]]:
    """The members of each box of a collapsed picture, and how many values go from box to box."""
    inner, owners = merged(outputs), parameters(outputs)
    home: dict[Any, Any] = {v: group_at(v.scope, level) or v for v in inner}
    readers: dict[Any, dict[Any, int]] = {}  # a leaf, or a vector of plain numbers, to the boxes that read it
    edges: dict[tuple[Any, Any], int] = {}
    for v in inner:
        read: list[Any] = [x for x in v.operands if isinstance(x, Value)]
        if v.op is ops.dot and not v._x[1].op:
            read.append(v._x[1])
        for x in read:
            if x in home:
                if home[x] is not home[v]:
                    edges[home[x], home[v]] = edges.get((home[x], home[v]), 0) + 1
            else:
                boxes = readers.setdefault(x, {})
                boxes[home[v]] = boxes.get(home[v], 0) + 1
    members: dict[Any, list[Value]] = {}
    for v in inner:
        members.setdefault(home[v], []).append(v)
    together: dict[Any, list[Any]] = {}
    for x, boxes in readers.items():
        owner = group_at(owners[x], level) if x in owners else None
        if owner in members:
            members[owner].append(x)
            home[x] = owner
            boxes.pop(owner, None)
            for box, n in boxes.items():
                edges[owner, box] = edges.get((owner, box), 0) + n
        else:
            together.setdefault((type(x), tuple(boxes)), []).append(x)
    for (_, boxes), leaves in together.items():
        for part in (
            [leaves] if len(leaves) > MANY or not isinstance(leaves[0], Value) else [[x] for x in leaves]
        ):
            key = ("leaves", part[0])
            members[key] = part
            for box in boxes:
                edges[key, box] = sum(
                    readers[x][box] * (len(x) if not isinstance(x, Value) else 1) for x in part
                )
    return members, edges


def draw_groups(outputs: list[Value], picture: Picture, level: str) -> None:
    members, edges = groups_of(outputs, level)
    names = {key: f"g{i}" for i, key in enumerate(members)}
    picture.graph.attr(labeljust="r")  # edges come from the left, and would run over a title there
    facts = {
        key: [g for v in part if isinstance(v, Value) and (g := gradient_of(v)) is not None]
        for key, part in members.items()
    }
    largest = max((abs(g) for found in facts.values() for g in found if math.isfinite(g)), default=0.0)
    shape = picture.number_format
    for key, part in members.items():
        sizes = [abs(g) for g in facts[key]]
        if isinstance(key, Value) or (
            isinstance(key, tuple) and len(part) == 1 and isinstance(part[0], Value)
        ):
            v = part[0]
            lines = [escaped(v.label)] * bool(v.label) + [escaped(getattr(v.op, "symbol", ""))] * bool(v.op)
            lines += [f"data {shown(v, shape)}", f"grad {shown(sizes[0], shape) if sizes else '-'}"]
        elif isinstance(key, tuple):
            n = sum(1 if isinstance(x, Value) else len(x) for x in part)
            lines = [f"{n} {'inputs' if isinstance(part[0], Value) else 'numbers'}"]
        else:
            made, leaves = [v for v in part if v.op], sum(not v.op for v in part)
            lines = [escaped(full_name(key), 60)] + [escaped(key.title, 60)] * (
                key.title not in ("", key.name)
            )
            lines += [counted(len(made), "value") + (f", {counted(leaves, 'parameter')}" if leaves else "")]
        if len(part) > 1 and isinstance(part[0], Value):
            n = len(sizes)
            lines += [
                f"|grad| mean {shown(sum(sizes) / n, shape)}, max {shown(max(sizes), shape)}"
                if n
                else "grad -"
            ]
        colour = tint(max(facts[key], key=abs, default=None), largest, picture.theme, picture.box)
        around = key.parent if isinstance(key, Scope) else key.scope if isinstance(key, Value) else None
        picture.add(around, names[key], label="\\n".join(lines), shape="box", style="filled,rounded",
                    fillcolor=colour, margin="0.15,0.1")  # fmt: skip
    for (source, target), n in edges.items():
        picture.graph.edge(names[source], names[target], **({"label": f" {n}"} if n > 1 else {}))


def nearest(outputs: list[Value], n: int) -> list[Value]:
    """The n inner nodes nearest to the outputs."""
    found, ring = dict.fromkeys(v for v in outputs if v.op), [v for v in outputs if v.op]
    while ring and len(found) < n:
        ring = [x for v in ring for x in v.operands if isinstance(x, Value) and x.op and x not in found]
        found.update(dict.fromkeys(ring))
    return list(found)[:n]


def draw_part(outputs: list[Value], picture: Picture, n: int, pretty: bool) -> int:
    """The nodes nearest to the outputs, and one box for all that lies behind them; how many that is."""
    kept = nearest(outputs, n)
    names, more = {v: f"v{i}" for i, v in enumerate(kept)}, 0
    total = len(merged(outputs))
    shape = picture.number_format
    for v, name in names.items():
        grad = gradient_of(v)
        sign = v.op.glyph if pretty and isinstance(v.op, Op) else v.op.symbol
        lines = [escaped(v.label)] * bool(v.label) + [escaped(sign)]
        lines += [f"data {shown(v, shape)}", f"grad {'-' if grad is None else shown(grad, shape)}"]
        picture.add(None, name, label="\\n".join(lines), shape="box", style="filled,rounded")
        behind = 0
        for x in v.operands:
            if isinstance(x, Value) and x in names:
                picture.graph.edge(names[x], name)
            elif isinstance(x, Value) and x.op:
                behind += 1
        if behind:
            picture.graph.edge("more", name, **({"label": f" {behind}"} if behind > 1 else {}))
    more = total - len(kept)
    picture.add(None, "more", label=f"... {more} more", shape="box", style="filled,dashed")
    return more


# What a user calls ------------------------------------------------------------------------------------------------


def outputs_of(output: Any) -> list[Value]:
    if isinstance(output, Value):
        return [output]
    if isinstance(output, (str, bytes)) or not isinstance(output, Iterable):
        raise TypeError(f"draw needs a Value or a list of Values. Received: {type(output).__name__}")
    outputs = [v for item in output for v in outputs_of(item)]
    if not outputs:
        raise ValueError("draw needs at least one Value. Received: none")
    return list(dict.fromkeys(outputs))


def draw(
    output: Any,
    *,
    level: str = "auto",
    unfold: bool = True,
    local_grads: bool = True,
    rankdir: str = "LR",
    number_format: str = ".4g",
    theme: str = "light",
    max_nodes: int = 300,
    glyphs: bool | None = None,
) -> graphviz.Digraph:
    """The graph behind a Value, or behind a list of them, as a `graphviz.Digraph`.

    A box shows a Value's label, number and gradient ("-" before any backward), a circle an operation, an edge the
    local derivative (`local_grads=False` leaves these out). Blue is a positive gradient, orange a negative one, a
    stronger tint a larger one. What a module recorded stands in its cluster; a weight used twice is one box.

    `level` is "scalar", "neuron", "layer", "model", or "auto": in full up to `max_nodes` boxes and circles, then by
    the smallest modules that fit, with a warning. `unfold=False` leaves a neuron's weighted sum one node. `rankdir`
    is Graphviz's "LR" or "TB"; `theme` is "light" or "dark"; `glyphs` asks for letters such as × and Σ (by default
    where the renderer knows their widths). Drawing changes nothing in the graph.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> print(draw(a * b, local_grads=False).source)  # doctest: +ELLIPSIS
    digraph {
    ...
    """
    outputs = outputs_of(output)
    if level not in ("auto", *LEVELS):
        raise ValueError(f"level is one of auto, {', '.join(LEVELS)}. Received: level={level!r}")
    if theme not in THEMES:
        raise ValueError(f"theme is one of {', '.join(THEMES)}. Received: theme={theme!r}")
    if rankdir not in ("LR", "TB", "RL", "BT"):
        raise ValueError(f"rankdir is one of LR, TB, RL, BT. Received: rankdir={rankdir!r}")
    format(0.0, number_format)  # a ValueError here, not in the middle
    pretty = measures_glyphs() if glyphs is None else glyphs
    picture, note = Picture(theme, rankdir, number_format), ""
    chosen = level
    if level == "auto":
        count = count_drawn(outputs, unfold)
        chosen = "scalar" if count <= max_nodes else coarser(outputs, max_nodes)
        if chosen != "scalar":
            what = f"collapsed to {chosen}s" if chosen else "only the part nearest to the output"
            note = f"{count} nodes: {what}"
            warnings.warn(f'{note}; draw(..., level="scalar") or a larger max_nodes shows more', stacklevel=2)
    if chosen == "scalar":
        draw_scalars(outputs, picture, unfold, local_grads, pretty)
    elif chosen:
        draw_groups(outputs, picture, chosen)
    else:
        draw_part(outputs, picture, max_nodes // 3, pretty)
    return picture.finish(note)


def coarser(outputs: list[Value], max_nodes: int) -> str:
    """The finest level whose boxes and edges together stay within max_nodes; "" where none does."""
    for level in LEVELS[1:]:
        members, edges = groups_of(outputs, level)
        if len(members) + len(edges) <= max_nodes:
            return level
    return ""


def render(
    output: Any, path: str | os.PathLike[str], *, timeout: float | None = 60.0, **options: Any
) -> Path:
    """Draw and write to `path`, in the format of its ending: .svg, .png, .pdf, .dot. The options are those of `draw`.

    The file is whole or not there. Needs the program `dot`, or the package pygraphviz (the extra `render`); without
    either, a RuntimeError says how to get one. A layout that takes more than `timeout` seconds is a TimeoutError.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     render(Value(1.0) + 2.0, folder + "/sum.dot").name
    'sum.dot'
    """
    return write(draw(output, **options), path, timeout=timeout)


def draw_dot(root: Value, format: str = "svg", rankdir: str = "LR") -> graphviz.Digraph:
    """The tutorials' picture: a record `label | data | grad` for each Value, an ellipse for each operation.

    >>> draw_dot(Value(1.0) + Value(2.0)).format
    'svg'
    """
    if rankdir not in ("LR", "TB"):
        raise ValueError(f"rankdir is LR or TB. Received: rankdir={rankdir!r}")
    import graphviz

    trace(root)  # unfolds what is folded
    order = topological(root)
    order = list(dict.fromkeys(x for v in order for x in (*v._children, v))) or [root]
    names = {v: f"v{i}" for i, v in enumerate(order)}
    graph = graphviz.Digraph(format=format, graph_attr={"rankdir": rankdir}, node_attr={"fontname": FONT})
    for v, name in names.items():
        label = "".join(f"\\{c}" if c in "{}|<>\\" else c for c in escaped(v.label).replace("\\\\", "\\"))
        label = f"{label} | " if label else ""
        graph.node(name, label=f"{{ {label}data {v.data:.4f} | grad {float(v.grad):.4f} }}", shape="record")
        if v.op:
            graph.node(name + v._op, label=escaped(v._op))
            graph.edge(name + v._op, name)
            for x in v._prev:
                graph.edge(names[x], name + v._op)
    return graph


def mimebundle(v: Value, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """How a notebook shows a Value: as its picture where one can be made, always as text."""
    bundle = {"text/plain": repr(v)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bundle["image/svg+xml"] = layout(draw(v), "svg", timeout=10.0).decode()
    except (RuntimeError, TimeoutError, OSError):
        pass
    return bundle


Value._repr_mimebundle_ = mimebundle  # type: ignore[attr-defined]
