"""Saving and loading: a model's numbers as NumPy arrays, and a file from which training resumes exactly.

A file holds numbers and text, never code: nothing in it is carried out when it is read, and what is pickled or
compressed in it is refused. So a stranger's file is safe to load, as a pickle of a model is not. Sizes,
activations and the like are not in it; the program that makes the model says them. The formats: `.npz`, NumPy's own,
or `.safetensors`, where that package is installed. Both hold the arrays of `state_arrays` as `model/<name>`, beside
those of the optimiser and the schedule, and one text in JSON for all the rest, names that no file should have included.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autograd.files import path_of, replace
from autograd.value import Value

from .checks import listed, one_line
from .module import Module

FORMAT, VERSION = "neurongrad", 1
ARRAY, TUPLE = "__array__", "__tuple__"  # where these stand, the text speaks of what JSON does not know
Named = Sequence[tuple[str, Value]]


# The arrays of a model --------------------------------------------------------------------------------------------


def state_arrays(model: Module) -> dict[str, Any]:
    """The numbers of all parameters and buffers, each once, as float64 arrays by name.

    A name is the path of `named_parameters` without its indices, which say the place in the array: the Values `w[0]`,
    `w[1]` of a list are one array `w`, those of a list of lists a matrix. The place of a neuron in a list is such an
    index too, and the list itself is not named: `layers.0.neurons.1.w[2]` is entry (1, 2) of `layers.0.w`, which is
    (nout, nin). What fills no rectangle, such as neurons of unequal sizes, stays apart: `layers.0.neurons.1.w`.

    >>> from nn import MLP
    >>> {name: array.shape for name, array in state_arrays(MLP(2, [3, 1])).items()}
    {'layers.0.w': (3, 2), 'layers.0.b': (3,), 'layers.1.w': (1, 3), 'layers.1.b': (1,)}
    """
    return {name: numbers_of(values) for name, values in value_arrays(model).items()}


def load_arrays(model: Module, arrays: Mapping[str, Any]) -> None:
    """Set the parameters and buffers to these numbers, by the names and shapes of `state_arrays(model)`.

    Frozen ones are set too, and stay frozen. What is missing, unexpected or of another shape is a ValueError that lists
    it, and then nothing has changed.

    >>> from nn import MLP
    >>> old, new = MLP(2, [3, 1]), MLP(2, [3, 1])
    >>> load_arrays(new, state_arrays(old))
    >>> new([1.0, 2.0]).data == old([1.0, 2.0]).data
    True
    """
    assignment("load_arrays", model, arrays)()


def assignment(owner: str, model: Module, arrays: Mapping[str, Any]) -> Callable[[], None]:
    """What sets the model's numbers to those of the arrays, made once it is sure that all of them fit."""
    if not isinstance(arrays, Mapping):
        raise TypeError(f"{owner} needs a dict of arrays by name. Received: {type(arrays).__name__}")
    values, given = value_arrays(model), {name: np.asarray(array) for name, array in arrays.items()}
    missing = [f"{name} {array.shape}" for name, array in values.items() if name not in given]
    unexpected = [f"{name} {array.shape}" for name, array in given.items() if name not in values]
    differing = [
        f"{name} {given[name].shape} for {array.shape}"
        for name, array in values.items()
        if name in given and given[name].shape != array.shape
    ]
    found = {"missing": missing, "unexpected": unexpected, "of another shape": differing}
    if missing or unexpected or differing:
        raise ValueError(
            f"{owner} needs arrays with the names and shapes of {model._named()}. Received: "
            + "; ".join(f"{what}: {listed(names)}" for what, names in found.items() if names)
        )
    for name, array in given.items():
        if not np.can_cast(array.dtype, np.float64, "safe"):
            raise TypeError(f"{owner} needs arrays of real numbers. Received: {name} of dtype {array.dtype}")

    def assign() -> None:
        for name, array in values.items():
            for v, x in zip(array.flat, given[name].astype(np.float64).ravel().tolist(), strict=True):
                v.data = x

    return assign


def numbers_of(values: Any) -> Any:
    """The numbers of an array of Values."""
    return np.array([v.data for v in values.flat], np.float64).reshape(values.shape)


def value_arrays(model: Module) -> dict[str, Any]:
    """The Values themselves in the arrays of `state_arrays`."""
    if not isinstance(model, Module):
        raise TypeError(f"a Module has arrays of parameters. Received: {type(model).__name__}")
    neurons = {
        path: (found["owner"], tuple(map(int, found["place"].split(".")[1:])))
        for path, part in model.named_modules()
        if part.level == "neuron" and (found := NEURON.fullmatch(path))
    }
    named = {v: path for path, v in (*model.named_parameters(), *model.named_buffers())}
    arrays: dict[str, Any] = {}
    for name, array in stacked([(path, v) for v, path in named.items()], neurons):
        if name in arrays:
            raise ValueError(f"each parameter needs a name of its own. Received: {name} twice")
        arrays[name] = array
    return arrays


NEURON = re.compile(r"(?P<owner>(.*\.)?)[^\W\d]\w*(?P<place>(\.\d+)+)")  # layers.0. | neurons | .1
VALUE = re.compile(r"([^\[]*|.*?)((?:\[\d+\])*)", re.DOTALL)  # layers.0.neurons.1.w | [2]
Neurons = Mapping[str, tuple[str, tuple[int, ...]]]


def stacked(named: Named, neurons: Neurons, indices_kept: int = 0) -> Iterator[tuple[str, Any]]:
    """The Values in as large arrays as they fill; what fills none is tried again with one index more in its name."""
    groups: dict[str, list[tuple[tuple[int, ...], str, Value]]] = {}
    for path, v in named:
        name, index = place_of(path, neurons, indices_kept)
        groups.setdefault(name, []).append((index, path, v))
    for name, group in groups.items():
        shape = rectangle([index for index, _, _ in group])
        if shape is not None:
            array = np.empty(shape, dtype=object)
            for index, _, v in group:
                array[index] = v
            yield name, array
        elif any(index for index, _, _ in group):
            yield from stacked([(path, v) for _, path, v in group], neurons, indices_kept + 1)
        else:
            yield from ((path, np.array(v, dtype=object)) for _, path, v in group)


def place_of(path: str, neurons: Neurons, indices_kept: int) -> tuple[str, tuple[int, ...]]:
    """A Value's path as the name of an array and the place in it."""
    stem, brackets = VALUE.fullmatch(path).groups()  # type: ignore[union-attr]
    index = tuple(map(int, brackets[1:-1].split("]["))) if brackets else ()
    owner, _, attribute = stem.rpartition(".")
    if owner in neurons:
        prefix, place = neurons[owner]
        if not indices_kept:
            return prefix + attribute, place + index
        indices_kept -= 1
    return stem + "".join(f"[{i}]" for i in index[:indices_kept]), index[indices_kept:]


def rectangle(indices: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The shape of the array that these places fill, each once; None if there is none."""
    if len({*map(len, indices)}) > 1 or len({*indices}) < len(indices):
        return None
    shape = tuple(max(column) + 1 for column in zip(*indices, strict=True))
    return shape if math.prod(shape) == len(indices) else None


# Files ------------------------------------------------------------------------------------------------------------


def save(
    path: str | os.PathLike[str],
    model: Module,
    optimizer: Any = None,
    schedule: Any = None,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write the model's parameters and buffers to a file, and with them what is needed to go on training.

    `path` ends in `.npz`, or in `.safetensors` where that package is installed. `optimizer` and `schedule` give what
    they remember. `extra` is a dict of your own, for example of the epoch: numbers, text, None, arrays of numbers, and
    lists, tuples and dicts of such, which `load` returns as they were. Random generators, such as that of a `Dropout`,
    are not in the file: to go on exactly, put their state into `extra`. A file of that name is replaced at once, when
    the new one is complete: whatever goes wrong before leaves it as it was.

    >>> import tempfile
    >>> from nn import MLP, SGD
    >>> model, new = MLP(2, [3, 1]), MLP(2, [3, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/model.npz", model, extra={"epoch": 5})
    ...     load(f"{folder}/model.npz", new)
    {'epoch': 5}
    >>> new([1.0, 2.0]).data == model([1.0, 2.0]).data
    True
    """
    write, _ = format_of(path)
    arrays: dict[str, Any] = {}
    own = pack(state_arrays(model), "model", arrays)
    content: dict[str, Any] = {"format": FORMAT, "version": VERSION, "model": model._title()}
    if others := {name: at for name, at in own.items() if at[ARRAY] != f"model/{name}"}:
        content["others"] = others
    for name, part in (("optimizer", optimizer), ("schedule", schedule)):
        if part is not None:
            content[name] = {
                "kind": type(part).__name__,
                "state": pack(with_state(name, part).state_dict(), name, arrays),
            }
    if not isinstance(extra, (dict, type(None))):
        raise TypeError(f"save needs a dict as extra. Received: {type(extra).__name__}")
    content["extra"] = pack(extra or {}, "extra", arrays)
    replace("save", path, write(json.dumps(content), arrays))


def load(
    path: str | os.PathLike[str], model: Module | None = None, optimizer: Any = None, schedule: Any = None
) -> dict[str, Any]:
    """Read what `save` wrote into a model made in the same way, an optimizer and a schedule; returns the `extra`.

    All is checked before anything is changed. A ValueError says what does not fit, or that the file is damaged, foreign
    or of another version; model, optimizer and schedule are then as they were. A frozen parameter stays frozen. Whether
    `model` is in training is not in the file.
    """
    content, arrays = contents_of(path)
    name = os.fspath(path)
    assign = None
    if model is not None:
        own = {key.removeprefix("model/"): x for key, x in arrays.items() if key.startswith("model/")}
        own |= content.get("others", {})
        assign = assignment(f"load, reading {name} with {one_line(content['model'])},", model, own)
    parts = {"schedule": schedule, "optimizer": optimizer}  # in this order: the optimizer's lr is its own
    states = [(part, state_in(name, content, what, part)) for what, part in parts.items() if part is not None]
    before = [(part, part.state_dict()) for part, _ in states]
    try:
        for part, state in states:
            part.load_state_dict(state)
    except BaseException:
        for part, state in before:
            part.load_state_dict(state)
        raise
    if assign is not None:
        assign()
    extra: dict[str, Any] = content.get("extra", {})
    return extra


def with_state(name: str, part: Any) -> Any:
    if not (hasattr(part, "state_dict") and hasattr(part, "load_state_dict")):
        raise TypeError(f"the {name} needs state_dict and load_state_dict. Received: {type(part).__name__}")
    return part


def state_in(path: str, content: dict[str, Any], name: str, part: Any) -> Any:
    """What the file has for an optimizer or a schedule of this kind."""
    kind = type(with_state(name, part)).__name__
    found = content.get(name)
    if found is None or found["kind"] != kind:
        raise ValueError(
            f"load needs a file with the state of this {name}, {kind}."
            f" Received: {path} with {'none' if found is None else one_line(found['kind'])}"
        )
    return found["state"]


def contents_of(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The text of a file, as a dict, and its arrays, if it is one of ours and whole."""
    _, read = format_of(path)
    name = os.fspath(path)
    data = Path(path).read_bytes()
    try:
        text, arrays = read(data)
        content = json.loads(text)
        written = content["format"], content["version"]
        if written == (FORMAT, VERSION):
            content = unpack(content, arrays)
            check_form(content)
    except ImportError:
        raise
    except Exception as error:  # whatever the readers make of damaged bytes
        raise ValueError(
            "load needs a complete file that save has written: take another copy, or save the model again."
            f" Received: {name} ({len(data):,} bytes), damaged or of another origin"
        ) from error
    if written != (FORMAT, VERSION):
        raise ValueError(
            f"load reads {FORMAT} files of version {VERSION}: use the release of neurongrad that wrote this one."
            f" Received: {name}, a {one_line(str(written[0]))} file of version {one_line(str(written[1]))}"
        )
    return content, arrays


def check_form(content: dict[str, Any]) -> None:
    """An error where a part is not what `save` makes of it."""
    parts = [content[name] for name in ("optimizer", "schedule") if name in content]
    texts = [content["model"], *(part["kind"] for part in parts)]
    dicts = [content["extra"], content.get("others", {}), *(part["state"] for part in parts)]
    if not all(isinstance(x, str) for x in texts) or not all(isinstance(x, dict) for x in dicts):
        raise TypeError("its parts are not those that were saved")


# What JSON does not know: arrays, which are kept apart, and tuples --------------------------------------------------

# Paths that may name a file, should somebody unpack the archive: short, and within the folder in which they stand.
MEMBER = re.compile(r"(?=.{1,200}$)[\w \[\]-][\w .\[\]-]*(/[\w \[\]-][\w .\[\]-]*)*")


def pack(x: Any, path: str, arrays: dict[str, Any]) -> Any:
    """x for JSON; arrays in it go to `arrays`, under their path if that is possible."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf" and x.dtype.itemsize <= 8:
        name = path if MEMBER.fullmatch(path) and path not in arrays else f"array/{len(arrays)}"
        arrays[name] = x
        return {ARRAY: name}
    if isinstance(x, np.generic):
        x = x.item()
    if isinstance(x, dict) and all(isinstance(key, str) and key not in (ARRAY, TUPLE) for key in x):
        return {key: pack(part, f"{path}/{key}", arrays) for key, part in x.items()}
    if isinstance(x, (list, tuple)):
        parts = [pack(part, f"{path}/{i}", arrays) for i, part in enumerate(x)]
        return {TUPLE: parts} if isinstance(x, tuple) else parts
    if x is None or isinstance(x, (str, int, float)):
        return x
    received = f"a dict with the keys {[*x]}" if isinstance(x, dict) else f"{x!r:.60}"
    raise TypeError(
        "save needs numbers, text, None, arrays of numbers, and lists, tuples, or dicts with text as keys, of such."
        f" Received: {path} = {received} ({type(x).__name__})"
    )


def unpack(x: Any, arrays: Mapping[str, Any]) -> Any:
    """What `pack` was given."""
    if isinstance(x, list):
        return [unpack(part, arrays) for part in x]
    if not isinstance(x, dict):
        return x
    if ARRAY in x:
        return arrays[x[ARRAY]]
    if TUPLE in x:
        return tuple(unpack(x[TUPLE], arrays))
    return {key: unpack(part, arrays) for key, part in x.items()}


# The formats: from a text and arrays to bytes, and back -----------------------------------------------------------


def to_npz(text: str, arrays: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, text=np.frombuffer(text.encode(), np.uint8), **arrays)
    return file.getvalue()


def from_npz(data: bytes) -> tuple[str, dict[str, Any]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        members = file.zip.infolist()
        if len({*file.files}) < len(members) or sum(member.file_size for member in members) > len(data):
            raise ValueError("it is compressed, or has two members of one name")  # savez does neither
        arrays = {name: file[name] for name in file.files}
    return arrays.pop("text").tobytes().decode(), arrays


def to_safetensors(text: str, arrays: Mapping[str, Any]) -> bytes:
    whole = {
        name: np.array(array, array.dtype.newbyteorder("="), order="C") for name, array in arrays.items()
    }
    metadata = {
        FORMAT: f"{checksum(text, whole)} {text}"
    }  # of several entries the order would be left to chance
    written: bytes = safetensors().numpy.save(whole, metadata)
    return written


def from_safetensors(data: bytes) -> tuple[str, dict[str, Any]]:
    arrays = safetensors().numpy.load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    found, _, text = header["__metadata__"][FORMAT].partition(" ")
    if found != checksum(text, arrays):
        raise ValueError("its numbers are not those that were saved")
    return text, arrays


def checksum(text: str, arrays: Mapping[str, Any]) -> str:
    """Of a format that has none of its own."""
    found = zlib.crc32(text.encode())
    for name in sorted(arrays):
        found = zlib.crc32(arrays[name].tobytes(), zlib.crc32(f"{name} {arrays[name].shape}".encode(), found))
    return f"{found:08x}"


def safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            "the suffix .safetensors needs that package: `pip install safetensors`, or use .npz"
        ) from None
    return safetensors


def format_of(
    path: str | os.PathLike[str],
) -> tuple[Callable[..., bytes], Callable[[bytes], tuple[str, Any]]]:
    """How to write and to read a file of this suffix."""
    suffix = path_of("a saved model", path).suffix
    formats = {".npz": (to_npz, from_npz), ".safetensors": (to_safetensors, from_safetensors)}
    if suffix not in formats:
        raise ValueError(f"a saved model needs a path that ends in {' or '.join(formats)}. Received: {path}")
    return formats[suffix]
