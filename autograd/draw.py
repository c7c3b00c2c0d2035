"""The picture of a recorded graph, at the scale that answers the question.

A small graph is drawn in full: a box for each Value with its number and gradient, a circle for each operation, on
each edge the local derivative, so that the chain rule can be read off: the gradient of an operand is that of the
result times what stands on the edge between them. A larger one collapses by module: neuron, layer, block, model.

    selection.py   the nodes that are looked at: all, those near one of them, those on the way between two
    levels.py      how a large graph collapses
    draw_scalars, draw_groups, draw_part   here: the three kinds of picture
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import ops
from .checks import among, cut
from .context import Scope
from .graph import trace
from .levels import (
    LEVELS,
    Group,
    Recorded,
    chain,
    full_name,
    longest,
    merged,
    natural,
    sign,
    step_of,
    title_of,
)
from .ops import Op
from .render import FONT, NO_XML, measures_glyphs, write
from .selection import Node, Selection, all_of, between, neighbourhood
from .value import NO_GRADIENT, Constant, Value, topological
from .vector import Vector

if TYPE_CHECKING:
    import graphviz

THEMES = {  # paper, ink, faint ink, box, box of a parameter, frame
    "light": ("#ffffff", "#1f2328", "#6e7781", "#ffffff", "#f0f3f6", "#8c959f"),
    "dark": ("#0d1117", "#e6edf3", "#9198a1", "#161b22", "#21262d", "#6e7681"),
}
SIGNS = {  # orange for a negative gradient, blue for a positive one: the colour-blind tell them apart
    "light": ((230, 97, 1), (38, 102, 180)),
    "dark": ((190, 90, 20), (40, 100, 190)),
}
LONG = 24  # boxes in a row
WILD = "#d7263d"  # nan and inf


# What stands in a box ---------------------------------------------------------------------------------------------


def escaped(text: str, longest: int = 40) -> str:
    """A label as DOT text that shows it literally, on one line, cut where it is long.

    What stands between < and > would be taken for markup, with pictures and links in it.
    """
    start = text[: 8 * longest]
    shown = " ".join(NO_XML.sub("\N{REPLACEMENT CHARACTER}", start).split())
    shown = cut(shown, longest, more=start != text)
    for c, written in (("\\", "\\\\"), ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        shown = shown.replace(c, written)
    return shown


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
        return escaped(sign(op))
    name = op.glyph if pretty else op.symbol
    settings = [shown(x, number_format) for x in settings_of(node)]
    return escaped(name + (" " if settings and name[-1].isalpha() else "") + ", ".join(settings))


def settings_of(node: Node) -> list[Any]:
    """The trailing plain numbers that belong to the operation rather than to its operands."""
    if not isinstance(node.op, Op) or node.op.variadic or not node.op.parameters:
        return []
    return [x for x in node.operands[-node.op.parameters :] if not isinstance(x, Node)]


def count_drawn(outputs: list[Value], unfold: bool) -> int:
    """How many boxes and circles the full picture would have, without making it."""
    count = 0
    leaves: set[Value] = set()
    plain: dict[Any, int] = {}  # numbers in each Vector, which many may read
    for v in merged(outputs):
        operands = v._x if v.op is ops.dot else v.operands
        n = 2 * len(v._x[0]) + 1 if v.op is ops.dot else len(operands)
        count += 2 * n if unfold and v.op in (ops.dot, ops.sum_) else 2
        for x in operands:
            if type(x) is Vector:
                if x not in plain:
                    plain[x] = sum(type(y) is float for y in x)
                    leaves.update(y for y in x if type(y) is not float and not y.op)
                count += plain[x]
            elif type(x) is float:
                count += 1
            elif not x.op:
                leaves.add(x)
    return count + len(leaves)


# The two kinds of picture -----------------------------------------------------------------------------------------


class Picture:
    """A Digraph under construction: boxes go into the clusters of their modules, edges on top."""

    def __init__(self, theme: str, rankdir: str, number_format: str) -> None:
        self.theme, self.number_format = theme, number_format
        self.paper, self.ink, self.faint, self.box, self.parameter, self.frame = THEMES[theme]
        from .digraph import Digraph  # takes half the time of importing this package: so only here

        self.graph = Digraph(
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
        self.edges: list[tuple[str, str, dict[str, str]]] = []  # drawn last, so that boxes keep their order

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
                title = ", ".join(filter(None, (title_of(inner), step_of(inner))))
                with graph.subgraph(name=f"cluster_{next(counter)}") as sub:
                    sub.attr(label=escaped(title, 60), color=self.frame, style="rounded", fontcolor=self.ink)
                    fill(sub, inner)

        fill(self.graph, None)
        for source, target, attributes in self.edges:
            self.graph.edge(source, target, **attributes)
        if note:
            self.graph.attr(label=escaped(note, 200), labelloc="b")
        return self.graph


def draw_scalars(chosen: Selection, picture: Picture, local_grads: bool, pretty: bool) -> None:
    nodes, owners = chosen.nodes, chosen.owners
    names = {node: f"v{i}" for i, node in enumerate(nodes)}
    sizes = [
        abs(g) for g in (gradient_of(node.value) for node in nodes) if g is not None and math.isfinite(g)
    ]
    largest, graph, shape = max(sizes, default=0.0), picture.graph, picture.number_format
    for node, name in names.items():
        v = node.value
        scope = owners.get(v, node.scope)
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
            penwidth="2" if v in chosen.outputs else "1",
        )  # fmt: skip
        if not node.op:
            continue
        operands = list(enumerate(node.operands))[: len(node.operands) - len(settings_of(node))]
        missing = [i for i, x in operands if isinstance(x, Node) and x not in names]
        target = name + "op"
        if len(missing) == len(node.below):  # where the picture ends
            target, operands = name, []
        else:
            picture.add(
                node.scope, target, label=symbol(node, shape, pretty), shape="circle", margin="0.02",
                width="0.35", fontsize="13", fillcolor=picture.paper,
            )  # fmt: skip
            graph.edge(target, name)
        for i, x in operands:
            if i in missing or (chosen.kept is not None and not isinstance(x, Node)):
                continue
            source = names[x] if isinstance(x, Node) else f"{name}c{i}"
            if not isinstance(x, Node):
                picture.add(
                    node.scope, source, label=shown(x, shape), shape="plaintext", style="", margin="0.05,0.02"
                )
            d = node.partials[i]
            mark = {"label": " " + shown(d, shape)} if local_grads and d is not None else {}
            graph.edge(source, target, **mark)
        if missing and chosen.readers is not None:
            draw_more(picture, node.scope, name + "more", (name + "more", target), len(missing))
    for node, n in (chosen.readers or {}).items():
        draw_more(picture, None, names[node] + "readers", (names[node], names[node] + "readers"), n)


def draw_more(picture: Picture, scope: Scope | None, name: str, edge: tuple[str, str], n: int) -> None:
    """Where the picture ends and the graph goes on."""
    picture.add(
        scope, name, label=f"... {n} more" if n > 1 else "...", shape="plaintext", style="", fontcolor=picture.faint,
        margin="0.05,0.02",
    )  # fmt: skip
    picture.graph.edge(*edge, style="dashed")


def draw_groups(recorded: Recorded, picture: Picture, level: str) -> None:
    groups, edges = recorded.groups(level)
    groups.sort(key=lambda group: natural(group.scope) if group.scope else [])
    names = {group: f"g{i}" for i, group in enumerate(groups)}
    picture.graph.attr(labeljust="r")  # edges come from the left, and would run over a title there
    narrow = longest(groups, edges) > LONG // 2
    if narrow:
        picture.graph.attr(ranksep="0.3")
    grads = {group: group.gradients() for group in groups}
    largest = max((abs(g) for found in grads.values() for g in found if math.isfinite(g)), default=0.0)
    for group, found in grads.items():
        lines = [escaped(line, 60) for line in group.lines(picture.number_format, narrow)]
        colour = tint(max(found, key=abs, default=None), largest, picture.theme, picture.box)
        tip = {"tooltip": escaped(full_name(group.scope), 200)} if group.scope else {}
        picture.add(
            group.around, names[group], label="\\n".join(lines), shape="box", style="filled,rounded",
            fillcolor=colour, margin="0.15,0.1", **tip,
        )  # fmt: skip
    place = {group: i for i, group in enumerate(groups)}
    for source, target in sorted(edges, key=lambda edge: [place[group] for group in edge]):
        n = edges[source, target]
        picture.edges.append((names[source], names[target], {"label": f" {n}"} if n > 1 else {}))


def nearest(outputs: list[Value], n: int, kept: set[Value] | None = None) -> list[Value]:
    """The n inner nodes nearest to the outputs, of those that are kept."""
    found, ring = dict.fromkeys(v for v in outputs if v.op), [v for v in outputs if v.op]
    while ring and len(found) < n:
        below = [x for v in ring for x in v.operands if isinstance(x, Value) and x.op and x not in found]
        ring = [x for x in dict.fromkeys(below) if kept is None or x in kept]  # once: ways may be 2^n
        found.update(dict.fromkeys(ring))
    return list(found)[:n]


def draw_part(outputs: list[Value], picture: Picture, n: int, pretty: bool, kept: set[Value] | None) -> None:
    """The nodes nearest to the outputs, and one box for all that lies behind them."""
    names = {v: f"v{i}" for i, v in enumerate(nearest(outputs, n, kept))}
    more = sum(kept is None or v in kept for v in merged(outputs)) - len(names)
    shape = picture.number_format
    for v, name in names.items():
        grad = gradient_of(v)
        glyph = v.op.glyph if pretty and isinstance(v.op, Op) else sign(v.op)
        lines = [escaped(v.label)] * bool(v.label) + [escaped(glyph)]
        lines += [f"data {shown(v, shape)}", f"grad {'-' if grad is None else shown(grad, shape)}"]
        picture.add(None, name, label="\\n".join(lines), shape="box", style="filled,rounded")
        behind = 0
        for x in v.operands:
            if isinstance(x, Value) and x in names:
                picture.graph.edge(names[x], name)
            elif isinstance(x, Value) and x.op and (kept is None or x in kept):
                behind += 1
        if behind:
            picture.graph.edge("more", name, **({"label": f" {behind}"} if behind > 1 else {}))
    picture.add(None, "more", label=f"... {more} more", shape="box", style="filled,dashed")


# What a user calls ------------------------------------------------------------------------------------------------


def outputs_of(output: Any, who: str = "draw") -> list[Value]:
    if isinstance(output, Value):
        return [output]
    single = isinstance(output, (str, bytes)) or getattr(output, "ndim", 1) == 0
    if single or not isinstance(output, Iterable):
        raise TypeError(f"{who} needs a Value or a list of Values. Received: {type(output).__name__}")
    outputs = [v for item in output for v in outputs_of(item, who)]
    if not outputs:
        raise ValueError(f"{who} needs at least one Value. Received: none")
    return list(dict.fromkeys(outputs))


def check_options(
    number_format: Any = ".4g",
    max_nodes: Any = 1,
    level: Any = "auto",
    rankdir: Any = "LR",
    theme: Any = "light",
) -> None:
    """An error here, not in the middle."""
    if not among(theme, THEMES):
        raise ValueError(f"theme is one of {', '.join(THEMES)}. Received: theme={theme!r}")
    if not among(rankdir, ("LR", "TB", "RL", "BT")):
        raise ValueError(f"rankdir is one of LR, TB, RL, BT. Received: rankdir={rankdir!r}")
    if not among(level, ("auto", *LEVELS)):
        raise ValueError(f"level is one of auto, {', '.join(LEVELS)}. Received: level={level!r}")
    if isinstance(max_nodes, bool) or not isinstance(max_nodes, int):
        raise TypeError(
            f"max_nodes is an int. Received: max_nodes={max_nodes!r} ({type(max_nodes).__name__})"
        )
    try:
        format(0.0, number_format)
    except (TypeError, ValueError):
        raise ValueError(
            f"number_format is a format of floats, such as .4g. Received: number_format={number_format!r}"
        ) from None


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
    focus: Any = None,
    hops: int = 2,
    path: Any = None,
) -> graphviz.Digraph:
    """The graph behind a Value, or behind a list of them, as a `graphviz.Digraph`.

    A box shows a Value's label, number and gradient ("-" before any backward), a circle an operation, an edge the
    local derivative (`local_grads=False` leaves these out). Blue is a positive gradient, orange a negative one, a
    stronger tint a larger one. What a module recorded stands in its cluster; a weight used twice is one box.

    `level` is "scalar", "neuron", "layer", "block" (a layer with the layers in it, such as attention or an LSTM's
    cell), "model", or "auto": in full up to `max_nodes` boxes and circles, then, with a warning, by the smallest
    modules that read at a glance. There an edge tells how many values go along it, and a cell that runs along a
    sequence is a box for each step.

    `focus`, a Value or a label, draws that node and what is within `hops` of it, either way, up to `max_nodes` boxes
    and circles. `path=(a, b)`, Values or labels, draws only what leads from a to b, and tells how many paths there are:
    d b / d a is the sum over them of the products of what stands on their edges.

    `unfold=False` leaves a neuron's weighted sum one node. `rankdir` is Graphviz's "LR", "TB", "RL" or "BT"; `theme` is
    "light" or "dark"; `glyphs` asks for letters such as × and Σ (by default where the renderer knows their widths).
    Drawing changes nothing in the graph. ValueError for what is none of these, and for a node that is not there.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> print(draw(a * b, local_grads=False).source)  # doctest: +ELLIPSIS
    digraph {
    ...
    >>> len(draw((a * b).exp() + b, focus="a", hops=1).source) < len(draw((a * b).exp() + b).source)
    True
    """
    outputs = outputs_of(output)
    check_options(number_format, max_nodes, level, rankdir, theme)
    pretty = measures_glyphs() if glyphs is None else glyphs
    picture = Picture(theme, rankdir, number_format)
    if focus is not None:
        if path is not None or level not in ("auto", "scalar"):
            raise ValueError(
                f"focus shows scalars, and not a path. Received: focus={focus!r}, level={level!r}, path={path!r}"
            )
        chosen = neighbourhood(outputs, focus, hops, unfold, max_nodes)
        if chosen.left_out:
            warn(f"{chosen.note}; a larger max_nodes shows more, smaller hops less")
        draw_scalars(chosen, picture, local_grads, pretty)
        return picture.finish(chosen.note)
    way = None if path is None else between(outputs, path, unfold)
    count = count_drawn(outputs, unfold) if way is None else way.count
    notes = [] if way is None else [way.note]
    if level == "scalar" or (level == "auto" and count <= max_nodes):
        draw_scalars(way or all_of(outputs, unfold), picture, local_grads, pretty)
        return picture.finish(*notes)
    outputs, kept = (outputs, None) if way is None else (way.outputs, way.kept)
    recorded = Recorded(outputs, kept)
    if level == "auto":
        level = coarser(recorded, max_nodes)
        notes.append(
            f"{count} nodes: "
            + (f"collapsed to {level}s" if level else "only the part nearest to the output")
        )
        warn(f'{notes[-1]}; draw(..., level="scalar") or a larger max_nodes shows more')
    if level:
        draw_groups(recorded, picture, level)
    else:
        draw_part(outputs, picture, max_nodes // 3, pretty, kept)
    return picture.finish("; ".join(notes))


def warn(message: str) -> None:
    """A warning that names the line which called `draw`."""
    warnings.warn(message, stacklevel=3)


def coarser(recorded: Recorded, max_nodes: int) -> str:
    """The finest level that reads at a glance: a sixth of `max_nodes` boxes, half of it with the edges, and no longer
    than `LONG`. Where all are longer, the coarsest within a model that is small enough; "" where none is."""
    fits: dict[str, bool] = {}  # the coarsest first
    for level in reversed(LEVELS[1:]):
        groups, edges = recorded.groups(level)
        if len(groups) > max_nodes // 6 or len(groups) + len(edges) > max_nodes // 2:
            break  # a finer level has more
        fits[level] = longest(groups, edges) <= LONG and not (level == "model" and is_one(groups))
    short = [level for level in fits if fits[level]]
    return short[-1] if short else "".join(([*fits][1:] or [*fits])[:1])


def is_one(groups: Sequence[Group]) -> bool:
    """Whether all that was computed in modules is in one box."""
    return sum(group.scope is not None for group in groups) <= 1


def render(
    output: Any, path: str | os.PathLike[str], *, timeout: float | None = 60.0, **options: Any
) -> Path:
    """Draw and write to `path`, in the format of its ending: .svg, .png, .pdf, .dot. The options are those of `draw`.
    A picture that is drawn already, such as a frame of `steps`, is written as it is.

    The file is whole or not there. Needs the program `dot`, or the package pygraphviz (the extra `render`); without
    either, a RuntimeError says how to get one. A layout that takes more than `timeout` seconds is a TimeoutError.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     render(Value(1.0) + 2.0, folder + "/sum.dot").name
    'sum.dot'
    """
    if timeout is not None and not (isinstance(timeout, (int, float)) and timeout > 0.0):
        raise ValueError(f"timeout is a number of seconds above 0, or None. Received: timeout={timeout!r}")
    if not hasattr(output, "source"):
        return write(draw(output, **options), path, timeout=timeout)
    if options:
        raise TypeError(f"a picture is drawn already, and takes no options. Received: {', '.join(options)}")
    return write(output, path, timeout=timeout)


def draw_dot(root: Value, format: str = "svg", rankdir: str = "LR") -> graphviz.Digraph:
    """The tutorials' picture: a record `label | data | grad` for each Value, an ellipse for each operation.

    >>> draw_dot(Value(1.0) + Value(2.0)).format
    'svg'
    """
    if not among(rankdir, ("LR", "TB")):
        raise ValueError(f"rankdir is LR or TB. Received: rankdir={rankdir!r}")
    if not isinstance(root, Value):
        raise TypeError(f"draw_dot needs a Value as root. Received: {type(root).__name__}")
    from .digraph import Digraph

    if not isinstance(format, str):
        raise TypeError(f"format is a str, such as svg. Received: {format!r} ({type(format).__name__})")

    trace(root)  # unfolds what is folded
    order = topological(root)
    order = list(dict.fromkeys(x for v in order for x in (*v._children, v))) or [root]
    names = {v: f"v{i}" for i, v in enumerate(order)}
    try:
        graph = Digraph(format=format, graph_attr={"rankdir": rankdir}, node_attr={"fontname": FONT})
    except ValueError as error:
        raise ValueError(f"format is one that Graphviz knows, such as svg. Received: {error}") from None
    for v, name in names.items():
        label = re.sub(r"[{}|]", r"\\\g<0>", escaped(v.label))  # they part the boxes of a record
        label = f"{label} | " if label else ""
        graph.node(name, label=f"{{ {label}data {v.data:.4f} | grad {float(v.grad):.4f} }}", shape="record")
        if v.op:
            graph.node(f"{name}op", label=escaped(v._op))
            graph.edge(f"{name}op", name)
            for x in v._prev:
                graph.edge(names[x], f"{name}op")
    return graph


def svg(v: Value) -> str | None:
    """How a notebook shows a Value, beside the text of `repr`: as its graph."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is collapsed stands in the picture
        from .display import picture

        return picture(draw(v))


Value._repr_svg_ = svg  # type: ignore[attr-defined]
