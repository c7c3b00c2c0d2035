"""The graph that `draw` returns: `graphviz.Digraph`, which a notebook shows by whatever Graphviz there is."""

from __future__ import annotations

import graphviz

from .display import picture

__all__: list[str] = []  # for `draw`, which imports it late


class Digraph(graphviz.Digraph):  # type: ignore[misc]
    """A `graphviz.Digraph` whose picture in a notebook pygraphviz can make, too; without either it is its text."""

    _repr_mimebundle_ = None  # theirs raises where the program `dot` is not there
    _repr_svg_ = picture
