"""Small pieces of Python's syntax tree, from which the generated text is built; nothing is ever pasted as text."""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Iterable, Sequence
from threading import RLock
from typing import Any

import numpy as np

Expr = ast.expr
PARSING = RLock()


def parsed(text: str, mode: str = "exec") -> Any:
    """The tree of a text; of one after the other, for in some versions of CPython two threads cannot parse at once."""
    with PARSING:
        return ast.parse(text, mode=mode)


def name(identifier: str) -> Expr:
    return ast.Name(identifier, ast.Load())


def number(x: float) -> Expr:
    """A number as a person writes it: 2 for 2.0, np.inf, -3."""
    if math.isnan(x):
        return attribute(name("np"), "nan")
    if x < 0 or (x == 0 and math.copysign(1.0, x) < 0):
        return ast.UnaryOp(ast.USub(), number(-x) if x else ast.Constant(0.0))
    if math.isinf(x):
        return attribute(name("np"), "inf")
    return ast.Constant(int(x) if float(x).is_integer() and x < 2**53 else float(x))


def attribute(x: Expr, what: str) -> Expr:
    return ast.Attribute(x, what, ast.Load())


def call(f: Expr, *args: Expr, **named: Expr) -> Expr:
    return ast.Call(f, list(args), [ast.keyword(k, v) for k, v in named.items()])


def np_call(f: str, *args: Expr, **named: Expr) -> Expr:
    return call(attribute(name("np"), f), *args, **named)


def method(x: Expr, f: str, *args: Expr, **named: Expr) -> Expr:
    return call(attribute(reshaped(x) if f == "reshape" else x, f), *args, **named)


def reshaped(x: Expr) -> Expr:
    """What a call of reshape reshapes; x itself if it is none: of two reshapes in a row the last one counts."""
    is_reshape = isinstance(x, ast.Call) and isinstance(x.func, ast.Attribute) and x.func.attr == "reshape"
    return x.func.value if is_reshape and not is_numpy(x.func.value) else x  # type: ignore[attr-defined]


def is_numpy(x: Expr) -> bool:
    return isinstance(x, ast.Name) and x.id == "np"


def integers(xs: Iterable[int]) -> list[Expr]:
    return [number(x) for x in xs]


def axis(*axes: int) -> Expr:
    return number(axes[0]) if len(axes) == 1 else tuple_of(integers(axes))


def tuple_of(xs: Iterable[Expr]) -> Expr:
    return ast.Tuple(list(xs), ast.Load())


def list_of(xs: Iterable[Expr]) -> Expr:
    return ast.List(list(xs), ast.Load())


def dict_of(xs: dict[Any, Expr]) -> Expr:
    return ast.Dict([ast.Constant(key) for key in xs], [*xs.values()])


def index(x: Expr, items: Sequence[Any]) -> Expr:
    """x[items]: ints, slices, None, Ellipsis, or expressions."""

    def item(i: Any) -> Expr:
        if isinstance(i, slice):
            lower = None if not i.start else number(i.start)
            return ast.Slice(lower, None if i.stop is None else number(i.stop), None)
        if isinstance(i, ast.AST):
            return i  # type: ignore[return-value]
        return ast.Constant(i) if i is None or i is Ellipsis else number(i)

    found = [item(i) for i in items]
    return ast.Subscript(x, found[0] if len(found) == 1 else tuple_of(found), ast.Load())


def slice_to(stop: Expr) -> Expr:
    return ast.Slice(None, stop, None)


OPERATORS: dict[str, ast.operator] = {
    "+": ast.Add(), "-": ast.Sub(), "*": ast.Mult(), "/": ast.Div(), "@": ast.MatMult()
}  # fmt: skip


def binary(x: Expr, operator: str, y: Expr) -> Expr:
    return ast.BinOp(x, OPERATORS[operator], y)


def negative(x: Expr) -> Expr:
    return ast.UnaryOp(ast.USub(), x)


@functools.lru_cache(None)
def template(text: str) -> tuple[Expr, tuple[int, ...]]:
    """A spelling of the table, {0} and so on as names, and how often it mentions each operand."""
    tree = parsed(text.format(*(f"operand_{i}" for i in range(9))), mode="eval").body
    names = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]
    return tree, tuple(names.count(f"operand_{i}") for i in range(9))


class Replace(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, by_name: dict[str, Expr]) -> None:
        self.by_name = by_name

    def visit_Name(self, node: ast.Name) -> Expr:
        return self.by_name.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> Expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "reshape":
            node.func.value = reshaped(node.func.value)
        return node


def fill(text: str, operands: Sequence[Expr]) -> Expr:
    """The table's spelling of an operation on these operands."""
    tree, _ = template(text)
    return replace(tree, {f"operand_{i}": x for i, x in enumerate(operands)})


def replace(tree: Expr, by_name: dict[str, Expr]) -> Expr:
    return Replace(by_name).visit(copy(tree))  # type: ignore[no-any-return]


def copy(tree: Expr) -> Expr:
    """A copy of the tree; leaves that nothing changes are shared."""
    if isinstance(tree, (ast.Constant, ast.operator, ast.unaryop, ast.expr_context)):
        return tree
    fields = {}
    for key, x in ast.iter_fields(tree):
        if isinstance(x, list):
            x = [copy(y) if isinstance(y, ast.AST) else y for y in x]  # type: ignore[arg-type]
        elif isinstance(x, ast.AST):
            x = copy(x)  # type: ignore[arg-type]
        fields[key] = x
    return type(tree)(**fields)


def names_in(tree: Expr) -> list[str]:
    return [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]


def text(tree: Expr) -> str:
    return ast.unparse(tree)


def array_text(values: Any) -> Expr | None:
    """A short array of numbers, written out: np.arange(10), np.array([1, 2]). None where it is too long to read."""
    if values.ndim == 1 and len(values) > 2 and np.array_equal(values, np.arange(len(values))):
        return np_call("arange", number(len(values)))
    if values.size > 12:
        return None

    def listed(xs: Any) -> Expr:
        return ast.List([listed(x) for x in xs], ast.Load()) if isinstance(xs, list) else number(xs)

    return np_call("array", listed(values.tolist()))


# Long lines -------------------------------------------------------------------------------------------------------


def broken(code: str, width: int = 106) -> list[str]:
    """A statement, given on one line, on as many as its length asks for: brackets open, sums at their signs."""
    if len(code) <= width or code.lstrip().startswith(("#", "for ")):
        return [code]
    indent = len(code) - len(code.lstrip())
    if indent:
        return [" " * indent + row for row in broken(code[indent:], width - indent)]
    statement = parsed(code).body[0]
    bare, _, comment = code.rpartition("  # ")
    if isinstance(statement, ast.Assign):
        found = split(f"{', '.join(map(text, statement.targets))} = ", statement.value, "", 0, width)
    elif isinstance(statement, ast.Return) and statement.value:
        found = split("return ", statement.value, "", 0, width)
    elif isinstance(statement, ast.Expr):
        found = split("", statement.value, "", 0, width)
    else:
        return [code]
    if bare and len(found[0]) + len(comment) + 4 <= width:
        found[0] = f"{found[0]}  # {comment}"
    return found


def header(function: str, arguments: Sequence[str], comment: str = "", width: int = 110) -> list[str]:
    """The first line of a function, or its first lines."""
    line = f"def {function}({', '.join(arguments)}):"
    if len(line) > width:
        rows = filled([f"{name}," for name in arguments], 4, width)
        return [f"def {function}(", *rows, f"):  # {comment}" if 0 < len(comment) < width - 8 else "):"]
    return [f"{line}  # {comment}" if comment and len(line) + len(comment) + 4 <= width else line]


def filled(items: Sequence[str], indent: int, width: int) -> list[str]:
    """Items one after another, on as few lines as hold them."""
    rows: list[str] = []
    for item in items:
        if rows and len(rows[-1]) + 1 + len(item) <= width:
            rows[-1] += " " + item
        else:
            rows.append(" " * indent + item)
    return rows


def split(before: str, tree: Expr, after: str, indent: int, width: int, enclosed: bool = False) -> list[str]:
    """`before`, the expression and `after` as lines, the first one indented; `enclosed`: it needs parentheses."""
    shown = f"({text(tree)})" if enclosed else text(tree)
    line = f"{' ' * indent}{before}{shown}{after}"
    if len(line) <= width:
        return [line]
    if enclosed and not isinstance(tree, ast.BinOp):
        inside = split("", tree, "", indent + 4, width)
        return [f"{' ' * indent}{before}(", *inside, f"{' ' * indent}){after}"]
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return split(
            before + "-", tree.operand, after, indent, width, text(tree) == f"-({text(tree.operand)})"
        )
    inner = tree.func if isinstance(tree, ast.Call) else tree
    if isinstance(inner, (ast.Subscript, ast.Attribute)) and not isinstance(inner.value, ast.Name):
        head = shown.startswith(f"({text(inner.value)})")
        tail = shown[len(text(inner.value)) + 2 * head :]  # .sum(axis=-1)
        return split(before, inner.value, tail + after, indent, width, head)
    if isinstance(tree, ast.BinOp) and type(tree.op) in SIGNS:
        parts, brackets = operands(tree), ("(", ")")
    elif isinstance(tree, (ast.Tuple, ast.List)):
        parts = [("", x, ",", False) for x in tree.elts]
        brackets = ("(", ")") if isinstance(tree, ast.Tuple) else ("[", "]")
    elif isinstance(tree, ast.Dict):
        parts = [(f"{text(k)}: ", x, ",", False) for k, x in zip(tree.keys, tree.values, strict=True) if k]
        brackets = ("{", "}")
    elif isinstance(tree, ast.Call):
        parts = [("", x, ",", False) for x in tree.args]
        parts += [(f"{k.arg}=", k.value, ",", False) for k in tree.keywords]
        brackets = (f"{text(tree.func)}(", ")")
    else:
        return [line]
    rows: list[str] = []
    row: list[str] = []
    for first, x, last, paren in parts:
        item = f"{first}({text(x)}){last}" if paren else f"{first}{text(x)}{last}"
        if len(item) + indent + 4 <= width:
            row.append(item)
            continue
        rows += filled(row, indent + 4, width)
        row = []
        rows += split(first, x, last, indent + 4, width, paren)
    rows += filled(row, indent + 4, width)
    return [" " * indent + before + brackets[0], *rows, " " * indent + brackets[1] + after]


SIGNS: dict[type[ast.operator], str] = {type(operator): sign for sign, operator in OPERATORS.items()}
SUMS = (ast.Add, ast.Sub)


def operands(tree: ast.BinOp) -> list[tuple[str, Expr, str, bool]]:
    """A chain of sums, or of products, as (sign before, operand, nothing after, whether it needs parentheses)."""
    added = isinstance(tree.op, SUMS)
    kinds = SUMS if added else (type(tree.op),)
    found: list[tuple[str, Expr, str, bool]] = []
    x: Expr = tree
    while isinstance(x, ast.BinOp) and isinstance(x.op, kinds):
        right = x.right
        weak = isinstance(right, ast.BinOp) and (not added or isinstance(right.op, SUMS))
        found.append((f"{SIGNS[type(x.op)]} ", right, "", weak or isinstance(right, LOOSE)))
        x = x.left
    weak = isinstance(x, ast.BinOp) and not added and isinstance(x.op, SUMS)
    return [("", x, "", weak or isinstance(x, LOOSE)), *found[::-1]]


LOOSE = (ast.Compare, ast.BoolOp, ast.IfExp, ast.Lambda)  # what always needs parentheses beside a sign
