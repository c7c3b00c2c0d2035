"""A lesson replayed in the terminal, as if somebody typed it: `python -m demos.live NAME`.

Each key press goes one step on: the prose, the code of the next cell, what the code prints. q quits. Where nobody
sits at a terminal, as in a pipe, everything is printed at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from codeop import Compile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from demos.lessons import LESSONS, arguments, cells

PLAIN, CYAN, FAINT = "\033[0m", "\033[36m", "\033[2m"


PROMPT = f"{FAINT}any key: go on, q: quit{PLAIN}"
QUIT = ("q", "Q", "\x03", "\x04", "")  # or Ctrl-C, Ctrl-D, the end of the input


@contextmanager
def keyboard() -> Iterator[Callable[[str], str]]:
    """Inside, the terminal gives each key at once. It yields a function that prints a prompt and returns the next key.

    Keys that were pressed before the prompt, while something ran, are dropped.
    """
    if sys.platform == "win32":
        import msvcrt

        def ask(prompt: str) -> str:
            while msvcrt.kbhit():
                msvcrt.getwch()
            print(prompt, end="", flush=True)
            return msvcrt.getwch()

        yield ask
    else:
        import termios
        import tty

        terminal = sys.stdin.fileno()

        def ask(prompt: str) -> str:
            termios.tcflush(terminal, termios.TCIFLUSH)
            print(prompt, end="", flush=True)
            return os.read(terminal, 1).decode(errors="replace")

        before = termios.tcgetattr(terminal)
        try:
            tty.setcbreak(terminal)
            yield ask
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def play(
    name: str,
    quick: bool = False,
    folder: str | Path | None = None,
    go_on: Callable[[], bool] = lambda: True,
    colours: bool = False,
) -> dict[str, Any]:
    """Show and run the cells of a lesson until `go_on`, which is asked after each step, says False.

    Returns the lesson's global names.
    """
    with arguments(name, quick, folder) as lesson:
        names: dict[str, Any] = {"__name__": "__main__", "__file__": str(lesson.path)}
        compiled = Compile()  # it remembers `from __future__ import ...` from cell to cell
        for cell in cells(lesson.path.read_text(encoding="utf-8")):
            if cell.prose:
                print(f"\n{cell.source}\n")
            else:
                for line in cell.source.splitlines():
                    print(f"{CYAN}| {line}{PLAIN}" if colours else f"| {line}".rstrip())
                if not go_on():
                    break
                place = "\n" * (cell.line - 1)  # so that errors name the line of the file
                exec(compiled(f"{place}{cell.source}\n", str(lesson.path), "exec"), names)
            if not go_on():
                break
    return names


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demos.live", description="Replays a lesson cell by cell."
    )
    parser.add_argument("name", choices=LESSONS, help="the lesson; `python -m demos list` describes them")
    parser.add_argument("--quick", action="store_true", help="a few steps of training only")
    parser.add_argument("--folder", type=Path, help="where pictures go: pictures")
    given = parser.parse_args()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        play(given.name, given.quick, given.folder)
        return
    with keyboard() as ask, suppress(KeyboardInterrupt):

        def go_on() -> bool:
            pressed = ask(PROMPT)
            print("\r\033[K", end="", flush=True)  # the prompt goes away
            return pressed not in QUIT

        play(given.name, given.quick, given.folder, go_on, colours=True)


if __name__ == "__main__":
    main()
