"""Modules: parameters are found in order, once, named by their path; calls leave their mark on what they record."""

# mypy: disable-error-code="attr-defined, union-attr, arg-type"

import copy
import pickle
import threading

import numpy as np
import pytest

import nn
from autograd import Value, no_grad
from autograd.context import Scope, within


def labels(module):
    return [p.label for p in module.parameters()]


class Line(nn.Module):  # deliberately without super().__init__()
    def __init__(self):
        self.slope, self.offset = Value(2.0), Value(1.0)

    def __call__(self, x, *, scale=1.0):
        return scale * (self.slope * x + self.offset)


class Pair(nn.Module):
    def __init__(self, line=None):
        self.first = line or Line()
        self.second = self.first if line else Line()

    def __call__(self, x):
        return self.second(self.first(x))


def test_parameters_are_found_in_lists_tuples_dicts_and_arrays_in_order_and_once():
    class Everything(nn.Module):
        def __init__(self):
            shared = Value(0.0)
            self.number, self.text, self.nothing, self.data = 3, "text", None, np.zeros(4)
            self.matrix = [[Value(1.0), Value(2.0)], (Value(3.0),)]
            self.by_name = {"a": Value(4.0), "net": nn.Neuron(1)}
            self.array = np.array([[Value(5.0), Value(6.0)]])
            self.parts = [Line(), [Line()]]
            self.shared, self.again = shared, [shared]
            self._memory = Value(7.0)
            self.result = Value(1.0) * 2.0

    module = Everything()
    assert labels(module) == [
        "matrix[0][0]", "matrix[0][1]", "matrix[1][0]", "by_name[a]", "by_name.net.w[0]", "by_name.net.b",
        "array[0][0]", "array[0][1]", "parts.0.slope", "parts.0.offset", "parts.1.0.slope", "parts.1.0.offset",
        "shared",
    ]  # fmt: skip
    assert [path for path, _ in module.named_parameters()] == labels(module)
    assert [p for _, p in module.named_parameters()] == module.parameters()
    assert type(module.parameters()) is list


def test_what_is_added_later_is_found_and_modules_may_contain_each_other():
    line = Line()
    line.extra = Value(5.0)
    line.myself = [line]
    assert line.parameters() == [line.slope, line.offset, line.extra]


def test_a_frozen_parameter_stays_a_parameter():
    line = Line()
    line.slope.requires_grad = False
    assert line.parameters() == [line.slope, line.offset]


def test_labels_are_paths_of_the_outermost_module():
    assert labels(nn.MLP(2, [2, 1])) == [
        "layers.0.neurons.0.w[0]", "layers.0.neurons.0.w[1]", "layers.0.neurons.0.b",
        "layers.0.neurons.1.w[0]", "layers.0.neurons.1.w[1]", "layers.0.neurons.1.b",
        "layers.1.neurons.0.w[0]", "layers.1.neurons.0.w[1]", "layers.1.neurons.0.b",
    ]  # fmt: skip
    assert labels(nn.Neuron(2)) == ["w[0]", "w[1]", "b"]
    assert labels(nn.Neuron(1, label="out")) == ["out.w[0]", "out.b"]


def test_a_label_grows_with_its_module_but_one_that_was_chosen_stays():
    line = Line()
    line.offset.label = "c"
    assert labels(line) == ["slope", "c"]
    assert labels(Pair(line)) == ["first.slope", "c"]


def test_zero_grad_forgets():
    line = Line()
    line(3.0).backward()
    assert (line.slope.grad, line.offset.grad) == (3.0, 1.0)
    line.zero_grad()
    assert [p.grad for p in line.parameters()] == [0.0, 0.0]
    assert repr(line.slope) == "Value(data=2.0)"


def test_a_module_without_an_equation_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty needs a method __call__"):
        Empty()(1.0)
    assert Empty().parameters() == []
    assert repr(Empty()) == "Empty"


# Scopes


def path(v):
    names: list[str] = []
    scope = v.scope
    while scope is not None:
        names.insert(0, scope.name)
        scope = scope.parent
    return names


def test_what_a_call_records_carries_the_module():
    net = nn.MLP(2, [2, 1])
    out = net([1.0, 2.0])
    assert path(out) == ["MLP", "layers.1", "neurons.0"]
    assert path(net.layers[0].neurons[1].z) == ["MLP", "layers.0", "neurons.1"]
    scope = out.scope
    assert [(s.title, s.level) for s in (scope, scope.parent, scope.parent.parent)] == [
        ("Neuron(2)", "neuron"), ("Layer(2, 1)", "layer"), ("MLP(2, [2, 1])", "model"),
    ]  # fmt: skip
    assert (out + 1.0).scope is None


def test_a_module_has_one_scope_however_often_it_is_called():
    net = nn.MLP(2, [3, 1])
    first = net([1.0, 2.0]).scope
    with no_grad():
        assert net([1.0, 2.0]).requires_grad is False
    assert net([3.0, 4.0]).scope is first


def test_the_same_module_called_from_two_places_has_two_scopes_and_keeps_them():
    class Twice(nn.Module):
        def __init__(self):
            self.line = Line()
            self.left, self.right = Call(self.line), Call(self.line)

        def __call__(self, x):
            return self.left(x), self.right(x), self.line(x)

    class Call(nn.Module):
        def __init__(self, line):
            self.inner = line

        def __call__(self, x):
            return self.inner(x)

    twice = Twice()
    before, after = twice(1.0), twice(1.0)
    assert [path(v)[1:-1] for v in before] == [["left"], ["right"], []]
    assert all(a.scope is b.scope for a, b in zip(before, after, strict=True))
    assert len({v.scope for v in before}) == 3


def test_scopes_follow_the_callers_and_are_not_kept_for_ever():
    line = Line()
    for i in range(300):
        outer = Scope(f"step {i}")
        with within(scope=outer):
            assert line(1.0).scope.parent is outer
    assert len(line._scopes) < 150
    assert line(1.0).scope.parent is None


def test_an_inner_module_called_by_itself_is_named_by_its_path():
    net = nn.MLP(2, [2, 1], label="net")
    assert path(net.layers[0].neurons[1]([1.0, 2.0])) == ["layers.0.neurons.1"]
    assert path(net([1.0, 2.0]))[0] == "net"


def test_a_module_that_becomes_a_part_is_named_anew():
    line = Line()
    assert path(line(1.0)) == ["Line"]
    pair = Pair(line)
    assert path(pair(1.0)) == ["Pair", "first"]
    assert path(line(1.0)) == ["first"]


def test_super_call_stays_in_the_same_scope():
    class Twofold(Line):
        def __call__(self, x, **named):
            return 2.0 * super().__call__(x, **named)

    out = Twofold()(1.0, scale=3.0)
    assert out.data == 18.0
    assert path(out) == path(out.operands[1]) == ["Twofold"]


def test_the_scope_is_left_when_a_call_fails():
    with pytest.raises(TypeError):
        Line()("text")
    assert Value(1.0).scope is None


def test_threads_do_not_meet():
    net, found = nn.MLP(2, [3, 1], rng=0), []

    def work():
        for _ in range(50):
            found.append(path(net([1.0, 2.0])))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    assert all(names == ["MLP", "layers.1", "neurons.0"] for names in found)


# Copies


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_whole_and_independent(twin_of):
    net = nn.MLP(2, [3, 2], activation="tanh", output_activation="softmax", rng=0)
    before = [v.data for v in net([1.0, 2.0])]
    twin = twin_of(net)
    assert [v.data for v in twin([1.0, 2.0])] == before
    assert (labels(twin), repr(twin)) == (labels(net), repr(net))
    assert not set(twin.parameters()) & set(net.parameters())
    twin([1.0, 2.0])[0].backward()
    twin.layers[0].neurons[0].w[0].data += 1.0
    assert all(p.grad == 0.0 for p in net.parameters())
    assert any(p.grad for p in twin.parameters())
    assert [v.data for v in net([1.0, 2.0])] == before != [v.data for v in twin([1.0, 2.0])]


def test_a_copy_carries_nothing_of_the_last_call():
    neuron = nn.Neuron(2)
    out, fresh = neuron([1.0, 2.0]), set(vars(nn.Neuron(2)))
    for twin in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron)), copy.copy(neuron)):
        assert set(vars(twin)) == fresh
        again = twin([1.0, 2.0])
        assert again.data == out.data
        assert again.scope is not out.scope
    assert copy.copy(neuron).w is neuron.w


def test_a_watched_call_is_told_once():
    """Also where a method calls the one that it overrides, and where a module calls itself within."""

    class Doubled(nn.Layer):
        def __call__(self, x):
            return [2.0 * v for v in super().__call__(x)]

    class Twice(nn.Module):
        def __init__(self):
            self.layer = Doubled(2, 2, init="ones")

        def __call__(self, x):
            return self.layer(self.layer(x))

    told: list[str] = []
    for _ in range(2):
        with nn.watching(lambda module, inputs, output: told.append(type(module).__name__)):
            Twice()([1.0, 2.0])
        assert told == ["Neuron", "Neuron", "Doubled"] * 2 + ["Twice"]
        told.clear()
    with nn.watching(lambda module, inputs, output: told.append(type(module).__name__)):
        assert nn.Sequential(nn.Layer(1, 1)).batch([[1.0]])
    assert told == ["Neuron", "Layer"]


def test_a_slice_of_a_sequential_does_not_rename_its_layers():
    net = nn.Sequential(nn.Layer(2, 3), nn.Layer(3, 3), nn.Layer(3, 1), label="net")
    before = [(path, part._named()) for path, part in net.named_modules()]
    part = net[1:]
    assert isinstance(part, nn.Sequential)
    assert [*part] == net.layers[1:]
    assert part.label == "net"
    assert [(path, part._named()) for path, part in net.named_modules()] == before
    with pytest.raises(ValueError, match=r"^layers\.2: Layer\(3, 1\) needs 3 inputs"):
        net.layers[2]([1.0])


def test_buffers_have_paths():
    norm = nn.BatchNorm(2)
    own = ["running_mean[0]", "running_mean[1]", "running_variance[0]", "running_variance[1]"]
    assert [name for name, _ in norm.named_buffers()] == own
    net = nn.Sequential(nn.Layer(2, 2), norm)
    assert [name for name, _ in net.named_buffers()] == [f"layers.1.{name}" for name in own]
