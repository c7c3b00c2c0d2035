"""Imports go one way, the heavy ones wait until they are needed, and the public names are complete."""

import ast
import importlib
import inspect
import pkgutil
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("autograd", "nn", "demos")
FILES = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]

# What each package may import beside itself and the standard library; and, inside a function, the optional.
NEEDS = {
    "autograd": {"numpy", "graphviz"},
    "nn": {"numpy", "autograd"},
    "demos": {"numpy", "autograd", "nn"},
}
OPTIONAL = {"matplotlib", "safetensors", "tqdm", "pygraphviz", "IPython", "numba", "torch"}

# What these modules of autograd may import of autograd: they are read first, and in this order.
LAYERS = {
    "formulas": set(),
    "checks": set(),
    "context": {"checks"},
    "ops": {"formulas"},
    "functions": {"formulas", "ops"},
    "activations": {"formulas", "ops", "functions"},
    "vector": set(),
    "value": {"context", "ops", "vector"},
    "operators": {"context", "ops", "functions", "activations", "value", "vector"},
    "files": set(),
    "render": {"files"},
}


def imports(source, package):
    """Each (dotted name, whether it is imported at once) in the source of a module of `package`."""

    def visit(node, at_once):
        match node:
            case ast.Import(names=names):
                yield from ((alias.name, at_once) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package.split(".")[: package.count(".") + 2 - level] if level else []
                base = [*above, module] if module else above
                yield from ((".".join([*base, alias.name]), at_once) for alias in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):  # what it imports is never carried out
                for other in node.orelse:
                    yield from visit(other, at_once)
            case _:
                waits = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                for child in ast.iter_child_nodes(node):
                    yield from visit(child, at_once and not waits)

    yield from visit(ast.parse(source), True)


def imports_of(path):
    package = ".".join(path.relative_to(ROOT).parent.parts)
    return list(imports(path.read_text(encoding="utf-8"), package))


def test_every_form_of_import_is_seen():
    source = """
import numpy as np, os.path
from . import ops
from .value import Value
from ..nn.init import xavier
if TYPE_CHECKING:
    import torch
else:
    import numba
try:
    import tqdm
except ImportError:
    pass
class A:
    import IPython
    def f(self):
        with self:
            from matplotlib import pyplot
"""
    assert list(imports(source, "autograd.compiler")) == [
        ("numpy", True),
        ("os.path", True),
        ("autograd.compiler.ops", True),
        ("autograd.compiler.value.Value", True),
        ("autograd.nn.init.xavier", True),
        ("numba", True),
        ("tqdm", True),
        ("IPython", True),
        ("matplotlib.pyplot", False),
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_package_imports_only_what_it_may(path):
    package = path.relative_to(ROOT).parts[0]
    allowed = {package} | NEEDS[package] | sys.stdlib_module_names
    if package == "demos" and "\n# %%\n" in path.read_text(encoding="utf-8"):
        allowed |= {"matplotlib"}  # a lesson draws, and says at its beginning with what
    for name, at_once in imports_of(path):
        root = name.split(".")[0]
        assert root in (allowed if at_once else allowed | OPTIONAL), f"{name}, at once: {at_once}"


def parts_imported():
    """For each part of autograd, a module or subpackage, the parts it imports; `__init__` is the package."""
    parts = {path.stem for path in (ROOT / "autograd").iterdir() if path.suffix == ".py" or path.is_dir()}
    graph: dict[str, set[str]] = {part: set() for part in parts - {"__pycache__"}}
    for path in (ROOT / "autograd").rglob("*.py"):
        part = Path(path.relative_to(ROOT / "autograd").parts[0]).stem
        for name, _ in imports_of(path):
            package, _, rest = name.partition(".")
            if package == "autograd":
                other = rest.split(".")[0]
                graph[part].add(other if other in graph else "__init__")
        graph[part].discard(part)
    return graph


@pytest.mark.parametrize("part", LAYERS)
def test_the_first_modules_need_nothing_that_comes_later(part):
    assert parts_imported()[part] <= LAYERS[part]


def test_no_part_of_autograd_needs_itself_in_a_circle():
    assert [*TopologicalSorter(parts_imported()).static_order()][-1] == "__init__"


def test_importing_the_library_leaves_the_optional_out():
    script = "import sys, autograd, nn, demos.data; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"autograd", "nn", "demos"} <= loaded
    assert not loaded & (OPTIONAL | {"tests", "pytest", "hypothesis", "mpmath"})


def test_what_waits_is_loaded_when_it_is_asked_for():
    script = """
import sys, autograd, nn
for module, name in ((autograd, "explore"), (autograd, "latex"), (nn, "Recording"), (nn, "plots"), (nn, "to_torch")):
    assert name in dir(module) and name not in vars(module), name
    later = f"{module.__name__}.{module._LATER[name] or name}"
    assert later not in sys.modules, later
    found = getattr(module, name)
    assert later in sys.modules and found is getattr(module, name) is vars(module)[name]
    try:
        module.no_such_name
    except AttributeError as error:
        assert str(error) == f"module '{module.__name__}' has no attribute 'no_such_name'"
    else:
        raise AssertionError
from autograd import explore, steps
from nn import Recording, plots
assert callable(explore) and callable(steps)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def public(module):
    """What a module offers to users: its `__all__`, or else the functions and classes it shows by example."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    return {
        name
        for name, thing in vars(module).items()
        if (inspect.isfunction(thing) or inspect.isclass(thing))
        and thing.__module__ == module.__name__
        and ">>> " in (thing.__doc__ or "")
    }


@pytest.fixture(params=["autograd", "nn"])
def package(request):
    return importlib.import_module(request.param)


def test_public_names_are_listed_and_exist(package):
    assert len(set(package.__all__)) == len(package.__all__)
    assert set(package.__all__) <= set(dir(package))
    modules = {name for name in package.__all__ if inspect.ismodule(getattr(package, name))}
    bound = {
        name
        for name, thing in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(thing) and name != "annotations"
    }
    assert bound | modules | {"__version__"} & set(package.__all__) == set(package.__all__)


def test_public_names_are_documented(package):
    for name in package.__all__:
        thing = getattr(package, name)
        if isinstance(thing, (str, int, float, dict, list, tuple)):
            continue  # plain data has no docstring of its own
        assert (thing.__doc__ or "").strip(), f"{name} has no docstring"
        assert isinstance(thing, type) or thing.__doc__ != type(thing).__doc__, f"{name} has only its class's"


def test_public_names_of_public_modules_are_public(package):
    """A name that a module offers is found in the package, or the module itself is."""
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        if info.name in package.__all__ and getattr(package, info.name) is module:
            continue
        if module.__name__ == "autograd.arrays":  # what compiled programs call
            continue
        assert public(module) <= set(package.__all__), (
            f"{module.__name__} offers more than {package.__name__}"
        )


def test_every_operation_is_public():
    autograd = importlib.import_module("autograd")
    for module in (autograd.ops, importlib.import_module("autograd.functions"), autograd.activations):
        for thing in vars(module).values():
            if (
                isinstance(thing, autograd.ops.Op) and thing.name != "dot"
            ):  # `dot` is the function that records it
                assert getattr(autograd, thing.name, None) is thing, f"autograd lacks the op {thing.name}"


@pytest.mark.parametrize("theirs", ["tracer.py", "__init__.py"])
def test_a_mix_with_the_other_autograd_ends_in_a_clear_message(tmp_path, theirs):
    """HIPS/autograd installs into the same folder: its files beside ours, or its `__init__` in the place of ours."""
    for package in ("autograd", "nn"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "autograd" / theirs).write_text("")
    done = subprocess.run([sys.executable, "-c", "import nn"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "ImportError" in done.stderr
    assert "pip uninstall autograd neurongrad" in done.stderr
