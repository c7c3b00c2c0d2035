"""Saved models: arrays to the last bit; files that are whole or refused; training that goes on exactly."""

import errno
import io
import json
import math
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nn
from autograd import Value
from nn import optim, saving, schedules
from nn.attention import MultiHeadAttention
from nn.convolution import Conv2d
from nn.embedding import Embedding
from nn.recurrence import LSTM
from nn.saving import load, load_arrays, save, state_arrays

ROOT = Path(__file__).parents[1]
SUFFIXES = [".npz", ".safetensors"]


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return tmp_path / f"model{request.param}"


class Tied(nn.Module):
    """A table that is also the weights of what follows; and a list of which one Value stands elsewhere too."""

    def __init__(self):
        self.rows = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
        self.head = nn.Layer(2, 2, activation="identity", bias=False)
        for neuron, row in zip(self.head.neurons, self.rows, strict=True):
            neuron.w = row
        self.first = Value(5.0)
        self.some = [self.first, Value(6.0), Value(7.0)]


class Odd(nn.Module):
    """Whatever holds parameters: ragged lists, neurons of two sizes, a dict, an array, one Value alone."""

    def __init__(self):
        self.ragged = [[Value(1.0)], [Value(2.0), Value(3.0)]]
        self.neurons = [nn.Neuron(1), nn.Neuron(2)]
        self.by_name = {"a": Value(4.0), "b[0]": Value(5.0)}
        self.array = np.array([[[Value(6.0), Value(7.0)]]], dtype=object)
        self.alone = Value(8.0)
        self.other = [{"x": [Value(9.0)]}]
        self.nothing: list[Value] = []


class Grid(nn.Module):
    """Neurons in a list of lists."""

    def __init__(self):
        self.units = [[nn.Neuron(1), nn.Neuron(1)], [nn.Neuron(1), nn.Neuron(1)]]


class Hole(nn.Module):
    """A list in which one Value stands elsewhere too, and a neuron whose bias would take the place of another."""

    def __init__(self):
        self.first = Value(1.0)
        self.neurons = [nn.Neuron(1)]
        self.b = [Value(2.0), self.first, Value(3.0)]


class Clash(nn.Module):
    """Two lists of neurons and a list that would all be called w."""

    def __init__(self):
        self.neurons, self.others = [nn.Neuron(1, bias=False)], [nn.Neuron(1, bias=False)]
        self.w = [Value(1.0)]


def some_biases():
    layer = nn.Layer(1, 3)
    layer.neurons[1].b = None
    return layer


MODELS: dict[str, tuple[Any, dict[str, tuple[int, ...]]]] = {
    "neuron": (lambda: nn.Neuron(3), {"w": (3,), "b": ()}),
    "layer": (lambda: nn.Layer(3, 2), {"w": (2, 3), "b": (2,)}),
    "one neuron": (lambda: nn.Layer(3, 1, bias=False), {"w": (1, 3)}),
    "prelu": (lambda: nn.Layer(1, 2, activation="prelu"), {"w": (2, 1), "b": (2,), "slope": (2,)}),
    "mlp": (
        lambda: nn.MLP(2, [3, 1]),
        {"layers.0.w": (3, 2), "layers.0.b": (3,), "layers.1.w": (1, 3), "layers.1.b": (1,)},
    ),
    "norms": (
        lambda: nn.Sequential(nn.Standardize([1.0], [2.0]), nn.BatchNorm(1), nn.LayerNorm(1, bias=False)),
        {
            "layers.1.gain": (1,),
            "layers.1.bias": (1,),
            "layers.2.gain": (1,),
            "layers.0.shift": (1,),
            "layers.0.scale": (1,),
            "layers.1.running_mean": (1,),
            "layers.1.running_variance": (1,),
        },
    ),
    "convolution": (lambda: Conv2d(2, 3, (1, 2)), {"w": (3, 4), "b": (3,)}),
    "embedding": (lambda: Embedding(4, 3, padding=0), {"rows": (4, 3)}),
    "lstm": (
        lambda: LSTM(1, 2),
        {
            f"cells.0.{gate}.{name}": shape
            for gate in ("input", "forget", "candidate", "output")
            for name, shape in (("w", (2, 3)), ("b", (2,)))
        },
    ),
    "attention": (
        lambda: MultiHeadAttention(4, 2, bias=False),
        {f"{name}.w": (4, 4) for name in ("query", "key", "value", "out")},
    ),
    "tied": (Tied, {"rows": (2, 2), "first": (), "some[1]": (), "some[2]": ()}),
    "odd": (
        Odd,
        {
            "ragged[0]": (1,),
            "ragged[1]": (2,),
            "neurons.0.w": (1,),
            "neurons.1.w": (2,),
            "b": (2,),
            "by_name[a]": (),
            "by_name[b[0]]": (),
            "array": (1, 1, 2),
            "alone": (),
            "other[0][x]": (1,),
        },
    ),
    "grid": (Grid, {"w": (2, 2, 1), "b": (2, 2)}),
    "clash": (Clash, {"neurons.0.w": (1,), "others.0.w": (1,), "w[0]": ()}),
    "hole": (Hole, {"first": (), "w": (1, 1), "neurons.0.b": (), "b[0]": (), "b[2]": ()}),
    "some biases": (some_biases, {"w": (3, 1), "neurons.0.b": (), "neurons.2.b": ()}),
    "nothing": (lambda: nn.Dropout(0.5), {}),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param][0]()


def values(model):
    """All that a model remembers, each Value once."""
    return [*dict.fromkeys(v for _, v in (*model.named_parameters(), *model.named_buffers()))]


def bits(model):
    return np.array([v.data for v in values(model)]).tobytes()


def fill(model, start=0.0):
    for i, v in enumerate(values(model)):
        v.data = start + i
    return model


# Arrays -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_names_and_shapes(name):
    make, shapes = MODELS[name]
    arrays = state_arrays(make())
    assert {key: array.shape for key, array in arrays.items()} == shapes
    assert all(array.dtype == np.float64 for array in arrays.values())


def test_each_value_stands_in_one_place(model):
    arrays = state_arrays(fill(model))
    found = sorted(x for array in arrays.values() for x in array.ravel())
    assert found == [*range(len(values(model)))]


def test_places_are_those_of_the_paths():
    """Entry [i, j] of layers.0.w is the weight of neuron i for input j; likewise of rows and filters."""
    net = fill(nn.MLP(2, [3, 1]))
    arrays = state_arrays(net)
    for i, neuron in enumerate(net.layers[0].neurons):
        assert arrays["layers.0.b"][i] == neuron.b.data
        assert arrays["layers.0.w"][i].tolist() == [w.data for w in neuron.w]
    tied = fill(Tied())
    assert state_arrays(tied)["rows"].tolist() == [[v.data for v in row] for row in tied.rows]


def test_arrays_go_back(model):
    before = bits(fill(model))
    arrays = state_arrays(model)
    fill(model, start=100.0)
    load_arrays(model, arrays)
    assert bits(model) == before


def test_arrays_are_copies():
    net = nn.Neuron(2)
    arrays = state_arrays(net)
    arrays["w"][:] = 7.0
    assert 7.0 not in [w.data for w in net.w]


def test_more_than_ten_parts_keep_their_order():
    layer = fill(nn.Layer(12, 11, bias=False))
    assert state_arrays(layer)["w"].ravel().tolist() == [*range(132)]


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "bool", "int64"])
def test_arrays_of_other_numbers(dtype):
    net = nn.Neuron(1)
    load_arrays(net, {"w": np.ones(1, dtype), "b": np.array(0, dtype)})
    assert (net.w[0].data, net.b.data) == (1.0, 0.0)
    assert type(net.b.data) is float


def test_a_name_twice():
    net = nn.Module()
    net.parts = {0: Value(1.0), "0": Value(2.0)}  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"a name of its own\. Received: parts\[0\] twice"):
        state_arrays(net)


WRONG: dict[str, tuple[Any, str]] = {
    "missing": (lambda a: a.pop("layers.1.b"), r"missing: layers\.1\.b \(1,\)$"),
    "unexpected": (lambda a: a.update(more=np.ones(3)), r"unexpected: more \(3,\)$"),
    "shape": (
        lambda a: a.update({"layers.0.b": np.ones(2)}),
        r"of another shape: layers\.0\.b \(2,\) for \(3,\)$",
    ),
    "transposed": (
        lambda a: a.update({"layers.0.w": np.ones((2, 3))}),
        r"layers\.0\.w \(2, 3\) for \(3, 2\)$",
    ),
    "renamed": (
        lambda a: a.update(x=a.pop("layers.0.w")),
        r"missing: layers\.0\.w \(3, 2\); unexpected: x \(3, 2\)$",
    ),
    "many": (lambda a: a.update({f"x{i}": np.ones(()) for i in range(12)}), r"x9 \(\) and 2 more$"),
}


@pytest.mark.parametrize("name", WRONG)
def test_arrays_that_do_not_fit(name):
    change, message = WRONG[name]
    net = nn.MLP(2, [3, 1])
    before, arrays = bits(net), {key: array + 1.0 for key, array in state_arrays(net).items()}
    change(arrays)
    with pytest.raises(
        ValueError, match=r"load_arrays needs arrays .* of MLP\(2, \[3, 1\]\)\. Received: .*" + message
    ):
        load_arrays(net, arrays)
    assert bits(net) == before


@pytest.mark.parametrize(
    "bad", [np.array(["a", "b"]), np.array([1j, 2.0]), np.array([None, 1.0]), ["1", "2"]]
)
def test_arrays_that_are_not_numbers(bad):
    net = nn.Neuron(2)
    before = bits(net)
    with pytest.raises(TypeError, match=r"needs arrays of real numbers\. Received: w of dtype"):
        load_arrays(net, {"w": bad, "b": np.array(5.0)})
    assert bits(net) == before


def test_what_is_no_module():
    with pytest.raises(TypeError, match=r"a Module has arrays of parameters\. Received: list"):
        state_arrays([Value(1.0)])  # type: ignore[arg-type]


# Files ------------------------------------------------------------------------------------------------------------

SPECIAL = [0.0, -0.0, 5e-324, -2.2e-308, 1.7976931348623157e308, math.inf, -math.inf, 0.1, 1 / 3]
NANS = [struct.unpack("d", struct.pack("Q", n))[0] for n in (0x7FF8000000000000, 0xFFF8000000000123)]


def test_to_the_last_bit(path):
    net, new = nn.Layer(len(SPECIAL + NANS), 1, bias=False), nn.Layer(len(SPECIAL + NANS), 1, bias=False)
    for v, x in zip(values(net), SPECIAL + NANS, strict=True):
        v.data = x
    save(path, net)
    load(path, new)
    assert bits(new) == bits(net)


def test_every_model(path, model):
    save(path, fill(model))
    before = bits(model)
    fill(model, start=100.0)
    assert load(path, model) == {}
    assert bits(model) == before


def test_what_is_frozen_is_saved_and_stays_as_it_is(path):
    net, new = nn.MLP(1, [2, 1]), nn.MLP(1, [2, 1])
    net.layers[0].freeze()
    save(path, net)
    new.layers[1].freeze()
    load(path, new)
    assert bits(new) == bits(net)
    assert [p.requires_grad for p in new.parameters()] == [True] * 4 + [False] * 3


def test_a_compiled_model_takes_up_what_is_loaded(path):
    net, X, Y = nn.MLP(2, [3, 1], rng=0), np.ones((4, 2)), np.ones(4)
    save(path, net)
    step = nn.train_step(net, nn.mse, nn.SGD(net.parameters(), lr=0.1))
    losses = [step(X, Y) for _ in range(3)]
    load(path, net)
    assert [step(X, Y) for _ in range(3)] == losses


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from([np.arange(3), np.ones((2, 1), bool), np.array(1.5, np.float32), np.zeros((0, 2))]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def equal(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


@settings(max_examples=50, deadline=None)
@given(extra=st.dictionaries(st.text(max_size=4), plain, max_size=3))
@example(extra={"a/b": np.zeros(1), "a": {"b": np.ones(1)}})
@example(extra={"a\0b": np.zeros(1), "\ud800": np.ones(1)})
def test_extra_comes_back_as_it_was(extra, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "extra.npz"
    save(path, nn.Neuron(1), extra=extra)
    assert equal(load(path), extra)


def test_extra_in_each_format(path):
    extra = {
        "a": [np.arange(6).reshape(2, 3).T, np.array(1.5), np.arange(3, dtype=">f8")],
        "b": (1, None, True, "ä", math.inf),
        "generator": np.random.default_rng(1).bit_generator.state,
        "number": np.float64(0.1),
    }
    save(path, nn.Neuron(1), extra=extra)
    found = load(path)
    assert found["a"][0].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["a"][1].shape == ()
    assert found["a"][2].tolist() == [0.0, 1.0, 2.0]
    assert found["b"] == extra["b"]
    assert found["generator"] == extra["generator"]
    assert found["number"] == 0.1


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"a": [1, {2}]}, r"Received: extra/a/1 = \{2\} \(set\)"),
        ({"a": {1: 2}}, r"Received: extra/a = a dict with the keys \[1\] \(dict\)"),
        ({"__array__": "x"}, r"a dict with the keys \['__array__'\]"),
        ({"f": len}, r"extra/f = <built-in function len>"),
        ({"c": 1j}, r"extra/c = 1j \(complex\)"),
        ({"o": np.array([None])}, r"extra/o = array\(\[None\], dtype=object\)"),
        ({"v": Value(1.0)}, r"extra/v = Value\(data=1\.0\) \(Value\)"),
        ([1], r"save needs a dict as extra\. Received: list"),
    ],
)
def test_extra_that_a_file_cannot_hold(extra, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        save(tmp_path / "model.npz", nn.Neuron(1), extra=extra)
    assert not [*tmp_path.iterdir()]


def test_the_same_model_gives_the_same_file(path):
    net = nn.MLP(2, [3, 1], rng=0)
    save(path, net, extra={"a": 1})
    first = path.read_bytes()
    save(path, net, extra={"a": 1})
    assert path.read_bytes() == first


def test_numpy_reads_it_without_us(tmp_path):
    net = nn.MLP(2, [3, 1])
    save(str(tmp_path / "model.npz"), net)
    with np.load(tmp_path / "model.npz") as file:
        assert file["model/layers.0.w"].tolist() == state_arrays(net)["layers.0.w"].tolist()
        assert json.loads(file["text"].tobytes())["version"] == 1


@pytest.mark.parametrize("name", ["model", "model.pt", "model.npz.gz", ".npz"])
def test_other_suffixes(name, tmp_path):
    for call in (lambda: save(tmp_path / name, nn.Neuron(1)), lambda: load(tmp_path / name)):
        with pytest.raises(
            ValueError, match=r"a path that ends in \.npz or \.safetensors\. Received: .*" + name
        ):
            call()


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    path = tmp_path / "model.safetensors"
    with pytest.raises(ImportError, match=r"`pip install safetensors`, or use \.npz"):
        save(path, nn.Neuron(1))
    path.write_bytes(b"")
    with pytest.raises(ImportError, match=r"`pip install safetensors`"):
        load(path)


# Files that are refused -------------------------------------------------------------------------------------------


def whole_file(path):
    net = nn.MLP(2, [3, 1], rng=0)
    optimizer = nn.Adam(net.parameters())
    save(path, net, optimizer, extra={"epoch": 5})
    return net, optimizer, path.read_bytes()


def refused(path, net, optimizer, match):
    before, state = bits(net), optimizer.state_dict()
    with pytest.raises(ValueError, match=match):
        load(path, net, optimizer)
    assert bits(net) == before
    assert equal(optimizer.state_dict(), state)


DAMAGED = r"load needs a complete file that save has written: take another copy.* Received: .*, damaged or of another"


def test_truncated(path):
    net, optimizer, data = whole_file(path)
    for n in [*range(0, len(data), max(1, len(data) // 60)), len(data) - 1]:
        path.write_bytes(data[:n])
        refused(path, net, optimizer, DAMAGED)


def test_a_changed_byte(path):
    """Wherever it is: the file is refused, or what it holds is as it was."""
    net, optimizer, data = whole_file(path)
    found, rng = [], np.random.default_rng(0)
    for place in sorted(rng.choice(len(data), 400, replace=False).tolist()):
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :])
        fresh = nn.MLP(2, [3, 1], rng=1)
        before, other = bits(fresh), nn.Adam(fresh.parameters())
        try:
            extra = load(path, fresh, other)
        except ValueError:
            found.append(place)
            assert bits(fresh) == before
        else:
            assert bits(fresh) == bits(net)
            assert equal(other.state_dict(), optimizer.state_dict())
            assert extra == {"epoch": 5}
    assert len(found) > 100


def text_file(**changes):
    content = {"format": "neurongrad", "version": 1, "model": "Neuron(1)", "extra": {}, **changes}
    return saving.to_npz(json.dumps(content), {"model/w": np.ones(1), "model/b": np.ones(())})


def numpy_file(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(**files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


class Trap:
    """Unpickled, it would end the test run."""

    def __reduce__(self):
        return os._exit, (17,)


FOREIGN = {
    "nothing": (b"", DAMAGED),
    "text": (b"hello", DAMAGED),
    "an npy": (npy(np.ones(3)), DAMAGED),
    "a pickle": (pickle.dumps(Trap()), DAMAGED),
    "a pickle within": (
        zipped(**{"text.npy": npy(np.array([Trap()], object)), "model/w.npy": b"x"}),
        DAMAGED,
    ),
    "arrays of others": (numpy_file(w=np.ones(1), b=np.ones(())), DAMAGED),
    "a text that is none": (numpy_file(text=np.ones(3)), DAMAGED),
    "a zip of others": (zipped(**{"a.txt": b"a"}), DAMAGED),
    "JSON of others": (saving.to_npz("[1]", {}), DAMAGED),
    "no version": (saving.to_npz('{"format": "neurongrad"}', {}), DAMAGED),
    "an array that is not there": (text_file(extra={"__array__": "extra/a"}), DAMAGED),
    "another format": (text_file(format="other"), r"Received: .*model\.npz, a other file of version 1$"),
    "another version": (
        text_file(version=2),
        r"load reads neurongrad files of version 1: use the release .* a neurongrad file of version 2$",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files(name, tmp_path):
    data, message = FOREIGN[name]
    (tmp_path / "model.npz").write_bytes(data)
    refused(tmp_path / "model.npz", nn.Neuron(1), nn.SGD([Value(1.0)]), message)


def test_foreign_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    path, net = tmp_path / "model.safetensors", nn.Neuron(1)
    theirs = safetensors.save({"w": np.ones(1)}), safetensors.save({"w": np.ones(1)}, {"format": "pt"})
    for data in (*theirs, b"", b"hello", b"\xff" * 20, text_file()):
        path.write_bytes(data)
        refused(path, net, nn.SGD(net.parameters()), DAMAGED)


def test_a_model_of_another_shape(path):
    whole_file(path)
    other = nn.MLP(2, [4, 1])
    refused(
        path,
        other,
        nn.Adam(other.parameters()),
        r"with MLP\(2, \[3, 1\]\), needs arrays .* of MLP\(2, \[4, 1\]\)",
    )


def test_a_missing_file(path):
    with pytest.raises(FileNotFoundError, match="model"):
        load(path)


# Writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file(function, error, path, monkeypatch):
    save(path, nn.Neuron(1), extra={"old": True})

    def fail(*arguments):
        raise error

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error)) as caught:
        save(path, nn.Neuron(1))
    monkeypatch.undo()
    assert [*path.parent.iterdir()] == [path]
    assert load(path) == {"old": True}
    if isinstance(error, OSError):
        assert "bytes left (No space left on device): nothing was written, and what was there has not" in str(
            caught.value
        )
        assert caught.value.errno == errno.ENOSPC


FULL = """
import resource, sys
import nn
from nn.saving import load, save
path = sys.argv[1]
save(path, nn.Neuron(1), extra={"old": True})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    save(path, nn.MLP(30, [30, 30]))
except OSError as error:
    print(error)
print(load(path))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits to file sizes")
def test_a_write_that_stops_half_way(tmp_path):
    path = tmp_path / "model.npz"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "save needs a folder that exists, may be written and has" in done.stdout
    assert done.stdout.endswith("{'old': True}\n")
    assert [*tmp_path.iterdir()] == [path]


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.npz").mkdir()
    for name, kind in (
        ("none/model.npz", FileNotFoundError),
        ("file/model.npz", NotADirectoryError),
        ("folder.npz", OSError),
    ):
        with pytest.raises(kind, match=r"save needs a folder that exists"):
            save(tmp_path / name, nn.Neuron(1))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.npz"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_links_and_permissions_stay(tmp_path):
    real, link = tmp_path / "real.npz", tmp_path / "link.npz"
    save(real, nn.Neuron(1))
    real.chmod(0o640)
    link.symlink_to(real)
    save(link, nn.Neuron(1), extra={"new": True})
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert load(real) == {"new": True}


# Going on ---------------------------------------------------------------------------------------------------------

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    **{name: {"lr": 0.01} for name in ("Adam", "AdamW", "Adagrad", "RMSprop", "Lion")},
}


def task(name):
    """A model that is partly frozen, with running statistics; its optimiser and schedule; data."""
    net = nn.Sequential(nn.Layer(3, 4, activation="tanh", rng=0), nn.BatchNorm(4), nn.Layer(4, 1, rng=1))
    net[0].neurons[0].freeze()
    optimizer = getattr(optim, name)(net.parameters(), **OPTIMIZERS[name])
    schedule = schedules.Cosine(optimizer, T_max=12)
    rng = np.random.default_rng(0)
    return net, optimizer, schedule, rng.normal(size=(10, 6, 3)), rng.normal(size=(10, 6))


def steps(net, optimizer, schedule, X, Y, compiled):
    step = nn.train_step(net, nn.mse, optimizer) if compiled else None
    for xs, ys in zip(X, Y, strict=True):
        if step:
            step(xs, ys)
        else:
            optimizer.zero_grad()
            nn.mse(net.batch([*xs]), ys.tolist()).backward()
            optimizer.step()
        schedule.step()


def go_on(folder):
    """The second half of each run, in another process, from the files of the first."""
    for path in sorted(Path(folder).glob("*-half.*")):
        name, compiled, _ = path.name.split("-")
        net, optimizer, schedule, X, Y = task(name)
        assert load(path, net, optimizer, schedule) == {"done": 5}
        steps(net, optimizer, schedule, X[5:], Y[5:], compiled == "True")
        save(path.with_name(path.name.replace("half", "whole")), net, optimizer, schedule)


def test_training_goes_on_exactly(tmp_path):
    """5 steps, and 5 more in a fresh process, are 10 steps, bit for bit: weights, statistics, optimiser, schedule."""
    runs = [(name, compiled) for name in OPTIMIZERS for compiled in (False, True)]
    for name, compiled in runs:
        net, optimizer, schedule, X, Y = task(name)
        steps(net, optimizer, schedule, X[:5], Y[:5], compiled)
        save(tmp_path / f"{name}-{compiled}-half.npz", net, optimizer, schedule, {"done": 5})
    script = f"from tests.test_saving import go_on; go_on({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    for name, compiled in runs:
        net, optimizer, schedule, X, Y = task(name)
        steps(net, optimizer, schedule, X, Y, compiled)
        ours, theirs, path = task(name), task(name), tmp_path / f"{name}-{compiled}-whole.npz"
        load(path, *theirs[:3])
        assert bits(net) == bits(theirs[0]), (name, compiled)
        assert bits(net) != bits(ours[0])
        assert equal(optimizer.state_dict(), theirs[1].state_dict()), (name, compiled)
        assert equal(schedule.state_dict(), theirs[2].state_dict())


def test_eager_steps_may_follow_compiled_ones(tmp_path):
    path, parts = tmp_path / "model.npz", task("Adam")
    net, optimizer, schedule, X, Y = parts
    steps(net, optimizer, schedule, X[:5], Y[:5], compiled=True)
    save(path, net, optimizer, schedule)
    again = task("Adam")
    load(path, *again[:3])
    for net, optimizer, schedule, *_ in (parts, again):
        steps(net, optimizer, schedule, X[5:], Y[5:], compiled=False)
    assert bits(parts[0]) == bits(again[0])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_back_to_an_earlier_state(name, tmp_path):
    """Loaded into the model that a compiled step is training, which then takes the same way again."""
    net, optimizer, _, X, Y = task(name)
    step, ends = nn.train_step(net, nn.mse, optimizer), []
    for xs, ys in zip(X[:5], Y[:5], strict=True):
        step(xs, ys)
    save(tmp_path / "model.npz", net, optimizer)
    for _ in range(2):
        for xs, ys in zip(X[5:], Y[5:], strict=True):
            step(xs, ys)
        ends.append(bits(net))
        load(tmp_path / "model.npz", net, optimizer)
    assert ends[0] == ends[1] != bits(net)


def test_lr_set_by_hand_is_kept(tmp_path):
    net, optimizer, schedule, _, _ = task("SGD")
    optimizer.lr = 0.123
    save(tmp_path / "model.npz", net, optimizer, schedule)
    again = task("SGD")
    load(tmp_path / "model.npz", *again[:3])
    assert again[1].lr == 0.123


def changed(net, optimizer, schedule):
    return bits(net), json.dumps(optimizer.state_dict(), default=np.ndarray.tolist), schedule.state_dict()


def test_parts_that_do_not_fit_change_nothing(path):
    net, optimizer, schedule, X, Y = task("Adam")
    steps(net, optimizer, schedule, X[:2], Y[:2], compiled=False)
    save(path, net, optimizer, schedule)
    net, optimizer, schedule, _, _ = task("Adam")
    before = changed(net, optimizer, schedule)
    cases: list[tuple[tuple[Any, ...], str]] = [
        ((net, nn.SGD(net.parameters()), schedule), r"this optimizer, SGD\. Received: .* with Adam"),
        ((net, optimizer, schedules.Step(optimizer, 3)), r"this schedule, Step\. Received: .* with Cosine"),
        ((nn.Neuron(1), optimizer, schedule), r"needs arrays with the names and shapes of Neuron\(1\)"),
        ((net, nn.Adam(net.parameters()[:3]), schedule), r"Adam needs a state"),
    ]
    for parts, message in cases:
        with pytest.raises(ValueError, match=message):
            load(path, *parts)
        assert changed(net, optimizer, schedule) == before


def test_what_was_changed_before_an_error_is_put_back(path, monkeypatch):
    net, optimizer, schedule, X, Y = task("Adam")
    steps(net, optimizer, schedule, X[:2], Y[:2], compiled=False)
    save(path, net, optimizer, schedule)
    net, optimizer, schedule, _, _ = task("Adam")
    optimizer.lr = 0.5
    before, real = changed(net, optimizer, schedule), type(optimizer).load_state_dict
    calls = []

    def fails_once(self, state):
        calls.append(state)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(self, state)

    monkeypatch.setattr(type(optimizer), "load_state_dict", fails_once)
    with pytest.raises(KeyboardInterrupt):
        load(path, net, optimizer, schedule)
    assert len(calls) == 2
    assert changed(net, optimizer, schedule) == before


def test_a_file_without_the_state_that_is_asked_for(path):
    net, optimizer, schedule, _, _ = task("Adam")
    save(path, net)
    with pytest.raises(
        ValueError, match=r"the state of this optimizer, Adam\. Received: .*model\.\w+ with none"
    ):
        load(path, net, optimizer)
    with pytest.raises(ValueError, match=r"the state of this schedule, Cosine\. Received: .* with none"):
        load(path, net, schedule=schedule)
    with pytest.raises(
        TypeError, match=r"the optimizer needs state_dict and load_state_dict\. Received: int"
    ):
        save(path, net, 5)
    save(path, net, optimizer, schedule)
    assert load(path, net) == {}  # what is not asked for may be there
