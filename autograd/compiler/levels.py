"""Level by level: what a large graph without any order in it becomes.

All numbers lie in one array v, operands before results, those of one depth side by side. A level is a few lines:

    v[520:980] = np.tanh(v[i7])                                       one for each operation
    v[980:1200] = np.add.reduceat(v[i8] * v[i9], i10)                 and one for all sums of products

The index arrays stand beside the program; there is one sample, no batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ops import Op
from . import syntax as s
from .naming import spelling
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
        self.leaves = [
            *dict.fromkeys([*leaves, one, *(i for i in program.outputs if i not in program.depth)])
        ]
        self.place.update((i, k) for k, i in enumerate(self.leaves))
        self.by_depth: dict[int, list[int]] = {}
        for i in program.order:
            self.by_depth.setdefault(program.depth[i], []).append(i)

    @staticmethod
    def suits(program: Program) -> bool:
        """Whether all operations go number by number."""
        ops = {program.graph.ops[i] for i in program.calls}
        return all(not op.variadic and spelling(op) for op in ops)

    def cost(self) -> float:
        """An estimate, in microseconds."""
        terms = sum(map(len, self.program.sums.values())) + len(self.program.calls)
        called = self.program.calls
        kinds = [{self.graph.ops[i] for i in nodes if i in called} for nodes in self.by_depth.values()]
        calls = sum(len(ops) + 5 for ops in kinds)
        return CALL * calls + TERM * terms

    def constant(self, values: Any) -> str:
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
        terms = [(sign, a, one if b is None else b) for i in nodes for sign, a, b in self.program.sums[i]]
        counts = [len(self.program.sums[i]) for i in nodes]
        first = self.constant([self.place[a] for _, a, _ in terms])
        product = f"v[{first}]"
        if any(b != one for _, _, b in terms):
            product += f" * v[{self.constant([self.place[b] for _, _, b in terms])}]"
        if any(sign < 0 for sign, _, _ in terms):
            signs = self.constant([float(sign) for sign, _, _ in terms])
            product += f" * {signs}"
        if max(counts) == 1:
            return product
        return f"np.add.reduceat({product}, {self.constant(np.cumsum([0, *counts[:-1]]).tolist())})"

    def calls(self, op: Op, nodes: list[int]) -> str:
        columns = zip(*[self.graph.args[i] for i in nodes], strict=True)
        operands = [
            s.index(s.name("v"), [s.name(self.constant([self.place[j] for j in c]))]) for c in columns
        ]
        mentions = s.template(op.numpy)[1]
        for k, x in enumerate(operands):
            if mentions[k] > 1:
                name = f"t{k}"
                self.lines.append(f"{name} = {s.text(x)}")
                operands[k] = s.name(name)
        return s.text(s.fill(op.numpy, operands))

    def read(self, nodes: Any) -> str:
        """The numbers of an array of nodes."""
        places = np.array([self.place[int(i)] for i in nodes.flat], dtype=int).reshape(nodes.shape)
        return f"v[{self.constant(places)}]" if nodes.ndim else f"v[{int(places)}]"

    def function(self, kind: str, recorded: Any, returned: Sequence[str]) -> str:
        """The function's text, once `emit` has made its lines."""
        graph = self.graph
        names = [f"x{k}" for k in range(len(recorded.shapes))]
        by_kind: dict[Any, list[int]] = {}
        for i in self.leaves:
            by_kind.setdefault((graph.ops[i], graph.args[i][0] if graph.ops[i] == "input" else 0), []).append(
                i
            )
        start = []
        for (what, argument), nodes in by_kind.items():
            where = self.constant([self.place[i] for i in nodes])
            if what == "input":
                flat = f"np.ravel({names[argument]})"
                start.append(f"v[{where}] = {flat}[{self.constant([graph.args[i][1] for i in nodes])}]")
            elif what == "parameter":
                number = {i: k for k, i in enumerate(graph.parameters)}
                start.append(f"v[{where}] = p[{self.constant([number[i] for i in nodes])}]")
            elif what == "random":
                start.append(f"v[{where}] = rng.random({len(nodes)})")
            else:
                start.append(f"v[{where}] = {self.constant([graph.args[i][0] for i in nodes])}")
        lines = [*start, *self.lines, f"return {', '.join(returned)}"]
        return f"def {kind}({', '.join(names)}):\n" + "".join(f"    {line}\n" for line in lines)
