"""Penalties: what large parameters cost, to be added to a loss so that a model stays simple.

loss = nn.mse(model(x), y) + 1e-4 * nn.penalties.l2(model)
"""

from __future__ import annotations

from typing import Any

from autograd.ops import abs_, sum_

from .optim import leaves


def l1(parameters: Any) -> Any:
    """The sum of |p|: it draws every p towards 0 alike, and many of them to 0 (the lasso; Tibshirani, 1996).

    parameters: a Module, or a list of Values.

    >>> from autograd import Value
    >>> l1([Value(3.0), Value(-4.0)])
    Value(data=7.0)
    """
    return sum_([abs_(p) for p in leaves("l1", parameters)])


def l2(parameters: Any) -> Any:
    """The sum of p^2 (ridge regression; Hoerl & Kennard, 1970).

    A loss with c l2(parameters) has the gradient 2 c p more: for `SGD` the same as weight_decay = 2 c. For `Adam` and
    its like, too, it is their `weight_decay`, which then goes through the division by the gradient's size; the decay of
    `AdamW` does not, and no penalty is the same as that (Loshchilov & Hutter, 2019).

    parameters: a Module, or a list of Values.

    >>> from autograd import Value
    >>> l2([Value(3.0), Value(-4.0)])
    Value(data=25.0)
    """
    return sum_([p * p for p in leaves("l2", parameters)])
