"""neurongrad's engine: scalars that remember how they were made, their gradients, their picture.

Read in this order: `ops` (what an operation is, and the table of them), `value` (recording and backpropagation),
`operators` (Python's operators, made from the table), `graph` (looking at what was recorded), `transform`
(derivatives of functions), `draw` (the picture).
"""

import typing as _typing
from pathlib import Path as _Path

if _Path(__file__).with_name("tracer.py").exists():  # HIPS/autograd bears the same import name
    raise ImportError(
        "two projects share the folder of the package `autograd`: the distribution named autograd (HIPS) is "
        "installed beside neurongrad. Keep one: `pip uninstall autograd neurongrad`, then install that one again."
    )

from .compiler import Program, compile, compile_graph, uniform
from .context import Scope, detect_anomaly, no_grad, record_lines
from .draw import draw, draw_dot, render
from .graph import trace
from .later import later as _later
from .operators import dot, take
from .ops import TABLE, Op, op
from .transform import (
    check_gradient,
    grad,
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from .value import Constant, Value
from .vector import Vector

globals().update({name: entry for name, entry in TABLE.items() if name != "dot"})  # exp, tanh, relu, ...

_LATER = {  # what is loaded when it is first asked for: the module of each
    "explore": "explorer",
    "expression": "expressions",
    "latex": "expressions",
    "mermaid": "textual",
    "steps": "frames",
    "tree": "textual",
}
if _typing.TYPE_CHECKING:
    from .explorer import explore
    from .expressions import expression, latex
    from .frames import steps
    from .textual import mermaid, tree

    def __getattr__(name: str) -> _typing.Any: ...  # the names of the table, too
else:
    __getattr__, __dir__ = _later(__name__, _LATER)

__all__ = [
    "TABLE",
    "Constant",
    "Op",
    "Program",
    "Scope",
    "Value",
    "Vector",
    "check_gradient",
    "compile",
    "compile_graph",
    "detect_anomaly",
    "dot",
    "draw",
    "draw_dot",
    "explore",
    "expression",
    "grad",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "latex",
    "mermaid",
    "no_grad",
    "op",
    "record_lines",
    "render",
    "steps",
    "take",
    "trace",
    "tree",
    "uniform",
    "value_and_grad",
    "vjp",
]
__all__ += sorted(TABLE.keys() - {"dot"})
