"""Names of a package that are loaded when they are first asked for (PEP 562), so that importing it takes less time."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__: list[str] = []  # for the packages themselves


def later(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package. `homes`: the module in which each name is, "" for a module itself."""
    names = vars(sys.modules[package])

    def ask(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{homes[name] or name}")
        names[name] = getattr(module, name) if homes[name] else module
        return names[name]

    return ask, lambda: sorted({*names, *names["__all__"]})
