"""The picture of a compiled program: a box for each line of its text, an edge from whatever the line reads.

The text is all that is looked at, so that the picture shows what runs. Inputs and parameters are marked as such,
products of matrices are blue, what is returned has a strong frame.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..draw import Picture, escaped, tint
from .syntax import parsed

if TYPE_CHECKING:
    import graphviz

    from .build import Built

PRODUCTS = {"matmul", "einsum", "dot"}
LONGEST = 40  # letters of an expression
SHAPE = re.compile(r"#.*?(\([^()]*\))\s*$")
FEW = 3  # names that an unpacked list may have to be told in full


@dataclass
class Box:
    """A line of the program: what it is called, what it is, what it reads."""

    name: str
    kind: str = ""  # "input", "parameter", "constant", or nothing
    shape: str = ""
    text: str = ""
    reads: list[str] = field(default_factory=list)
    product: bool = False
    returned: bool = False


class Reader:
    """The boxes of a program, in the order of its lines."""

    def __init__(self, built: Built) -> None:
        self.lines = built.source.splitlines()
        self.scope: dict[str, Any] = built.function.__globals__
        self.straight = built.straight
        self.boxes: dict[str, Box] = {}
        self.part_of: dict[str, str] = {}  # a name that was unpacked, and the box from which
        for statement in parsed(built.source).body:
            if isinstance(statement, ast.FunctionDef):
                self.function(statement)
            else:
                self.statement(statement)

    def function(self, function: ast.FunctionDef) -> None:
        head = "\n".join(self.lines[function.lineno - 1 : function.body[0].lineno - 1])
        shapes = dict(re.findall(r"(\w+) (\([^()]*\))", head.partition("#")[2]))
        for argument in function.args.args:
            name = argument.arg
            kind = "parameter" if self.straight and name == "p" else "input"
            self.boxes[name] = Box(name, kind, shapes.get(name, ""))
        for statement in function.body:
            match statement:
                case ast.Return(value=ast.expr() as value):
                    self.returned(value, function.name)
                case _:
                    self.statement(statement)

    def statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Expr):  # np.matmul(x, y, out=z)
            call = statement.value
            if isinstance(call, ast.Call) and call.keywords:
                product = ast.BinOp(call.args[0], ast.MatMult(), call.args[1])
                self.line(ast.unparse(call.keywords[0].value), product, statement).returned = True
            return
        if not isinstance(statement, ast.Assign):
            return
        (target,), value = statement.targets, statement.value
        if isinstance(target, ast.Tuple):
            if isinstance(value, ast.Name):
                names = [ast.unparse(x) for x in target.elts if ast.unparse(x) != "_"]
                self.part_of.update((name, value.id) for name in names)
                shown = names if len(names) <= FEW else [*names[: FEW - 1], "...", names[-1]]
                self.boxes[value.id].text = ", ".join(shown)
            return
        name = ast.unparse(target).removesuffix("[...]")
        if name == "n":
            return
        reads = self.names(value)
        if reads == ["p"] and isinstance(self.scope.get("p"), np.ndarray):
            self.boxes[name] = Box(name, "parameter", self.shape(name, statement))
        elif reads != ["g"]:  # which the gradient is written to, through a view of it
            box = self.line(name, value, statement)
            box.returned = isinstance(target, ast.Subscript)  # written to the gradient

    def line(self, name: str, value: ast.expr, statement: ast.stmt) -> Box:
        product = any(
            isinstance(x, ast.MatMult) or (isinstance(x, ast.Attribute) and x.attr in PRODUCTS)
            for x in ast.walk(value)
        )
        reads = list(dict.fromkeys(self.part_of.get(read, read) for read in self.names(value)))
        for read in reads:
            array = self.scope.get(read)
            if read not in self.boxes and isinstance(array, np.ndarray):
                kind = "parameter" if read == "p" else "constant"
                self.boxes[read] = Box(read, kind, str(array.shape))
        reads = [read for read in reads if read in self.boxes]
        box = Box(name, "", self.shape(name, statement), ast.unparse(value), reads, product)
        self.boxes[name] = box
        return box

    def returned(self, value: ast.expr, function: str) -> None:
        """What is returned: a name's box is marked, any other expression gets a box."""
        gradient = function == "value_and_grad" and isinstance(value, ast.Tuple)
        parts = value.elts if isinstance(value, ast.Tuple) and gradient else [value]
        for k, part in enumerate(parts):
            every = part.elts if isinstance(part, (ast.Tuple, ast.List)) else [part]
            if every and all(isinstance(x, ast.Name) and x.id in self.boxes for x in every):
                for name in self.names(part):
                    self.boxes[name].returned = True
                continue
            name = ("value" if k == 0 else "gradient") if function == "value_and_grad" else "output"
            while name in self.boxes:
                name += "_"
            self.line(name, part, ast.Pass(lineno=0)).returned = True

    def names(self, tree: ast.expr) -> list[str]:
        """The names that an expression reads, in the order of the text."""
        found = [(x.lineno, x.col_offset, x.id) for x in ast.walk(tree) if isinstance(x, ast.Name)]
        return list(dict.fromkeys(name for *_, name in sorted(found)))

    def shape(self, name: str, statement: ast.stmt) -> str:
        """The shape of a line's result: what its comment says, or that of the array which it is or fills."""
        array = self.scope.get(name)
        if isinstance(array, np.ndarray):
            return str(array.shape)
        found = SHAPE.search(self.lines[statement.lineno - 1]) if statement.lineno else None
        return found[1] if found else ""


def draw(built: Built) -> graphviz.Digraph:
    """The program as a `graphviz.Digraph`."""
    picture = Picture("light", "LR", ".4g")
    picture.graph.attr(nodesep="0.12", ranksep="0.3")
    blue = tint(0.03, 1.0, "light", picture.box)
    boxes = Reader(built).boxes
    ids = {name: f"b{i}" for i, name in enumerate(boxes)}
    for name, box in boxes.items():
        lines = [f"{name} {box.shape}" if box.shape else name]
        lines += [box.kind] * bool(box.kind) + [box.text] * bool(box.text)
        fill = {"parameter": picture.parameter, "constant": picture.parameter, "input": picture.faint}
        picture.add(
            None, ids[name], label="\\n".join(escaped(line, LONGEST) for line in lines), shape="box",
            style="filled,rounded", margin="0.1,0.06", penwidth="2" if box.returned else "1",
            fillcolor=blue if box.product else fill.get(box.kind, picture.box),
            fontcolor=picture.paper if box.kind == "input" else picture.ink,
        )  # fmt: skip
    graph = picture.finish()
    for name, box in boxes.items():
        for read in box.reads:
            graph.edge(ids[read], ids[name])
    return graph
