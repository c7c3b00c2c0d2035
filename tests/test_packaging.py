"""The wheel: what is in it, and that it works alone, away from the repository."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SCRIPT = """
import importlib.util
from autograd import Value
from nn import MLP
x = Value(3.0)
(x * x).backward()
assert x.grad == 6.0
output = MLP(2, [3, 1])([1.0, x])
output.backward()
assert not [name for name in ("tests", "demos", "matplotlib") if importlib.util.find_spec(name)]
import autograd
print(autograd.__file__)
"""


def run(*command, cwd):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    (path,) = folder.glob("neurongrad-*.whl")
    return path


def test_wheel_holds_the_two_packages_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in ("autograd", "nn")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == sources
    assert {"autograd/__init__.py", "autograd/py.typed", "nn/__init__.py", "nn/py.typed"} <= names
    assert any(name.endswith("/LICENSE") for name in names)


def test_wheel_works_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / ("Scripts" if os.name == "nt" else "bin") / "python"
    try:
        run(python, "-m", "pip", "install", "--quiet", "numpy", "graphviz", cwd=tmp_path)
    except AssertionError as error:
        pytest.skip(f"pip finds no packages here: {error}")
    run(python, "-m", "pip", "install", "--quiet", "--no-index", wheel, cwd=tmp_path)  # it needs nothing more
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = run(python, "-W", "error", "-c", SCRIPT, cwd=elsewhere).strip()
    assert Path(where).is_relative_to(tmp_path / "empty")
