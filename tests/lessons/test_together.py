"""The lesson that puts parts together: what it says comes out; its exercises, solved."""

from itertools import product
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from demos.data import load_digits, split
from demos.lessons import LESSONS, cells


def floats(xs: Any) -> Any:
    return np.array(xs).astype(float)


def numbers(model: Any) -> list[float]:
    return [p.data for p in model.parameters()]


# A CNN feeds a GRU ------------------------------------------------------------------------------------------------


def test_a_strip_is_digits_side_by_side(lesson):
    images, y = lesson["images"], lesson["y"]
    pictures, largest = lesson["strips"](images, y, 4, np.random.default_rng(0))
    assert pictures.shape == (1797 // 4, 8, 32)
    digit_of = {image.tobytes(): digit for image, digit in zip(images, y.tolist(), strict=True)}
    for picture, told in zip(pictures[:50], largest[:50].tolist(), strict=True):
        digits = [digit_of[picture[:, 8 * k : 8 * k + 8].tobytes()] for k in range(4)]
        assert told == [max(digits[: k + 1]) for k in range(4)]


def test_the_best_guess_by_one_digit(lesson):
    """Counted: for each last digit, the commonest largest among all strips that end with it."""
    for k, guess in enumerate(lesson["guess"][:4]):
        best = 0
        for last in range(10):
            largest = [max(*before, last) for before in product(range(10), repeat=k)] if k else [last]
            best += max(np.bincount(largest))
        assert guess == pytest.approx(best / 10 ** (k + 1))


def test_a_gru_remembers_what_is_not_in_sight(lesson, monkeypatch):
    monkeypatch.setitem(lesson["taught"].__globals__, "hidden", 16)
    right = {}
    for gru in (False, True):
        reader = lesson["taught"](gru, seed=0, size=2, epochs=8)
        _, X_test, _, y_test = split(lesson["images"], lesson["y"], rng=0)
        pictures, largest = lesson["strips"](X_test, y_test, 2, np.random.default_rng(0))
        right[gru] = (autograd.compile(reader, batch=True)(pictures).argmax(axis=-1) == largest).mean(axis=0)
    assert min(right[False][0], right[True][0]) > 0.85
    assert right[False][1] < lesson["guess"][1] + 0.1
    assert right[True][1] > 0.75


def test_the_reader_is_that_of_pytorch(lesson):
    torch = pytest.importorskip("torch")
    reader = lesson["StripReader"](5, rng=0)
    see = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(8, 12, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    ).double()  # fmt: skip
    read, head = torch.nn.GRU(24, 5).double(), torch.nn.Linear(5, 10).double()
    for ours, theirs in ((reader.see, see), (reader.read, read), (reader.head, head)):
        theirs.load_state_dict(nn.to_torch(ours, theirs))
    strip = np.random.default_rng(0).uniform(size=(8, 32))
    with torch.no_grad():
        columns = see(torch.tensor(strip[None])).permute(2, 0, 1).reshape(8, 24)  # one after the other
        expected = head(read(columns)[0][1::2]).numpy()
    assert expected.shape == (4, 10)
    np.testing.assert_allclose(floats(reader(strip)), expected, rtol=1e-9, atol=1e-12)


# A ViT, the table -------------------------------------------------------------------------------------------------


def test_the_vit_from_pieces_is_the_librarys(lesson):
    assert lesson["vit_differs"] == 0.0
    ours, theirs, images = (lesson[name] for name in ("ours", "vit", "images"))
    assert ours.count_parameters() == theirs.count_parameters() == 3_850
    for image in images[1:4]:
        assert floats(ours(image)).tolist() == floats(theirs(image)).tolist()
    assert floats(theirs(images[0])).tolist() != floats(theirs(images[1])).tolist()


def test_all_are_of_about_one_size(lesson, monkeypatch):
    """Of the whole lesson, whose CNN is larger; each counted by hand."""
    for name, count in (("first", 12), ("second", 24)):
        monkeypatch.setitem(lesson["cnn"].__globals__, name, count)
    counts = {
        name: make(np.random.default_rng(0)).count_parameters() for name, make in lesson["kinds"].items()
    }
    block = 4 * (16 * 16 + 16) + (16 * 64 + 64) + (64 * 16 + 16) + 2 * 2 * 16
    assert counts == {
        "MLP": (64 * 49 + 49) + (49 * 10 + 10),
        "CNN": 12 * (9 + 1) + 24 * (12 * 9 + 1) + 10 * (24 * 4 + 1),
        "LSTM": 4 * 25 * (8 + 25 + 1) + 10 * (25 + 1),
        "ViT": (4 * 16 + 16) + 16 + 17 * 16 + block + 2 * 16 + 10 * (16 + 1),
    }
    assert max(counts.values()) < 1.06 * min(counts.values())


@pytest.mark.parametrize(
    ("name", "epochs", "bar"), [("MLP", 20, 0.95), ("CNN", 10, 0.9), ("LSTM", 10, 0.88), ("ViT", 12, 0.85)]
)
def test_each_learns_the_digits(lesson, name, epochs, bar):
    model, seconds, right = lesson["learned"](lesson["kinds"][name], 0, epochs)
    assert right > bar
    assert seconds > 0.0
    assert lesson["rows"][name][0] == model.count_parameters()
    X, y = load_digits()
    _, X_test, _, y_test = split(X.reshape(-1, 8, 8) / 16, y, rng=0)
    logits = autograd.compile(model, batch=True)(X_test)
    assert right == np.mean(np.argmax(logits, axis=1) == y_test)
    for image, row in zip(X_test[:5], logits, strict=False):  # the model itself, not compiled
        np.testing.assert_allclose(floats(model(image)), row, rtol=1e-9, atol=1e-9)


# Going on ---------------------------------------------------------------------------------------------------------


def test_training_resumes_to_the_last_bit(lesson):
    assert lesson["straight"] == lesson["resumed"]
    assert lesson["resumed_differs"] == 0.0
    assert numbers(lesson["model"]) == numbers(lesson["again"])
    assert lesson["extra"]["epoch"] == 1
    assert len(lesson["straight"]) == -(-len(lesson["X_train"]) // 32)


def test_weights_alone_do_not_resume(lesson):
    assert lesson["forgetful"][0] == lesson["straight"][0]  # the weights are the same, and what is seen
    assert lesson["forgetful_differs"] > 0.01
    assert numbers(lesson["bare"]) != numbers(lesson["again"])


def test_the_file_is_arrays(lesson):
    fresh = lesson["cnn"](np.random.default_rng(5))
    extra = nn.load(lesson["checkpoint"], fresh)
    with np.load(lesson["checkpoint"], allow_pickle=False) as file:
        arrays = {name.removeprefix("model/"): file[name] for name in file if name.startswith("model/")}
    found = nn.state_arrays(fresh)
    assert arrays.keys() == found.keys()
    assert all((arrays[name] == found[name]).all() for name in found)
    assert extra["epoch"] == 1


def test_through_safetensors(lesson):
    safetensors = pytest.importorskip("safetensors.numpy")
    assert lesson["safetensors_differs"] == 0.0
    arrays = safetensors.load_file(lesson["folder"] / "together-cnn.safetensors")
    for name, array in nn.state_arrays(lesson["model"]).items():
        np.testing.assert_array_equal(arrays[f"model/{name}"], array)


def test_pytorch_says_the_same(lesson):
    torch = pytest.importorskip("torch")
    assert lesson["torch_differs"] < 1e-12
    state = torch.load(lesson["folder"] / "together-cnn.pt", weights_only=True)
    x = torch.tensor(lesson["X_test"][:20, None])
    for k in (0, 3):  # the layers one by one, as functions
        x = torch.nn.functional.conv2d(x, state[f"{k}.weight"], state[f"{k}.bias"], padding=1)
        x = torch.nn.functional.max_pool2d(x.relu(), 2)
    logits = x.flatten(1) @ state["7.weight"].T + state["7.bias"]
    np.testing.assert_allclose(logits.numpy(), lesson["ours_say"][:20], rtol=1e-9, atol=1e-12)


def test_what_pytorch_has_learned_comes_back(lesson):
    torch = pytest.importorskip("torch")
    theirs = lesson["in_torch"](lesson["model"])
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    X, y = lesson["X_train"][:32], lesson["y_train"][:32]
    torch.nn.functional.cross_entropy(theirs(torch.tensor(X[:, None])), torch.tensor(y)).backward()
    optimizer.step()
    back, here = lesson["cnn"](np.random.default_rng(3)), lesson["cnn"](np.random.default_rng(4))
    nn.from_torch(back, theirs)
    nn.load_arrays(here, nn.state_arrays(lesson["model"]))
    nn.train_step(here, nn.cross_entropy, nn.SGD(here.parameters(), lr=0.1))(X, y)
    assert numbers(back) == pytest.approx(numbers(here), rel=1e-9, abs=1e-12)
    assert numbers(back) != pytest.approx(numbers(lesson["model"]), rel=1e-3)


def test_where_the_packages_are_missing_it_says_so(lesson, capsys):
    """The cell that looks for them, where there is neither."""
    (cell,) = [
        cell
        for cell in cells(LESSONS["together"].path.read_text(encoding="utf-8"))
        if "if find_spec(" in cell.source
    ]
    names = {**lesson, "find_spec": lambda name: None}
    exec(cell.source, names)
    text = capsys.readouterr().out
    assert "safetensors is not installed" in text
    assert "PyTorch is not installed" in text
    assert names["torch_differs"] is names["safetensors_differs"] is None
    np.testing.assert_array_equal(names["ours_say"], lesson["ours_say"])


def test_what_is_wrong_is_counted(lesson):
    told, y_test = lesson["ours_say"].argmax(axis=1), lesson["y_test"]
    by_hand = [[int(((y_test == a) & (told == b)).sum()) for b in range(10)] for a in range(10)]
    assert lesson["matrix"].tolist() == by_hand
    assert len(lesson["wrong"]) == len(y_test) - sum(by_hand[d][d] for d in range(10))
    shares = [by_hand[d][d] / sum(by_hand[d]) for d in range(10)]
    assert shares[lesson["hardest"]] == min(shares)


def test_pictures_left(lesson, pictures):
    assert pictures == {"strips", "models", "confusion", "wrong", "cnn"}  # cnn: the files of the model
    found = {path.suffix for path in lesson["folder"].iterdir() if path.stem == "together-cnn"}
    assert {".npz"} <= found <= {".npz", ".pt", ".safetensors"}


# Exercises --------------------------------------------------------------------------------------------------------


def test_exercise_a_vit_of_rows(lesson):
    """Eight rows and the learned vector: nine positions."""
    vit = nn.ViT(size=8, patch=(1, 8), classes=10, rng=0)
    assert len(vit.positions.rows) == 9
    assert vit.patches(lesson["images"][0]) == [lesson["images"][0].tolist()[i] for i in range(8)]
    _, _, right = lesson["learned"](lambda rng: nn.ViT(8, (1, 8), 10, rng=rng), seed=0, epochs=8)
    assert right > 0.8


def test_exercise_a_new_head_on_frozen_convolutions(lesson):
    old, *_ = lesson["learned"](lesson["kinds"]["CNN"], 0, 4)
    *below, _ = old.layers
    for part in below:
        if isinstance(part, nn.Module):
            part.freeze()
    before = numbers(old)
    model = nn.Sequential(*below, nn.Layer(4 * lesson["second"], 2, activation="identity", rng=0))
    assert model.count_parameters(trainable=True) == 2 * (4 * lesson["second"] + 1)
    X_train, X_test, y_train, y_test = split(lesson["images"], lesson["y"], rng=0)
    step = nn.train_step(model, nn.cross_entropy, nn.Adam(model.parameters(), lr=0.01))
    for _ in range(10):
        for images, labels in nn.DataLoader(X_train, y_train % 2, rng=0):
            step(images, labels)
    assert numbers(old) == before
    right = nn.metrics.accuracy(autograd.compile(model, batch=True)(X_test), y_test % 2)
    assert right > 0.85


def test_exercise_the_strip_reader_saved(lesson, tmp_path):
    old, new, larger = (lesson["StripReader"](n, rng=seed) for seed, n in enumerate((6, 6, 7)))
    strip = np.random.default_rng(0).uniform(size=(8, 16))
    nn.save(tmp_path / "reader.npz", old)
    assert floats(new(strip)).tolist() != floats(old(strip)).tolist()
    nn.load(tmp_path / "reader.npz", new)
    assert floats(new(strip)).tolist() == floats(old(strip)).tolist()
    before = numbers(larger)
    with pytest.raises(ValueError, match=r"of another shape: read\."):
        nn.load(tmp_path / "reader.npz", larger)
    assert numbers(larger) == before
