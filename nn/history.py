"""History: what a run of `fit` has reached, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .checks import entries, one_line, real

SHOWN = 8  # epochs in the table, from its beginning and its end


class History(Mapping[str, list[float]]):
    """A list of numbers, one an epoch, for each name: `history["loss"]`, `history["val_loss"]`, ...

    `epochs` are the same numbers as a dict for each epoch, `seconds` how long each took; `interrupted` says whether
    Ctrl-C ended the run. Where an epoch has no number of a name, it is nan.

    >>> history = History([{"loss": 0.5, "val_loss": 0.75}, {"loss": 0.25, "val_loss": 0.5}])
    >>> history["loss"], history.epochs[-1]["val_loss"], [*history]
    ([0.5, 0.25], 0.5, ['loss', 'val_loss'])
    >>> history
    epoch    loss  val_loss
        1  0.5000    0.7500
        2  0.2500    0.5000
    """

    def __init__(
        self,
        epochs: Iterable[Mapping[str, float]] = (),
        seconds: Iterable[float] = (),
        interrupted: bool = False,
    ) -> None:
        rows = entries("History", "epochs", epochs)
        for row in rows:
            if not isinstance(row, Mapping):
                raise TypeError(
                    f"History needs a dict of numbers for each epoch. Received: {row!r} ({type(row).__name__})"
                )
        self.epochs: list[dict[str, float]] = [dict(row) for row in rows]
        self.seconds: list[float] = [
            real("History", "seconds", x) for x in entries("History", "seconds", seconds)
        ]
        self.interrupted = interrupted

    def __getitem__(self, name: str) -> list[float]:
        if not isinstance(name, str) or name not in [*self]:
            raise KeyError(f"a history has one of {[*self]}. Received: {name!r}")
        return [row.get(name, math.nan) for row in self.epochs]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for row in self.epochs for name in row))

    def __len__(self) -> int:
        """How many names there are; `len(history.epochs)` is how many epochs."""
        return len([*iter(self)])

    def to_dict(self) -> dict[str, Any]:
        """Lists, dicts and numbers alone, as JSON knows them."""
        return {
            "epochs": [{**row} for row in self.epochs],
            "seconds": [*self.seconds],
            "interrupted": self.interrupted,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> History:
        """What `to_dict` gave.

        >>> History.from_dict(History([{"loss": 0.5}]).to_dict())["loss"]
        [0.5]
        """
        if not isinstance(content, Mapping) or content.keys() - {"epochs", "seconds", "interrupted"}:
            raise TypeError(f"History.from_dict needs what to_dict gave. Received: {content!r}")
        return cls(**content)

    def plot(self, ax: Any = None, names: Sequence[str] | None = None) -> Any:
        """A line for each name over the epochs, by default for the losses, on the axes given or new ones; returns the
        axes. Needs matplotlib: see `nn.plots.history`."""
        from .plots import history  # it knows all the rest

        return history(self, ax, names)

    def _repr_svg_(self) -> str | None:
        """How a notebook shows it, beside the text of `repr`: as the curves of the losses, or of all where there is
        none by that name."""
        from .charts import svg

        names = None if "loss" in self else [*self]
        return svg(lambda ax: self.plot(ax, names)) if self else None

    def __repr__(self) -> str:
        if not self.epochs:
            return "History of no epoch" + ", interrupted" * self.interrupted
        n, names = len(self.epochs), [*self]
        table = [["epoch", *map(one_line, names)]]
        table += [[str(i + 1), *[shown(self[name][i]) for name in names]] for i in range(n)]
        if n > SHOWN:
            table[1 + SHOWN // 2 : -SHOWN // 2] = [["..."] * len(table[0])]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in table
        ]
        return "\n".join(lines + ["interrupted"] * self.interrupted)


def shown(x: float) -> str:
    """Four decimals, or four digits of what is very small or large: 0.2500, 1.250e-05."""
    return f"{x:.4f}" if x == 0.0 or 1e-3 <= abs(x) < 1e5 or not math.isfinite(x) else f"{x:.3e}"
