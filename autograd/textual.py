"""A recorded graph as text: a tree for terminals, Mermaid for a README. They show what `draw` shows, in letters;
large graphs collapse by module as they do there."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .checks import one_line
from .context import Scope
from .draw import check_options, coarser, count_drawn, gradient_of, outputs_of, settings_of
from .levels import Group, Recorded, chain, full_name, natural, sign, step_of, title_of
from .selection import Node, all_of
from .value import Constant, Value

__all__ = ["mermaid", "tree"]


def operation(node: Node, number_format: str) -> str:
    settings = [format(x, number_format) for x in settings_of(node)]
    name = one_line(sign(node.op))
    return name + (" " if settings and name[-1:].isalpha() else "") + ", ".join(settings)


def is_large(outputs: list[Value], level: str, max_nodes: int) -> tuple[Recorded | None, str, str]:
    """Whether scalars are too many: then the graph to be grouped, the level, and what to say of it."""
    count = count_drawn(outputs, True) if level == "auto" else 0
    if level == "scalar" or (level == "auto" and count <= max_nodes):
        return None, "scalar", ""
    recorded = Recorded(outputs)
    if level != "auto":
        return recorded, level, ""
    level = coarser(recorded, max_nodes)
    what = f"collapsed to {level}s" if level else "only the part nearest to the output"
    return recorded, level, f"{count} nodes: {what}"


def tree(
    output: Any,
    *,
    level: str = "auto",
    number_format: str = ".4g",
    max_nodes: int = 300,
    ascii: bool = False,
) -> str:
    """The graph behind a Value as a tree of text, the output first and under each node what it was computed from.

    A node that is used again is told once: it bears a number, and is referred to by it. Levels are those of `draw`: a
    graph of more than `max_nodes` nodes collapses by module, and says so in its first line; where nothing is small
    enough, the lines end after `max_nodes`. `ascii` draws the branches with letters that every terminal knows.

    >>> from autograd import Value
    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> c = a * b
    >>> out = c + c
    >>> out.backward()
    >>> print(tree(out, ascii=True))
    + = -12, grad 1
    |-- [1] * = -6, grad 2
    |   |-- a = 2, grad -6
    |   `-- b = -3, grad 4
    `-- [1], above
    """
    outputs = outputs_of(output)
    check_options(number_format, max_nodes, level)
    recorded, level, note = is_large(outputs, level, max_nodes)
    if recorded is None or not level:
        nodes = all_of(outputs, True).nodes
        made = {node.value: node for node in nodes}
        roots: list[Any] = [made[v] for v in outputs]
        below: dict[Any, list[Any]] = {
            node: node.operands[: len(node.operands) - len(settings_of(node))] for node in nodes
        }
        say: Callable[[Any], str] = lambda x: of_node(x, number_format)
    else:
        groups, edges = recorded.groups(level)
        below = {group: [] for group in groups}
        for source, target in edges:
            below[target].append(source)
        roots = [group for group in groups if group not in {source for source, _ in edges}]
        say = lambda x: one_line(", ".join(of_group(x, number_format)), 200)
    lines = [note] if note else []
    for line in branches(roots, below, say, ("|-- ", "`-- ", "|   ") if ascii else ("├── ", "└── ", "│   ")):
        if len(lines) >= max_nodes:
            return "\n".join([*lines, "..."])
        lines.append(line)
    return "\n".join(lines)


def of_group(group: Group, number_format: str) -> list[str]:
    """What is said of a group where no frame around it says of which module it is a part."""
    lines = group.lines(number_format)
    if group.scope is not None:
        return [full_name(group.scope), *lines[1:]]
    return [*([f"in {full_name(group.around)}"] if group.around else []), *lines]


def of_node(node: Any, number_format: str) -> str:
    """A node on one line: `z: + = 0.3, grad 0.25`."""
    if not isinstance(node, Node):
        return format(node, number_format)
    v, gradient = node.value, gradient_of(node.value)
    names = [one_line(v.label)] * bool(v.label) + [operation(node, number_format)] * bool(node.op)
    grad = "" if gradient is None else f", grad {format(gradient, number_format)}"
    data = format(v.data, number_format)
    return f"{': '.join(names)} = {data}{grad}" if names else data + grad


def branches(
    roots: Sequence[Any],
    below: dict[Any, list[Any]],
    say: Callable[[Any], str],
    strokes: tuple[str, str, str],
) -> Iterator[str]:
    """The lines of a tree; what is used again and has something below it is referred to by number."""
    uses = Counter(x for found in below.values() for x in found if not isinstance(x, float))
    uses.update(roots)
    numbers: dict[Any, int] = {}
    stack = [(root, "", "") for root in reversed(roots)]
    while stack:
        x, start, indent = stack.pop()
        if x in numbers and not isinstance(x, float):
            yield f"{start}[{numbers[x]}], above"
            continue
        mark = ""
        if not isinstance(x, float) and uses[x] > 1 and below[x]:
            numbers[x] = len(numbers) + 1
            mark = f"[{numbers[x]}] "
        yield f"{start}{mark}{say(x)}"
        operands = [] if isinstance(x, float) else below[x]
        for i, y in reversed([*enumerate(operands)]):
            last = i == len(operands) - 1
            stack.append((y, indent + strokes[last], indent + ("    " if last else strokes[2])))


# Mermaid ----------------------------------------------------------------------------------------------------------

CLASSES = {
    "parameter": "fill:#f0f3f6,stroke:#8c959f,color:#1f2328",
    "value": "fill:#ffffff,stroke:#8c959f,color:#1f2328",
    "operation": "fill:#ffffff,stroke:#8c959f,color:#1f2328",
}


def entities(text: str, longest: int = 40) -> str:
    """A label as Mermaid shows it literally: whatever is not a letter, digit or harmless becomes an entity."""
    return "".join(
        c if c.isalnum() or c in " .,:=+-_/()*[]|" else f"#{ord(c)};" for c in one_line(text, longest)
    )


def mermaid(
    output: Any,
    *,
    level: str = "auto",
    rankdir: str = "LR",
    number_format: str = ".4g",
    max_nodes: int = 300,
) -> str:
    """The graph behind a Value as Mermaid text, which GitHub and many others draw within a README.

    Boxes, circles, edges and the frames of modules are those of `draw`; so are the levels: a graph of more than
    `max_nodes` nodes collapses by module, with a warning. ValueError where even that has more.

    >>> from autograd import Value
    >>> print(mermaid(Value(2.0, label="a") * Value(-3.0, label="b")))  # doctest: +ELLIPSIS
    flowchart LR
        v0["a<br/>data 2"]:::value
        v1["b<br/>data -3"]:::value
        v2["data -6"]:::value
        v2op(("*")):::operation
        v2op --> v2
        v0 -->|"-3"| v2op
        v1 -->|"2"| v2op
    ...
    """
    outputs = outputs_of(output)
    check_options(number_format, max_nodes, level, rankdir)
    recorded, level, note = is_large(outputs, level, max_nodes)
    if not level:
        raise ValueError(
            f"mermaid needs a graph of at most max_nodes={max_nodes} nodes, or one of modules. Received: {note}"
        )
    if note:
        warnings.warn(f'{note}; mermaid(..., level="scalar") or a larger max_nodes shows more', stacklevel=2)
    boxes = Boxes()
    if recorded is None:
        of_scalars(outputs, boxes, number_format)
    else:
        groups, edges = recorded.groups(level)
        names = {group: f"g{i}" for i, group in enumerate(groups)}
        for group, name in names.items():
            text = "<br/>".join(entities(line, 60) for line in group.lines(number_format))
            boxes.add(group.around, f'{name}["{text}"]:::{"parameter" if not group.values else "value"}')
        for (source, target), n in edges.items():
            boxes.edge(names[source], names[target], str(n) if n > 1 else "")
    classes = [f"    classDef {name} {style}" for name, style in CLASSES.items()]
    return "\n".join([f"flowchart {rankdir}", *boxes.lines(), *classes])


def of_scalars(outputs: list[Value], boxes: Boxes, number_format: str) -> None:
    chosen = all_of(outputs, True)
    names = {node: f"v{i}" for i, node in enumerate(chosen.nodes)}
    for node, name in names.items():
        v, gradient = node.value, gradient_of(node.value)
        lines = [entities(v.label)] * bool(v.label) + [f"data {format(v.data, number_format)}"]
        if gradient is not None and type(v) is not Constant:
            lines.append(f"grad {format(gradient, number_format)}")
        kind = "parameter" if v in chosen.owners else "value"
        boxes.add(chosen.owners.get(v, node.scope), f'{name}["{"<br/>".join(lines)}"]:::{kind}')
        if not node.op:
            continue
        boxes.add(node.scope, f'{name}op(("{entities(operation(node, number_format))}")):::operation')
        boxes.edge(f"{name}op", name)
        for i, x in enumerate(node.operands[: len(node.operands) - len(settings_of(node))]):
            source, d = names[x] if isinstance(x, Node) else f"{name}c{i}", node.partials[i]
            if not isinstance(x, Node):
                boxes.add(node.scope, f'{source}["{format(x, number_format)}"]:::value')
            boxes.edge(source, f"{name}op", "" if d is None else format(d, number_format))


class Boxes:
    """The statements of a flowchart, each within the frames of its modules."""

    def __init__(self) -> None:
        self.members: dict[Scope | None, list[str]] = {None: []}
        self.inside: dict[Scope | None, list[Scope]] = {}
        self.edges: list[str] = []

    def add(self, scope: Scope | None, statement: str) -> None:
        for around, each in zip([None, *chain(scope)], chain(scope), strict=False):
            if each not in self.members:
                self.members[each] = []
                self.inside.setdefault(around, []).append(each)
        self.members[scope].append(statement)

    def edge(self, source: str, target: str, label: str = "") -> None:
        self.edges.append(
            f'{source} -->|"{entities(label)}"| {target}' if label else f"{source} --> {target}"
        )

    def lines(self) -> Iterator[str]:
        frames = 0
        stack: list[tuple[Any, int]] = [(None, 1)]
        while stack:
            scope, depth = stack.pop()
            if isinstance(scope, str):
                yield "    " * depth + scope
                continue
            if scope is not None:
                title = entities(", ".join(filter(None, (title_of(scope), step_of(scope)))), 60)
                yield "    " * (depth - 1) + f'subgraph m{frames}["{title}"]'
                frames += 1
                stack.append(("end", depth - 1))
            yield from ("    " * depth + statement for statement in self.members[scope])
            inner = sorted(self.inside.get(scope, ()), key=natural)
            stack.extend((each, depth + 1) for each in reversed(inner))
        yield from ("    " + edge for edge in self.edges)
