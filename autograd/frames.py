"""The steps of a computation as pictures: forward one operation after the other, then backward, in one layout.

    frame 0             the leaves have their numbers
    one for each op     its result appears, with the derivatives on its edges
    the seed            d output / d output = 1
    one for each op     backwards: what its operands receive is added to what they have

All frames have the same boxes, of the same sizes, and the same texts on the edges, so that Graphviz lays all of them
out alike; what is not known yet stands there without its number, or in the colour of the paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape, unescape
from typing import TYPE_CHECKING, Any

from .draw import WILD, Picture, check_options, escaped, outputs_of, settings_of, shown, symbol, tint
from .expressions import ATOM, applied, python, python_number
from .render import measures_glyphs
from .selection import Node, Selection, all_of
from .value import ByHand, Constant

if TYPE_CHECKING:
    import graphviz

__all__ = ["steps"]

GHOST = {"light": "#d0d7de", "dark": "#30363d"}  # what is not computed yet
ACTIVE = {"light": "#ffd33d", "dark": "#9e6a03"}  # the operation of the step
LETTER, LINE = 0.095, 0.18  # inches that a letter is wide, and a line high, at most
TOLD = 4  # operands whose gradients a caption tells
LONGEST = 100  # letters in a line of it


def steps(
    output: Any,
    *,
    unfold: bool = True,
    rankdir: str = "LR",
    number_format: str = ".4g",
    theme: str = "light",
    max_nodes: int = 300,
    glyphs: bool | None = None,
) -> Iterator[graphviz.Digraph]:
    """The frames of the forward and the backward pass behind a Value, as `graphviz.Digraph`s: slides of a lecture.

    Each frame is the picture that `draw` makes, as far as the pass has come: what is not computed yet is faint and has
    no number, the operation of the step stands out, and the line below, which is also the frame's `comment`, says what
    it does. n operations have 2 n + 2 frames. Gradients are computed for the frames, from 0, and `grad` is left as it
    is; a constant has the forward pass alone. `render(frame, path)` writes a frame. The options are those of `draw`.

    Raises ValueError for more than `max_nodes` boxes and circles, TypeError for a node with a `_backward` of its own.

    >>> from autograd import Value
    >>> for frame in steps(Value(2.0, label="a") * Value(-3.0, label="b")):
    ...     print(frame.comment)
    the leaves have their numbers
    forward 1 of 1: a * b = 2 * -3 = -6
    backward: the gradient of the output is 1
    backward 1 of 1: grad of a: -3 * 1 = -3; grad of b: 2 * 1 = 2
    """
    outputs = outputs_of(output)
    if len(outputs) != 1:
        raise ValueError(f"steps needs one output, where backward begins. Received: {len(outputs)}")
    check_options(number_format, max_nodes, "auto", rankdir, theme)
    chosen = all_of(outputs, unfold)
    if chosen.count > max_nodes:
        raise ValueError(
            f"steps shows every operation: it needs a graph of at most max_nodes={max_nodes} boxes and circles."
            f" Received: {chosen.count}"
        )
    for node in chosen.nodes:
        if isinstance(node.op, ByHand) and node.op.push:
            raise TypeError(
                f"steps needs local derivatives. Received: a node {node.op.symbol!r} made by hand"
            )
    pretty = measures_glyphs() if glyphs is None else glyphs
    moments = list(passes(chosen.nodes, number_format))
    widths = {node: width(node, moments, number_format) for node in chosen.nodes}
    sizes = [abs(g) for g in moments[-1].grads.values() if math.isfinite(g)]
    largest = max(sizes, default=0.0)
    return (
        frame(chosen, moment, caption, Picture(theme, rankdir, number_format), widths, largest, pretty)
        for moment, caption in zip(moments, captions(moments), strict=True)
    )


@dataclass
class Moment:
    """How far the passes have come."""

    said: list[str]  # line by line
    known: set[Node]  # whose numbers are computed
    grads: dict[Node, float] = field(default_factory=dict)  # received so far
    active: Node | None = None  # whose operation is at work


def passes(nodes: list[Node], number_format: str) -> Iterator[Moment]:
    """All moments of a forward and a backward pass."""
    ops = [node for node in nodes if node.op]
    known = {node for node in nodes if not node.op}
    yield Moment(["the leaves have their numbers"], set(known))
    for i, node in enumerate(ops):
        known.add(node)
        said = f"forward {i + 1} of {len(ops)}: {equation(node, number_format)}"
        yield Moment([said], set(known), active=node)
    output = nodes[-1]
    if isinstance(output.value, Constant):
        return
    grads = {output: 1.0}
    yield Moment(["backward: the gradient of the output is 1"], known, dict(grads))
    for i, node in enumerate(reversed(ops)):
        told = []
        g = grads.get(node)
        for x, d in zip(node.operands, node.partials, strict=True):
            if isinstance(x, Node) and d is not None and g is not None:
                before = f"{shown(grads[x], number_format)} + " if x in grads else ""
                grads[x] = grads.get(x, 0.0) + d * g
                product = f"{shown(d, number_format)} * {shown(g, number_format)}"
                told.append(
                    f"grad of {called(x, number_format)}: {before}{product} = {shown(grads[x], number_format)}"
                )
        more = ["..."] if len(told) > TOLD else []
        first, *others = told[:TOLD] + more or ["no gradient goes on"]
        yield Moment([f"backward {i + 1} of {len(ops)}: {first}", *others], known, dict(grads), node)


def called(x: Any, number_format: str) -> str:
    """An operand in a caption: its label, or its number."""
    label = " ".join(x.value.label.split()) if isinstance(x, Node) else ""
    return label[:20] or shown(x.value if isinstance(x, Node) else x, number_format)


def equation(node: Node, number_format: str) -> str:
    """`a * b = 2 * -3 = -6`."""
    names = [called(x, number_format) for x in node.operands]
    numbers = [
        python_number(float(x.value if isinstance(x, Node) else x), number_format) for x in node.operands
    ]
    sides = [
        python(*applied(node.op, [(name, ATOM) for name in names]))[0],
        python(*applied(node.op, numbers))[0],
        shown(node.value, number_format),
    ]
    return " = ".join(dict.fromkeys(sides))


def width(node: Node, moments: list[Moment], number_format: str) -> int:
    """The letters of the longest line that a box ever has."""
    grads = (moment.grads[node] for moment in moments if node in moment.grads)
    numbers = {shown(x, number_format) for x in (node.value, *grads)}
    return max(len(escaped(node.value.label)), 5 + max(map(len, numbers)))


def frame(
    chosen: Selection,
    moment: Moment,
    caption: str,
    picture: Picture,
    widths: dict[Node, int],
    largest: float,
    pretty: bool,
) -> graphviz.Digraph:
    """The picture of one moment."""
    names = {node: f"v{i}" for i, node in enumerate(chosen.nodes)}
    shape, theme = picture.number_format, picture.theme
    for node, name in names.items():
        v, known, gradient = node.value, node in moment.known, moment.grads.get(node)
        lines = [escaped(v.label)] * bool(v.label) + [f"data {shown(v, shape) if known else '-'}"]
        if not isinstance(v, Constant):
            lines.append(f"grad {'-' if gradient is None else shown(gradient, shape)}")
        plain = picture.parameter if v in chosen.owners else picture.box
        fill = WILD if known and not math.isfinite(v.data) else tint(gradient, largest, theme, plain)
        active = node is moment.active
        ink = picture.ink if known else picture.faint
        line = picture.ink if active else picture.frame if known else GHOST[theme]
        line_width = "2" if active else "1"
        picture.add(
            chosen.owners.get(v, node.scope), name, label="\\n".join(lines), shape="box", style="filled,rounded",
            fixedsize="true", width=f"{LETTER * widths[node] + 0.2:.2f}", height=f"{LINE * len(lines) + 0.14:.2f}",
            fillcolor=fill if known else picture.paper, fontcolor=ink, color=line, penwidth=line_width,
        )  # fmt: skip
        if not node.op:
            continue
        picture.add(
            node.scope, name + "op", label=symbol(node, shape, pretty), shape="circle", margin="0.02", width="0.35",
            fontsize="13", fontcolor=ink, fillcolor=ACTIVE[theme] if active else picture.paper, color=line,
            penwidth=line_width,
        )  # fmt: skip
        stroke = {
            "color": picture.ink if active else picture.faint if known else GHOST[theme],
            "penwidth": line_width,
        }
        picture.graph.edge(name + "op", name, **stroke)
        for i, x in enumerate(node.operands[: len(node.operands) - len(settings_of(node))]):
            source = names[x] if isinstance(x, Node) else f"{name}c{i}"
            if not isinstance(x, Node):
                picture.add(
                    node.scope, source, label=shown(x, shape), shape="plaintext", style="", margin="0.05,0.02"
                )
            d = node.partials[i]
            colour = picture.ink if active else picture.faint if known else picture.paper
            mark = {} if d is None else {"label": " " + shown(d, shape), "fontcolor": colour}
            picture.graph.edge(source, name + "op", **mark, **stroke)
    made = picture.finish()
    made.comment = "; ".join(moment.said)
    made.attr(label=caption, labelloc="b")
    return made


def captions(moments: list[Moment]) -> list[str]:
    """What stands below each frame, as HTML of one size: a wider line would move the picture."""
    said = [[escape(" ".join(line.split())[:LONGEST]) for line in moment.said] for moment in moments]
    lines = max(map(len, said))
    letters = max(len(unescape(line)) for found in said for line in found)
    size = f'FIXEDSIZE="TRUE" WIDTH="{letters * 7.5 + 10:.0f}" HEIGHT="{lines * 17 + 6}"'
    texts = [
        "".join(f'{line}<BR ALIGN="LEFT"/>' for line in found + [" "] * (lines - len(found)))
        for found in said
    ]
    cell = f'<TR><TD {size} ALIGN="LEFT" BALIGN="LEFT" VALIGN="TOP">'
    return [f'<<TABLE BORDER="0" CELLSPACING="0">{cell}{text}</TD></TR></TABLE>>' for text in texts]
