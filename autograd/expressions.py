"""A small graph as a formula: an expression of Python, or LaTeX.

A formula is put together from its operands upwards, each with how tightly it binds, so that parentheses stand where
they are needed and nowhere else. What is long and used more than once gets a name.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from .draw import check_options, count_drawn, outputs_of
from .levels import sign
from .ops import Op
from .selection import Node, all_of
from .value import Value

__all__ = ["expression", "latex"]

SUM, PRODUCT, NEGATION, POWER, ATOM = range(5)  # how tightly a formula binds
Part = tuple[str, int]

INFIX = {"add": SUM, "sub": SUM, "mul": PRODUCT, "div": PRODUCT, "floordiv": PRODUCT, "mod": PRODUCT}
SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "mod": "%"}
LONG = 20  # letters: what is longer and used more than once gets a name
PATH = re.compile(r"[^\W\d]\w*(\.\w+|\[\d+\])*")


def within(part: Part, least: int) -> str:
    text, binding = part
    return text if binding >= least else f"({text})"


def python(name: str, parts: Sequence[Part]) -> Part:
    """An operation on its operands as Python writes it."""
    if name in INFIX and len(parts) == 2:
        binding = INFIX[name]
        return f"{within(parts[0], binding)} {SIGNS[name]} {within(parts[1], binding + 1)}", binding
    if name == "pow":
        return f"{within(parts[0], ATOM)} ** {within(parts[1], NEGATION)}", POWER
    if name == "neg":
        return f"-{within(parts[0], NEGATION)}", NEGATION
    return f"{name}({', '.join(text for text, _ in parts)})", ATOM


def python_number(x: float, number_format: str) -> Part:
    text = format(x, number_format)
    return text, NEGATION if text.startswith("-") else ATOM


def python_name(label: str) -> str:
    """A label that looks like a name or a path stays; else what is no letter becomes an underscore."""
    label = unicodedata.normalize("NFKC", label)  # as Python reads names: 𝐱 and x are the same
    name = "".join(c if f"_{c}".isidentifier() else "_" for c in label)
    if PATH.fullmatch(label) and name.isidentifier() and not any(map(keyword.iskeyword, label.split("."))):
        return label
    name = re.sub("__+", "_", name)
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"_{name}"


FUNCTIONS = {"log": r"\ln", "log2": r"\log_{2}", "log10": r"\log_{10}", "maximum": r"\max", "minimum": r"\min",
             "sigmoid": r"\sigma", "largest": r"\max"}  # fmt: skip
FUNCTIONS |= {
    name: rf"\{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan")
}
AROUND = {"sqrt": r"\sqrt{%s}", "cbrt": r"\sqrt[3]{%s}", "abs": r"\left|%s\right|", "exp": "e^{%s}",
          "floor": r"\left\lfloor %s \right\rfloor", "ceil": r"\left\lceil %s \right\rceil"}  # fmt: skip
GREEK = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi",
         "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega"}  # fmt: skip
ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
ESCAPES |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}  # older fonts lack them
ESCAPES |= {c: "\\" + c for c in "{}$&#_%"}


def enclosed(part: Part, least: int) -> str:
    text, binding = part
    return text if binding >= least else rf"\left({text}\right)"


def mathematics(name: str, parts: Sequence[Part]) -> Part:
    """An operation on its operands as LaTeX writes it. A minus sign is read as that of a sum."""
    texts = [text for text, _ in parts]
    if name in ("add", "sub"):
        return f"{enclosed(parts[0], SUM)} {'+' if name == 'add' else '-'} {enclosed(parts[1], PRODUCT)}", SUM
    if name == "mul":
        left, right = enclosed(parts[0], PRODUCT), enclosed(parts[1], NEGATION)
        dot = r"\cdot" if right[:1].isdigit() else r"\,"
        return f"{left} {dot} {right}", PRODUCT
    if name == "div":
        return rf"\frac{{{texts[0]}}}{{{texts[1]}}}", NEGATION
    if name == "floordiv":
        return rf"\left\lfloor \frac{{{texts[0]}}}{{{texts[1]}}} \right\rfloor", ATOM
    if name == "mod":
        return rf"{enclosed(parts[0], PRODUCT)} \bmod {enclosed(parts[1], NEGATION)}", PRODUCT
    if name == "pow":
        return f"{{{enclosed(parts[0], ATOM)}}}^{{{texts[1]}}}", POWER
    if name == "neg":
        return f"-{enclosed(parts[0], PRODUCT)}", SUM
    if name == "reciprocal":
        return rf"\frac{{1}}{{{texts[0]}}}", NEGATION
    if name in AROUND:
        return AROUND[name] % texts[0], POWER if name == "exp" else ATOM
    function = FUNCTIONS.get(name) or rf"\operatorname{{{latex_text(name)}}}"
    return rf"{function}\left({', '.join(texts)}\right)", POWER


def latex_number(x: float, number_format: str) -> Part:
    if not math.isfinite(x):
        return (r"\mathrm{nan}", ATOM) if x != x else (r"\infty", ATOM) if x > 0 else (r"-\infty", SUM)
    text, _, exponent = format(x, number_format).partition("e")
    if exponent:
        return rf"{text} \cdot 10^{{{int(exponent)}}}", SUM if text.startswith("-") else PRODUCT
    return text, SUM if text.startswith("-") else ATOM


def latex_text(text: str) -> str:
    return "".join(ESCAPES.get(c, c) for c in " ".join(text.split()) if c.isprintable())


def latex_name(label: str) -> str:
    """A letter, a Greek one, with a number as index; a longer word upright; anything else as text."""
    found = re.fullmatch(r"(.*?)_?((?:\[\d+\])+|\d+)?", label, re.DOTALL) if len(label) < 200 else None
    stem, index = (found[1], found[2] or "") if found else ("", "")
    if not stem or not re.fullmatch(r"[A-Za-z][\w.]*", stem, re.ASCII):
        return rf"\text{{{latex_text(label)}}}"
    word = stem if len(stem) == 1 else rf"\{stem}" if stem in GREEK else rf"\mathrm{{{latex_text(stem)}}}"
    index = ",".join(re.findall(r"\d+", index))
    return f"{word}_{{{index}}}" if index else word


class Formula:
    """The formula of a graph: `definitions` of what is used more than once, then one formula for each output."""

    def __init__(
        self,
        outputs: list[Value],
        write: Callable[[str, Sequence[Part]], Part],
        number: Callable[[float, str], Part],
        name: Callable[[str], str],
        number_format: str,
        max_nodes: int,
        owner: str,
    ) -> None:
        check_options(number_format, max_nodes)
        count = count_drawn(outputs, True)
        if count > max_nodes:
            raise ValueError(
                f"{owner} needs a graph of at most max_nodes={max_nodes} nodes. Received: {count}."
                f" `draw`, `tree` and `mermaid` collapse larger ones by module"
            )
        nodes = all_of(outputs, True).nodes
        uses = Counter(x for node in nodes for x in node.below)
        self.taken: set[str] = set()
        self.name, self.definitions = name, list[tuple[str, str]]()
        leaves = [node for node in nodes if not node.op and node.value.label]
        parts: dict[Node, Part] = {node: (self.unique(node.value.label), ATOM) for node in leaves}
        for node in nodes:
            v = node.value
            if node in parts:
                continue
            if not node.op:
                parts[node] = number(v.data, number_format)
                continue
            operands = [parts[x] if isinstance(x, Node) else number(x, number_format) for x in node.operands]
            parts[node] = write(*applied(node.op, operands))
            if uses[node] > 1 and len(parts[node][0]) > LONG:
                label = self.unique(v.label or f"t{len(self.definitions) + 1}")
                self.definitions.append((label, parts[node][0]))
                parts[node] = (label, ATOM)
        made = {node.value: parts[node][0] for node in nodes}
        self.outputs = [made[v] for v in outputs]

    def unique(self, label: str) -> str:
        """A name for one node alone."""
        name, n = self.name(label), 2
        while name in self.taken:
            name, n = self.name(f"{label}_{n}"), n + 1
        self.taken.add(name)
        return name


def applied(op: Any, operands: list[Part]) -> tuple[str, list[Part]]:
    """The name of an operation, with its operands; one that was made by hand is known by its sign."""
    if isinstance(op, Op):
        return python_name(op.name), operands
    power = re.fullmatch(r"\*\*(-?)(\d+\.?\d*)", op.symbol)
    if power and len(operands) == 1:
        return "pow", [*operands, (power[1] + power[2], NEGATION if power[1] else ATOM)]
    if len(operands) == 2 and op.symbol in SIGNS.values():
        return next(name for name, sign in SIGNS.items() if sign == op.symbol), operands
    return python_name(sign(op)), operands


def expression(output: Any, *, number_format: str = ".4g", max_nodes: int = 300) -> str:
    """The formula behind a Value, as Python: labels for names, numbers where there is none.

    Parentheses stand where the order of operations needs them. What is longer than a few letters and used more than
    once is named in a line before, by its label or t1, t2, ...; a list of Values gives a line for each. ValueError for
    more than `max_nodes` nodes.

    >>> from autograd import Value
    >>> w, x, b = Value(2.0, label="w"), Value(3.0, label="x"), Value(1.0, label="b")
    >>> expression((w * x + b).tanh())
    'tanh(w * x + b)'
    >>> z = w * x + b * (x - 0.5)
    >>> print(expression(z * z.exp()))
    t1 = w * x + b * (x - 0.5)
    t1 * exp(t1)
    """
    outputs = outputs_of(output)
    found = Formula(outputs, python, python_number, python_name, number_format, max_nodes, "expression")
    return "\n".join([f"{name} = {text}" for name, text in found.definitions] + found.outputs)


def latex(output: Any, *, number_format: str = ".4g", max_nodes: int = 300) -> str:
    r"""The formula behind a Value, for LaTeX's mathematics mode.

    A label such as `w[0]` or `x1` becomes a letter with an index, `alpha` a Greek letter; what LaTeX would take for a
    command is escaped. Several lines, as `expression` has them, are an `aligned` environment. ValueError for more than
    `max_nodes` nodes.

    >>> from autograd import Value
    >>> w, x = Value(2.0, label="w[0]"), Value(3.0, label="x")
    >>> print(latex((w * x + 1.0).tanh() / x**2))
    \frac{\tanh\left(w_{0} \, x + 1\right)}{{x}^{2}}
    """
    outputs = outputs_of(output)
    found = Formula(outputs, mathematics, latex_number, latex_name, number_format, max_nodes, "latex")
    lines = [f"{name} &= {text}" for name, text in found.definitions] + [
        f"& {text}" for text in found.outputs
    ]
    body = r" \\ ".join(lines)
    return found.outputs[0] if len(lines) == 1 else rf"\begin{{aligned}} {body} \end{{aligned}}"
