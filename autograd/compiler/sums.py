"""Third pass: whatever is linear becomes a sum of products, and what is used once goes into the sum that uses it.

    b + w1 x1 + w2 x2        [(1, b, None), (1, w1, x1), (1, w2, x2)]        terms (sign, factor, other factor)

After it there are only sums and the table's other operations. In a sum that does not vary from sample to sample, a
term that does is meant to be summed over all samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..ops import TABLE, Op
from .graph import ADD, BATCH_SUM, MUL, NEG, SUB, SUM, Graph, kinds_of, used_once

DOT = TABLE["dot"]
LINEAR = {ADD, SUB, MUL, NEG, SUM, DOT, BATCH_SUM}
Term = tuple[int, int, int | None]


@dataclass
class Program:
    """What is left to compute: `sums` and `calls` by node, the nodes in order, and how deep each lies."""

    graph: Graph
    outputs: Sequence[int]
    sums: dict[int, list[Term]] = field(default_factory=dict)
    calls: dict[int, tuple[int, ...]] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    depth: dict[int, int] = field(default_factory=dict)


def joined(parts: Iterable[list[Term]]) -> list[Term]:
    """All terms in one list: that of the first part, which nobody else needs; a long sum is often made term by term."""
    first, *others = parts
    for terms in others:
        first += terms
    return first


def numbers_added(graph: Graph, terms: list[Term], depth: dict[int, int]) -> list[Term]:
    """The terms, those that are plain numbers as one."""
    numbers = [sign * graph.args[a][0] for sign, a, b in terms if b is None and graph.ops[a] == "literal"]
    if len(numbers) < 2:
        return terms
    total = graph.literal(sum(numbers))
    depth[total] = 0
    return [t for t in terms if t[2] is not None or graph.ops[t[1]] != "literal"] + [(1, total, None)]


def fold(graph: Graph, outputs: Sequence[int]) -> Program:
    """The program that computes the outputs."""
    live = graph.live(outputs)
    kinds = kinds_of(graph, live)
    alone = used_once(graph, live, kinds, outputs)
    program = Program(graph, outputs)
    ops, args, varies, sums = graph.ops, graph.args, graph.varies, program.sums
    inlined: set[int] = set()

    def part(sign: int, j: int, here: bool) -> list[Term]:
        """j as terms of a larger sum: its own terms where nobody else wants j."""
        if j in sums and kinds[j] in alone and varies[j] == here:
            inlined.add(j)
            return sums[j] if sign > 0 else [(-s, a, b) for s, a, b in sums[j]]
        return [(sign, j, None)]

    for i in live:
        op = ops[i]
        if op is MUL:
            sign, factors = 1, list(args[i])
            for k, j in enumerate(factors):
                if kinds[j] in alone and j in sums and len(sums[j]) == 1 and sums[j][0][2] is None:  # a sign
                    sign, factors[k] = sign * sums[j][0][0], sums[j][0][1]
                    inlined.add(j)
            sums[i] = [(sign, factors[0], factors[1])]
        elif op is BATCH_SUM:
            terms = part(1, args[i][0], True)
            same = [(a, b) for _, a, b in terms if not varies[a] and (b is None or not varies[b])]
            if any(b is not None for _, b in same):  # a product that is the same for all samples, n times
                inlined.discard(args[i][0])
                terms = [(1, args[i][0], None)]
            elif same:
                n = graph.count()
                terms = [(s, n, a) if b is None and not varies[a] else (s, a, b) for s, a, b in terms]
            sums[i] = terms
        elif op is SUM:
            sums[i] = joined(part(1, j, varies[i]) for j in args[i])
        elif op is ADD or op is SUB:
            x, y = args[i]
            sums[i] = joined((part(1, x, varies[i]), part(1 if op is ADD else -1, y, varies[i])))
        elif op is NEG:
            sums[i] = part(-1, args[i][0], varies[i])
        elif op is DOT:
            n = len(args[i]) // 2
            bias = args[i][-1]
            start = [] if graph.value(bias) == 0.0 else part(1, bias, varies[i])
            sums[i] = start + [(1, w, x) for w, x in zip(args[i][:n], args[i][n:-1], strict=True)]
            if not sums[i]:
                sums[i] = [(1, bias, None)]
        elif isinstance(op, Op):
            program.calls[i] = args[i]
    depth = program.depth
    depth.update((i, 0) for i in graph.found.values() if graph.ops[i] == "count")
    for i in live:
        if i in inlined:
            continue
        if i in sums:
            below = [x for _, a, b in sums[i] for x in (a, b) if x is not None]
        elif i in program.calls:
            below = list(args[i])
        else:
            depth[i] = 0
            continue
        depth[i] = 1 + max([depth[j] for j in below], default=0)
        program.order.append(i)
    for i in inlined:
        del sums[i]
    for i, terms in sums.items():
        if len(terms) > 1:
            sums[i] = numbers_added(graph, terms, depth)
    read = {x for terms in sums.values() for _, a, b in terms for x in (a, b)}
    read.update(j for args in program.calls.values() for j in args)
    last = max(depth.values(), default=0)
    for i in outputs:  # what nobody reads, such as the gradients of weights, can wait for its like
        if i in sums and i not in read:
            depth[i] = last
    return program
