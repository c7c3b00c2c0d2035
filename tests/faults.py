"""`python -m tests.faults [GROUP ...] [--count N] [--seed S] [--jobs J] [--json FILE]`: would the tests see a fault?

A fault is one small change of the source, of one of these kinds:

    comparison   < for <=, == for !=, `is` for `is not`, `in` for `not in`
    operator     + for -, * for /, `and` for `or`
    dropped      a `not` or a minus sign
    negated      the condition of an `if`, a `while`, a comprehension, unless the same as one of the above
    number       an int that is larger by 1, a float by a thousandth, True for False; a bound of a slice, by 1
    swapped      the first two arguments of a call
    result       None is returned
    deleted      a statement of a function

N of those that can be made in a group of modules are drawn with the seed S. Each is planted by itself in a copy of
this checkout in a temporary folder, one for each job, never here, and the tests that concern the group are run there
until one fails. It is caught if a test or a doctest fails, or if they take far longer than without it, or too much
memory. Those that survive are printed: some change nothing, or only time or text; each other one lacks a test.
FILE has a line of JSON for each fault, with the test that caught it. This runs on Linux, where memory has limits.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
MEMORY = 6 << 30  # bytes of data, of each process; not of addresses, of which Chromium takes far more
PYTEST = (
    f"import sys, pytest, resource as r; r.setrlimit(r.RLIMIT_DATA, ({MEMORY},) * 2); sys.exit(pytest.main())"
)
OPTIONS = ["-x", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider"]
PATIENCE = 60.0  # seconds, beside three times as many as the tests take without a fault
LEFT_OUT = (".*", "__pycache__", "build", "dist", "venv")  # of the copies


class Group(NamedTuple):
    """Modules, and the tests that concern them all, those first that take the least time."""

    modules: list[str]
    tests: list[str]


def named(folder: str, modules: str, tests: str) -> Group:
    return Group([f"{folder}/{x}.py" for x in modules.split()], [f"tests/test_{x}.py" for x in tests.split()])


GROUPS = {
    "ops": named("autograd", "ops formulas functions activations", "ops activations arrays transform"),
    "value": named(
        "autograd",
        "value operators vector graph context transform",
        "tutorials value transform ops arrays compile_parts",
    ),
    "arrays": named("autograd", "arrays", "arrays compile_parts value"),
    "compiler": named(
        "autograd/compiler",
        "build emit graph grouping levels loops naming padding picture products program reading record simplify store "
        "straight sums syntax text traced views",
        "compile_parts train_step compiler_passes compile",
    ),
    "pictures": named(
        "autograd",
        "draw levels explorer outline textual expressions layout frames selection render display",
        "textual draw display steps render explore",
    ),
    "nn": named(
        "nn",
        "neuron module containers activations init losses optim penalties regularization schedules training fit",
        "nn module modules activations init losses optim schedules train_step fit",
    ),
}  # fmt: skip


# Faults -----------------------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """The bytes from `start` to `stop` of a module, `old`, become `new`."""

    module: str
    line: int
    kind: str
    start: int
    stop: int
    old: str
    new: str

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.module}:{self.line}: {self.kind}: {old:.100} -> {new:.100}"


PAIRS = [
    (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn),
    (ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.And, ast.Or), (ast.BitAnd, ast.BitOr), (ast.LShift, ast.RShift),
]  # fmt: skip
OTHER: dict[type, type] = {
    **dict(PAIRS),
    **{b: a for a, b in PAIRS},
    **dict.fromkeys([ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult], ast.Mult),
}
SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Delete, ast.Break, ast.Continue)
EITHER_ORDER = {"max", "min"}
NEGATIONS = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
SKIPPED = (
    ast.Import,
    ast.ImportFrom,
    ast.Raise,
    ast.JoinedStr,
)  # words; before 3.12, an f-string's parts lie nowhere
SKIPPED_PARTS = {"annotation", "returns", "decorator_list"}


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def changes(node: ast.AST, within: bool) -> Iterator[tuple[ast.AST, str, str]]:
    """The faults at a node, as (what is replaced, kind, text); `within` is whether a function is around it."""

    def text(**fields: Any) -> str:
        other = copy.copy(node)
        for name, value in fields.items():
            setattr(other, name, value)
        written = ast.unparse(other)
        return f"({written})" if isinstance(node, ast.expr) else written

    match node:
        case ast.Compare(ops=[op]) if type(op) in OTHER:
            yield node, "comparison", text(ops=[OTHER[type(op)]()])
        case ast.BinOp(left=left, right=right) if is_text(left) or is_text(right):
            pass  # no other operator takes it
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op) if type(op) in OTHER:
            yield node, "operator", text(op=OTHER[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield node, "dropped", f"({ast.unparse(operand)})"
        case ast.Constant(value=bool(x)):
            yield node, "number", str(not x)
        case ast.Constant(value=int(x)):
            yield node, "number", str(x + 1)
        case ast.Constant(value=float(x)):
            yield node, "number", f"(1.001 * {x!r})" if x else "0.001"
        case ast.Slice(lower=lower, upper=upper):
            bounds = [x for x in (lower, upper) if x is not None and not isinstance(x, ast.Constant)]
            yield from ((x, "number", f"({ast.unparse(x)}) + 1") for x in bounds)
        case ast.Call(func=func, args=[a, b, *rest]) if ast.dump(a) != ast.dump(b):
            if not isinstance(a, ast.Starred) and ast.unparse(func) not in EITHER_ORDER:
                yield node, "swapped", text(args=[b, a, *rest])
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield node, "result", "return None"
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield from negated(test)
        case ast.comprehension(ifs=ifs):
            for test in ifs:
                yield from negated(test)
        case ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None):
            pass
        case ast.stmt() if within and isinstance(node, SIMPLE):
            yield node, "deleted", "pass"


def negated(test: ast.expr) -> Iterator[tuple[ast.AST, str, str]]:
    match test:
        case ast.UnaryOp(op=ast.Not()):
            pass
        case ast.Compare(ops=[op]) if isinstance(op, NEGATIONS):
            pass
        case _:
            yield test, "negated", f"(not ({ast.unparse(test)}))"


def faults(module: str, source: str) -> list[Fault]:
    """All faults that can be made in the source of a module."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []

    def visit(node: ast.AST, within: bool) -> None:
        if isinstance(node, SKIPPED) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        ):
            return
        for at, kind, new in changes(node, within):
            place: Any = at  # it has one
            start = starts[place.lineno - 1] + place.col_offset
            stop = starts[place.end_lineno - 1] + place.end_col_offset
            old = source.encode()[start:stop].decode()
            found.append(Fault(module, place.lineno, kind, start, stop, old, new))
        for field, value in ast.iter_fields(node):
            if field not in SKIPPED_PARTS:
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        visit(child, within or isinstance(node, (ast.FunctionDef, ast.Lambda)))

    visit(ast.parse(source), False)
    return found


# Planting ---------------------------------------------------------------------------------------------------------


@contextmanager
def there(fault: Fault, folder: Path) -> Iterator[None]:
    """The fault is in the copy in this folder, for a while."""
    path = folder / fault.module
    before = path.read_bytes()
    path.write_bytes(before[: fault.start] + fault.new.encode() + before[fault.stop :])
    try:
        yield
    finally:
        path.write_bytes(before)


def failure(folder: Path, tests: list[str], limit: float) -> str | None:
    """The first test that fails in the copy in this folder, or what else happened; None if all pass."""
    temporary = folder.with_name(folder.name + ".tmp")
    temporary.mkdir(exist_ok=True)
    environment = {
        **os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
        "TMPDIR": str(temporary),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", PYTEST, *OPTIONS, *tests], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # it, and what it started
        process.communicate()
        return f"more than {limit:.0f} s"
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if process.returncode in (0, 5):  # 5: no doctests
        return None
    lines = [line.partition(" ") for line in output.splitlines()]
    failed = (rest.partition(" - ")[0] for kind, _, rest in lines if kind in ("FAILED", "ERROR"))
    return next(failed, f"exit {process.returncode}")


def tests_of(module: str, group: Group, root: Path) -> list[str]:
    """A module's own tests and those that concern its group, in the order in which they are run; after its doctests."""
    own = f"tests/test_{Path(module).stem}.py"
    return [*dict.fromkeys([own, *group.tests])] if (root / own).is_file() else group.tests


def outcomes(
    group: Group, count: int, seed: int, jobs: int, root: Path
) -> Iterator[tuple[Fault, str | None]]:
    """Faults that are drawn from a group's, and what has caught each."""
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(jobs) as pool:
        free: SimpleQueue[Path] = SimpleQueue()
        for job in range(jobs):
            folder = Path(temporary, str(job))
            shutil.copytree(root, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
            free.put(folder)
            root = folder  # all copies are alike, whatever happens to the checkout meanwhile
        every = [x for module in group.modules for x in faults(module, (root / module).read_text("utf-8"))]
        drawn = random.Random(seed).sample(every, min(count, len(every)))
        tests = {module: tests_of(module, group, root) for module in group.modules}
        began = time.perf_counter()
        for some in (group.modules, [*dict.fromkeys(test for each in tests.values() for test in each)]):
            if failed := failure(root, some, 3600.0):
                raise RuntimeError(f"the tests must pass without a fault. Received: {failed}")
        limit = PATIENCE + 3.0 * (time.perf_counter() - began)

        def outcome(fault: Fault) -> str | None:
            folder, module = free.get(), fault.module
            try:
                with there(fault, folder):
                    return failure(folder, [module], limit) or failure(folder, tests[module], limit)
            finally:
                free.put(folder)

        yield from zip(drawn, pool.map(outcome, drawn), strict=True)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Would the tests see a fault?"
    )
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; without, all of them"
    )
    parser.add_argument("--count", type=int, default=50, help="how many faults of each group (50)")
    parser.add_argument("--seed", type=int, default=1, help="which they are")
    parser.add_argument("--jobs", type=int, default=1, help="how many at the same time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where each fault and its outcome go")
    chosen = parser.parse_args(arguments)
    for name in chosen.groups:
        if name not in GROUPS:
            parser.error(f"no such group. Received: {name}")
    if min(chosen.count, chosen.jobs) < 1:
        parser.error(f"at least one fault and one job. Received: {chosen.count}, {chosen.jobs}")
    rows = []
    with open(chosen.json or os.devnull, "w", encoding="utf-8") as file:
        for name in chosen.groups or GROUPS:
            planted = caught = 0
            for fault, by in outcomes(GROUPS[name], chosen.count, chosen.seed, chosen.jobs, ROOT):
                print(json.dumps({**fault._asdict(), "caught": by}), file=file, flush=True)
                planted, caught = planted + 1, caught + (by is not None)
                if by is None:
                    print(fault, flush=True)
            rows.append(f"{name:10}{planted:>8}{caught:>8}{caught / planted:>8.0%}")
    print(f"{'':10}{'planted':>8}{'caught':>8}{'share':>8}", *rows, sep="\n")


if __name__ == "__main__":
    main()
