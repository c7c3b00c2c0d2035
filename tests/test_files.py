"""Whoever writes a file leaves the old one or the new one, whole, also when it is killed or refused."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import autograd
import nn
from autograd import Value
from autograd.files import path_of, replace
from nn import saving

ROOT = Path(__file__).parents[1]
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals, users and limits")

WRITERS = {  # what a user calls, and the ending of its files; each writes another content for another number
    "save": (lambda path, n: nn.save(path, nn.Neuron(2), extra={"n": n}), "model.npz"),
    "render": (lambda path, n: autograd.render(Value(n) * 2.0, path), "graph.dot"),
    "explore": (lambda path, n: autograd.explore(Value(n) * 2.0, path), "graph.html"),
}
WRITER = pytest.mark.parametrize("name", WRITERS)


@WRITER
def test_what_stops_a_writer_leaves_the_old_file(name, tmp_path, monkeypatch):
    write, ending = WRITERS[name]
    path = tmp_path / ending
    write(path, 1.0)
    old = path.read_bytes()
    for step in ("os.fsync", "os.replace", "pathlib.Path.chmod"):
        for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

            def stop(*_, error=error):
                raise error

            with monkeypatch.context() as changed:
                changed.setattr(step, stop)
                with pytest.raises(type(error)) as caught:
                    write(path, 2.0)
            if isinstance(error, OSError):
                assert f"bytes left ({error.strerror}): nothing was written" in str(caught.value)
                assert caught.value.filename == str(path)  # type: ignore[attr-defined]
            assert path.read_bytes() == old
            assert [*tmp_path.iterdir()] == [path]
    write(path, 2.0)
    assert path.read_bytes() != old


KILLED = """
import sys
from autograd.files import replace
path, size = sys.argv[1], 200_000
print("ready", flush=True)
for n in range(10**9):
    replace("test", path, bytes([n % 256]) * size)
"""


def killed(script, path, time_to_live):
    """A process that writes again and again to the path, ended so many seconds after it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    time.sleep(time_to_live)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


@posix
def test_killed_in_the_middle(tmp_path):
    """At any moment the file is one that was written whole, and only hidden parts are left beside it."""
    path, rng, seen, parts = tmp_path / "data.bin", random.Random(0), set(), 0
    replace("test", path, b"\0" * 200_000)
    for time_to_live in [rng.uniform(0.0, 0.05) for _ in range(6)] + [
        0.2,
        0.5,
        1.0,
        2.0,
    ]:  # slow disks need more
        killed(KILLED, path, time_to_live)
        data = path.read_bytes()
        assert len(data) == 200_000
        assert len({*data}) == 1
        seen.add(data[0])
        parts += sum(file.name.startswith(".") and file.suffix == ".part" for file in tmp_path.iterdir())
        assert all(file == path or file.suffix == ".part" for file in tmp_path.iterdir())
    assert len(seen) > 1  # some were written
    assert parts  # and some were stopped


SAVING = """
import sys
import nn
from nn.saving import save
path = sys.argv[1]
model = nn.MLP(10, [20, 20], rng=0)
print("ready", flush=True)
for n in range(10**9):
    save(path, model, extra={"n": n})
"""


@posix
def test_a_model_whose_save_was_killed_loads(tmp_path):
    path, rng, found = tmp_path / "model.npz", random.Random(1), []
    model = nn.MLP(10, [20, 20], rng=0)
    nn.save(path, model, extra={"n": -1})
    for time_to_live in [rng.uniform(0.02, 0.2) for _ in range(2)] + [1.0, 3.0]:
        killed(SAVING, path, time_to_live)
        found.append(saving.load(path, model)["n"])
    assert max(found) > 0


UNWRITABLE = """
import os, sys
from pathlib import Path
from tempfile import TemporaryDirectory
from tests.test_files import WRITERS
with TemporaryDirectory() as folder:
    for write, ending in WRITERS.values():
        write(os.path.join(folder, ending), 1.0)
    old = {path: path.read_bytes() for path in Path(folder).iterdir()}
    os.chmod(folder, 0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)  # root may write everywhere
    for write, ending in WRITERS.values():
        try:
            write(os.path.join(folder, ending), 2.0)
        except PermissionError as error:
            print(error)
    os.seteuid(os.getuid())
    os.chmod(folder, 0o755)
    assert old == {path: path.read_bytes() for path in Path(folder).iterdir()}
"""


@posix
def test_a_folder_without_permission():
    if os.geteuid() == 0 and not all(
        folder.stat().st_mode & 0o005 == 0o005 for folder in (ROOT, *ROOT.parents)
    ):
        pytest.skip(f"whoever is not root cannot read {ROOT}")
    done = subprocess.run(
        [sys.executable, "-c", UNWRITABLE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(WRITERS)
    assert all("(Permission denied): nothing was written" in line for line in lines)


def test_paths():
    assert path_of("save", "a/b.npz") == path_of("save", Path("a/b.npz")) == Path("a/b.npz")
    for wrong in (None, 3, b"model.npz", ["model.npz"]):
        with pytest.raises(TypeError, match=r"save needs a str or a Path as path\. Received: "):
            path_of("save", wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="save needs a path without null characters"):
        path_of("save", "a\0.npz")


def test_a_writer_needs_no_more_than_the_name(tmp_path, monkeypatch):
    """Relative paths, long names, and links that lead nowhere yet."""
    monkeypatch.chdir(tmp_path)
    replace("test", "plain", b"1")
    long = "x" * 250
    replace("test", long, b"2")
    assert (Path("plain").read_bytes(), Path(long).read_bytes()) == (b"1", b"2")
    if sys.platform != "win32":
        os.symlink("later", "link")
        replace("test", "link", b"3")
        assert Path("link").is_symlink()
        assert Path("later").read_bytes() == b"3"
