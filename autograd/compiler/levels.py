"""Level by level: what a large graph without any order in it becomes.

All numbers lie in one array v, operands before results, those of one depth side by side. A level is a few lines:

    v[520:980] = np.tanh(v[i7])                                       one for each operation
    v[980:1200] = np.add.reduceat(v[i8] * v[i9], i10)                 and one for all sums of products

`v` has a second axis for the samples of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import __all__ as array_formulas
from ..ops import Op
from . import syntax as s
from .grouping import PICK
from .sums import Program

CALL, TERM = 1.5, 0.02  # microseconds for a NumPy call, and for a number in one


class Levels:
    """The lines of a function that computes a folded program, and the index arrays that they name."""

    def __init__(self, program: Program) -> None:
        self.program, self.graph = program, program.graph
        self.place: dict[int, int] = {}
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        leaves = [i for i, d in sorted(program.depth.items()) if d == 0]
        one = self.graph.literal(1.0)  # the second factor of what has none
        self.leaves = [*dict.fromkeys([*leaves, one])]
        self.place.update((i, k) for k, i in enumerate(self.leaves))
        self.by_depth: dict[int, list[int]] = {}
        for i in program.order:
            self.by_depth.setdefault(program.depth[i], []).append(i)

    @staticmethod
    def suits(program: Program) -> bool:
        """Whether all operations go number by number."""
        ops = {program.graph.ops[i] for i in program.calls}
        return all(not op.variadic and op is not PICK and spelled(op) for op in ops)

    def cost(self) -> float:
        """An estimate, in microseconds."""
        terms = sum(map(len, self.program.sums.values())) + len(self.program.calls)
        calls = sum(len({self.graph.ops[i] for i in nodes if i in self.program.calls}) + 5 for nodes in self.by_depth.values())
        return CALL * calls + TERM * terms

    def constant(self, values: Sequence[Any]) -> str:
        name = f"i{len(self.constants) + 1}"
        self.constants[name] = np.array(values)
        return name

    def emit(self) -> None:
        for depth in sorted(self.by_depth):
            found: dict[Any, list[int]] = {}
            for i in self.by_depth[depth]:
                found.setdefault("sum" if i in self.program.sums else self.graph.ops[i], []).append(i)
            for op, nodes in found.items():
                start = len(self.place)
                expr = self.sums(nodes) if op == "sum" else self.calls(op, nodes)
                self.place.update((i, start + k) for k, i in enumerate(nodes))
                self.lines.append(f"v[{start}:{start + len(nodes)}] = {expr}")

    def sums(self, nodes: list[int]) -> str:
        one = self.graph.literal(1.0)
        # Long sums first would do as well: reduceat only wants to know where each begins
        terms = [(sign, a, one if b is None else b) for i in nodes for sign, a, b in self.program.sums[i]]
        counts = [len(self.program.sums[i]) for i in nodes]
        first = self.constant([self.place[a] for _, a, _ in terms])
        product = f"v[{first}]"
        if any(b != one for _, _, b in terms):
            product += f" * v[{self.constant([self.place[b] for _, _, b in terms])}]"
        if any(sign < 0 for sign, _, _ in terms):
            signs = self.constant([float(sign) for sign, _, _ in terms])
            product += f" * {signs}{'[:, None]' * self.graph.batch}"
        if max(counts) == 1:
            return product
        return f"np.add.reduceat({product}, {self.constant(np.cumsum([0, *counts[:-1]]).tolist())})"

    def calls(self, op: Op, nodes: list[int]) -> str:
        columns = zip(*[self.graph.args[i] for i in nodes], strict=True)
        operands = [s.index(s.name("v"), [s.name(self.constant([self.place[j] for j in c]))]) for c in columns]
        mentions = s.template(op.numpy)[1]
        for k, x in enumerate(operands):
            if mentions[k] > 1:
                name = f"t{k}"
                self.lines.append(f"{name} = {s.text(x)}")
                operands[k] = s.name(name)
        return s.text(s.fill(op.numpy, operands))

    def function(self, kind: str, recorded: Any, outputs: Sequence[int], slopes: Sequence[int] | None) -> str:
        """The function's text. `outputs` are returned; `slopes` go to the vector g."""
        graph, batch = self.graph, self.graph.batch
        self.emit()
        names = [f"x{k}" for k in range(len(recorded.shapes))]
        size = len(self.place)
        body = [f"n = len({names[0]})", f"v = np.empty(({size}, n))"] if batch else []
        by_kind: dict[str, list[int]] = {}
        for i in self.leaves:
            kind_of = graph.ops[i] if graph.ops[i] != "input" else f"input {graph.args[i][0]}"
            by_kind.setdefault(kind_of, []).append(i)
        literals = by_kind.pop("literal", [])
        values = self.constant([graph.args[i][0] for i in literals])
        body.append(f"v[{self.constant([self.place[i] for i in literals])}] = {values}{'[:, None]' * batch}")
        for kind_of, nodes in by_kind.items():
            where = self.constant([self.place[i] for i in nodes])
            what, _, argument = kind_of.partition(" ")
            if what == "input":
                x = names[int(argument)]
                flat = f"{x}.reshape(n, -1).T" if batch else f"{x}.reshape(-1)"
                body.append(f"v[{where}] = {flat}[{self.constant([graph.args[i][1] for i in nodes])}]")
            elif what == "parameter":
                places = self.constant([graph.parameters.index(i) for i in nodes])
                body.append(f"v[{where}] = p[{places}]{'[:, None]' * batch}")
            elif what == "random":
                body.append(f"v[{where}] = rng.random(({len(nodes)}, n))" if batch else f"v[{where}] = rng.random({len(nodes)})")
            else:
                body.append(f"v[{where}] = n")
        body += self.lines
        return f"def {kind}({', '.join(names)}):\n" + "".join(f"    {line}\n" for line in body)


def spelled(op: Op) -> bool:
    name = op.numpy.partition("(")[0]
    return name != op.name or name in array_formulas
