"""Parts of the compiler by themselves: names, the text for floats, long lines, the direct call, the picture."""

import ast
import itertools
import keyword
import math
import random
import timeit
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import TABLE, Value
from autograd.compiler import build, syntax
from autograd.compiler.graph import Graph
from autograd.compiler.levels import Levels
from autograd.compiler.naming import LONGEST, RESERVED, Names, identifier, indexed
from autograd.compiler.straight import Straight
from autograd.render import layout

from .hostile import HOSTILE, PROGRAM, WORDS
from .test_compile import Truth, check, close, mlp, normal, readme, table  # noqa: F401 (`table` is a fixture)

# Names ------------------------------------------------------------------------------------------------------------

LABELS = [
    *HOSTILE.values(), *WORDS, *PROGRAM, *sorted(RESERVED), *TABLE, "_", "__", "d", "w[", "]", "[0]", "neurons.1.w[0]",
    "a.b.c.d", "...", ".", "neurons.", "x = 1", "α", "é", "日本",
]  # fmt: skip


def legal(name):
    statement: Any = ast.parse(f"{name} = 1").body[0]
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and name not in RESERVED
        and name not in TABLE
        and statement.targets[0].id == name
    )


def test_any_label_gives_a_short_identifier_that_hides_nothing():
    names = Names(Graph(), LABELS)
    every = list(names.arguments)
    for label in LABELS:
        every += [names.unique(label), names.unique(f"d{label}"), names.element(label)]
        every += [names.parameter(label, 1), names.parameter(label, 2), names.numbered("t")]
        assert len(identifier(label)) <= LONGEST + 2
    assert all(map(legal, every))
    assert len({*every}) == len(every)
    assert max(map(len, every)) <= LONGEST + 8
    names = Names(Graph(), [])
    assert [names.unique("a" * 100) for _ in range(2)] == ["a" * LONGEST, "a" * LONGEST + "2"]


def test_names_say_where_a_parameter_stands():
    names = Names(Graph(), [])
    expected = {
        "w[2]": "w2",
        "b": "b",
        "layers.0.neurons.3.w[2]": "w1_3_2",
        "layers.0.neurons.3.b": "b1_3",
        "attention.query.neurons.0.w[1]": "w_query0_1",
        "attention.query.heads[2].w": "w_query",
        "x.1234567890.w": "w_x",
        "tokens[3][5]": "tokens3_5",
        "learning rate": "learning_rate",
        "λ": "λ",
        "lambda": "lambda_",
        "": "w",
    }
    assert {label: names.element(label) for label in expected} == expected
    assert names.parameter("layers.0.neurons.3.w[2]", 2) == "W1"
    assert [indexed("x", ()), indexed("x", (2,)), indexed("x1", (2, 3))] == ["x", "x2", "x1_2_3"]


def test_what_a_text_does_not_use_is_free():
    assert Names(Graph(), ["g", "n", "np"], {"g", "n"}).arguments == ["g", "n", "np_"]


# Long lines -------------------------------------------------------------------------------------------------------


def expressions(rng, depth):
    if not depth or rng.random() < 0.1:
        return rng.choice(["x", "yy", "3", "-2", "np.inf", "alpha_beta"])
    a, b, c = (expressions(rng, depth - 1) for _ in range(3))
    return rng.choice([
        f"({a}) {rng.choice('+-*/@')} ({b})", f"({a}) {rng.choice('+-*/@')} ({b})", f"-({a})",
        f"np.where({a}, {b}, k={c})", f"({a}).sum(axis={b})", f"({a})[{b}, :, None]", f"({a}).T", f"[{a}, {b}]",
        f"({a}) ** ({b})", f"(({a}),)", f"({a}) if ({b}) else ({c})", f"{{'a': {a}, 3: {b}}}",
    ])  # fmt: skip


@pytest.mark.parametrize("width", [20, 60, 106])
def test_a_broken_line_says_the_same(width):
    rng = random.Random(width)
    for _ in range(300):
        start = rng.choice(["return ", "name = ", "dW[...] = ", ""])
        code = ast.unparse(ast.parse(start + expressions(rng, rng.randrange(1, 7))))
        rows = syntax.broken(code, width)
        assert ast.dump(ast.parse("\n".join(rows))) == ast.dump(ast.parse(code))


def test_sums_break_at_their_signs_and_brackets_open():
    long = " + ".join(f"weight_{i} * x{i}" for i in range(12))
    assert syntax.broken(f"z = {long}  # (n, 4)") == [
        "z = (  # (n, 4)",
        "    weight_0 * x0 + weight_1 * x1 + weight_2 * x2 + weight_3 * x3 + weight_4 * x4 + weight_5 * x5",
        "    + weight_6 * x6 + weight_7 * x7 + weight_8 * x8 + weight_9 * x9 + weight_10 * x10 + weight_11 * x11",
        ")",
    ]
    assert syntax.broken("c = np.array([1.5, 2.5, 3.5])", 20) == [
        "c = np.array(",
        "    [1.5, 2.5, 3.5],",
        ")",
    ]
    assert syntax.broken("x = 1") == ["x = 1"]


def test_the_first_line_of_a_function_of_many_arguments():
    names = [f"a_rather_long_argument_{i}" for i in range(9)]
    rows = syntax.header("forward", names, "shapes")
    assert max(map(len, rows)) <= 110
    function: Any = ast.parse("\n".join(rows) + "\n    pass").body[0]
    assert [a.arg for a in function.args.args] == names
    assert syntax.header("forward", ["x"], "x (n,)") == ["def forward(x):  # x (n,)"]


# Straight-line text -----------------------------------------------------------------------------------------------


def texts(f, *args, wrt=None):
    program = autograd.compile(f, wrt=wrt)
    program(*args)
    program.value_and_grad(*args)
    forward, gradient = program.source.split("\n\n\n")
    return forward.strip(), gradient.strip()


def test_the_text_of_a_neuron():
    neuron = nn.Neuron(3, activation="tanh", rng=0)
    forward, gradient = texts(neuron, [1.0, 2.0, 3.0], wrt=neuron)
    assert forward == (
        "def forward(x, p):\n"
        "    x0, x1, x2 = x\n"
        "    w0, w1, w2, b = p\n"
        "    return tanh(b + w0 * x0 + w1 * x1 + w2 * x2)"
    )
    assert gradient == (
        "def value_and_grad(x, p):\n"
        "    x0, x1, x2 = x\n"
        "    w0, w1, w2, b = p\n"
        "    z = b + w0 * x0 + w1 * x1 + w2 * x2\n"
        "    dz = sech2(z)\n"
        "    return tanh(z), (dz * x0, dz * x1, dz * x2, dz)"
    )


def test_the_text_takes_the_labels():
    def f(a, b):
        c = a * b
        c.label = "c"
        d = c.exp() + c
        d.label = "d"
        return d

    forward, gradient = texts(f, 1.0, 2.0)
    assert forward == "def forward(a, b):\n    c = a * b\n    d = exp(c) + c\n    return d"
    assert gradient == (
        "def value_and_grad(a, b):\n"
        "    c = a * b\n"
        "    t1 = exp(c)\n"
        "    d = t1 + c\n"
        "    dc = 1 + t1\n"
        "    return d, (dc * b, dc * a)"
    )


def test_the_text_of_micrograd_s_readme():
    a, b = Value(-4.0, label="a"), Value(2.0, label="b")
    program = autograd.compile_graph(((a + b) * b + a).relu(), inputs=[a, b])
    program(-4.0, 2.0)
    assert program.source == "def forward(a, b):\n    return relu((a + b) * b + a)\n"
    program = autograd.compile(readme)
    value, (da, db) = program.value_and_grad(-4.0, 2.0)
    assert [f"{x:.4f}" for x in (value, da, db)] == ["24.7041", "138.8338", "645.5773"]
    alone: dict[str, Any] = {name: TABLE[name].formula for name in ("relu", "div", "sign")}
    exec(program.source, alone)  # the text runs anywhere
    assert alone["value_and_grad"](-4.0, 2.0) == (value, (da, db))


def test_division_by_what_may_be_zero_is_a_call():
    f = lambda x: 1.0 / x + 1.0 / (1.0 + x * x) + x / 2.0 + 1.0 / x.cosh()
    forward, _ = texts(f, 2.0)
    assert forward.endswith("return div(1.0, x) + 1 / (1 + x * x) + x / 2 + 1 / cosh(x)")
    for x in (0.0, -0.0, math.inf, math.nan, 1e308):
        np.testing.assert_equal(autograd.compile(f)(x), f(Value(x)).data)


@pytest.mark.parametrize(
    ("below", "apart"),
    [
        (lambda x: x * x + 1.0, True),
        (lambda x: 1.0 + autograd.abs(x), True),
        (lambda x: autograd.exp(x) + 1e-300, True),
        (lambda x: autograd.hypot(x, 1e-3), True),
        (lambda x: autograd.hypot(-2.0, x), True),
        (lambda x: autograd.cosh(x), True),
        (lambda x: 3.0 * x, False),
        (lambda x: x + 1.0, False),
        (lambda x: x * autograd.sin(x) + 1.0, False),
        (lambda x: x * x + -1.0, False),
        (lambda x: x * x + autograd.abs(x), False),
        (lambda x: autograd.hypot(x, 1e-200), False),
        (lambda x: autograd.exp(x), False),
    ],
)
def test_what_cannot_be_zero_divides_as_it_is(below, apart):
    f = lambda x: x / below(x)
    forward, _ = texts(f, 2.0)
    assert ("div(" not in forward) is apart
    for x in (0.0, -0.0, 1.0, -1e200, math.inf, math.nan):
        np.testing.assert_equal(autograd.compile(f)(x), f(Value(x)).data)


def test_a_million_letters_are_not_written_to_decide_against_them():
    xs = [Value(x) for x in normal(3000)]
    f = lambda x: sum((x * w).tanh() for w in xs)
    program = autograd.compile(f, wrt=xs)
    program.value_and_grad(0.5)
    assert "np.tanh" in program.source


@pytest.mark.parametrize("n", [1_000, 10_000])
def test_depth_is_no_matter(n):
    def chain(x):
        for _ in range(n // 2):
            x = (x + 0.5).sin()
        return x

    program = autograd.compile(chain)
    value, slope = program.value_and_grad(0.25)
    truth = Truth(chain, (0.25,), batch=False)
    close([program(0.25), value, slope], [truth.outputs, truth.value, truth.inputs[0]])
    negatives = autograd.compile(lambda x: sum([-x] * n) - sum([x * 0.5] * n))
    assert negatives(1.0) == -1.5 * n


def test_operations_of_ones_own_and_names_that_meet_theirs(table):  # noqa: F811
    w = Value(3.0, label="own_twice")
    for name in ("own_twice", "lambda", "rng", "p", "w", "dw", "own λ"):
        own = autograd.op(name, "2 x", lambda x: 2.0 * x, lambda g, out, x: 2.0 * g)
        f = lambda x, own=own: own(x * w) + own(own(w) * w) * autograd.uniform(1.0, 1.0)
        program = autograd.compile(f, wrt=[w])
        value, gradient = program.value_and_grad(2.0)
        assert (value, gradient.tolist()) == (48.0, [28.0])
    first, again = own, autograd.op("own λ", "3 x", lambda x: 3.0 * x, lambda g, out, x: 3.0 * g)
    assert autograd.compile(lambda x: again(x))(2.0) == 6.0
    assert autograd.compile(lambda x: first(x))(2.0) == 4.0  # though another has its name


def test_what_is_returned_is_a_float_or_an_array():
    program = autograd.compile(lambda x: (x, 3, [x, 1, 2.0 * x], {"a": x * x, "b": -2}))
    for x in (2.0, 2, np.float64(2.0)):
        a, b, c, d = program(x)
        assert (a, b, c.tolist(), d) == (2.0, 3.0, [2.0, 1.0, 4.0], {"a": 4.0, "b": -2.0})
        assert {*map(type, (a, b, *d.values()))} == {float}
    assert type(autograd.compile(lambda x: 3)(1.0)) is float
    value, gradient = (
        autograd.compile(lambda x, y: 5)(1.0, 2.0),
        autograd.compile(lambda x, y: 5).value_and_grad(1, 2),
    )
    assert (value, gradient) == (5.0, (5.0, (0.0, 0.0)))


# The direct call --------------------------------------------------------------------------------------------------


def test_numbers_are_passed_without_numpy():
    program = autograd.compile(readme)
    program.value_and_grad(-4.0, 2.0), program(-4.0, 2.0)
    assert program.value_and_grad(-4, 2) == program.value_and_grad(-4.0, 2.0)
    gradient, bare = (
        min(timeit.repeat(call, number=2000, repeat=7))
        for call in (
            lambda: program.value_and_grad(-4.0, 2.0),
            lambda: program.last.built["gradient"].function(-4.0, 2.0),
        )
    )
    assert gradient < 3.0 * bare
    assert autograd.compile(lambda x: x**3)(10**5) == 1e15


def test_direct_calls_read_parameters_and_see_what_is_frozen():
    w, v = Value(2.0), Value(3.0)
    f = lambda x: x * w + v * w
    program, single = autograd.compile(f, wrt=[w, v]), autograd.compile(f, wrt=w)
    for number in (2.0, -1.0, 5):
        w.data = number
        for _ in range(2):
            assert program(4.0) == 4.0 * w.data + v.data * w.data
            value, gradient = program.value_and_grad(4.0)
            assert (value, gradient.tolist()) == (program(4.0), [4.0 + v.data, w.data])
            assert single.value_and_grad(4.0) == (value, 4.0 + v.data)
    w.requires_grad = False
    assert program.value_and_grad(4.0)[1].tolist() == [0.0, 5.0]
    assert single.value_and_grad(4.0) == (35.0, 0.0)
    w.requires_grad = True
    w.data = 1.0
    assert program.value_and_grad(4.0)[1].tolist() == [7.0, 1.0]


def test_other_arguments_go_the_longer_way():
    program = autograd.compile(lambda x: x * 2.0)
    assert program(3.0) == 6.0
    assert program(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert program(3.0) == 6.0
    assert "np" not in program.source  # that of the shape which came last
    assert program(3.0) == program(np.float32(3.0)) == program(True) + 4.0 == 6.0
    for wrong in ("3", None, 1j, Value(1.0), [Value(1.0)], [[1.0], [1.0, 2.0]]):
        with pytest.raises(TypeError, match="Received: "):
            program(wrong)
    with pytest.raises(TypeError):
        program(1.0, 2.0)
    assert autograd.compile(lambda x: x * 2.0, dtype="float32")(0.1) == float(np.float32(0.1) * 2)
    w = [Value(1.0), Value(2.0)]
    take = autograd.compile(lambda i: autograd.take(w, i))
    assert [take(1), take(0)] == [2.0, 1.0]
    with pytest.raises(TypeError, match="index"):
        take(1.0)
    with pytest.raises(IndexError, match="2"):
        take(2)


def test_random_numbers_are_drawn_at_each_direct_call():
    program = autograd.compile(lambda x: x * autograd.uniform())
    assert len({program(1.0) for _ in range(20)}) == 20
    one, other = (autograd.compile(lambda x: x * autograd.uniform(), seed=7) for _ in range(2))
    assert [one(1.0) for _ in range(5)] == [other.value_and_grad(1.0)[0] for _ in range(5)]


# Level by level ---------------------------------------------------------------------------------------------------


def by_levels(x, y):
    """Arguments, parameters and numbers; plain sums, signs and products; operations of one and of more operands."""
    a, b = x[0] * x[1] - y, x[2] - x[0] - 3.0
    c = autograd.tanh(a) * W[0] + autograd.tanh(b) * W[1] - W[0] * W[1]
    d, e = autograd.exp(c * b), autograd.where(autograd.above(c, 0.0), a, c)
    return autograd.sum([d, -e, autograd.atan2(d, b), c / d, TABLE["lisht"](e), y])


W = [Value(0.5), Value(-1.5)]


@pytest.mark.parametrize("wrt", [None, W, W[1]], ids=["inputs", "parameters", "one"])
def test_what_has_no_order_is_computed_level_by_level(monkeypatch, wrt):
    monkeypatch.setattr(Straight, "worthwhile", lambda self: False)
    monkeypatch.setattr(build, "PYTHON_COST", math.inf)
    monkeypatch.setattr(build, "levels_of", lambda recorded, grouping: Levels(grouping.program))
    calls = [(normal(3, seed=k), float(k)) for k in range(4)]
    program = check(by_levels, *calls, wrt=wrt, batch=False)
    assert program.source.count("v[") > 20
    assert ".reduceat(" in program.source
    check(lambda x, y: [[y, x[1]], [3.0, W[0]]], *calls, wrt=wrt, batch=False)
    check(lambda x, y: [x[0] * x[1] - y, autograd.tanh(x[2])], *calls, wrt=wrt, batch=False)
    drawn = autograd.compile(lambda x, y: x[0] * autograd.uniform() + autograd.uniform() * 0.0)
    assert 0.0 < drawn([1.0, 2.0], 3.0) != drawn([1.0, 2.0], 3.0) < 1.0


# compile_graph ----------------------------------------------------------------------------------------------------


def test_wrt_may_name_inputs_and_parameters():
    a, b, w = Value(2.0, label="a"), Value(3.0, label="b"), Value(4.0, label="w")
    out = a * a * b + w * b
    for wrt, expected in (
        ([a], [30.0]),
        ([w, b], [3.0, 29.0]),
        ([b, w, a], [29.0, 3.0, 30.0]),
        (a, 30.0),
        (w, 3.0),
    ):
        program = autograd.compile_graph(out, inputs=[a, b], wrt=wrt)
        for _ in range(2):
            value, gradient = program.value_and_grad(5.0, 3.0)
            assert (value, np.asarray(gradient).tolist()) == (87.0, expected)
    assert (a.data, b.data) == (2.0, 3.0)
    with pytest.raises(ValueError, match="twice"):
        autograd.compile_graph(out, inputs=[a, a])
    with pytest.raises(ValueError, match="twice"):
        autograd.compile_graph(out, inputs=[a], wrt=[w, w])


def test_wrt_may_name_inputs_of_what_becomes_arrays():
    model = mlp(3, 24, 24, 1)
    xs = [Value(x, label=f"x{i}") for i, x in enumerate((0.5, -1.0, 2.0))]
    out = model(xs) ** 2
    wrt = [xs[1], *model.parameters(), xs[0]]
    program = autograd.compile_graph(out, inputs=xs, wrt=wrt)
    value, gradient = program.value_and_grad(0.5, -1.0, 2.0)
    assert "@" in program.source
    out.backward()
    close(value, out.data)
    close(gradient, [v.grad for v in wrt])


# The picture ------------------------------------------------------------------------------------------------------


def boxes(picture):
    """The labels of the boxes, and the edges between the first lines of them."""
    labels, edges = {}, []
    for line in picture.source.splitlines():
        name, _, rest = line.strip().partition(" [label=")
        if rest.startswith('"'):
            labels[name] = rest[1:].partition('"')[0]
        elif rest:
            labels[name] = rest.partition(" ")[0]
        elif "->" in line:
            edges.append(tuple(line.split("->")))
    first = {name: label.partition("\\n")[0] for name, label in labels.items()}
    return [*labels.values()], [(first[a.strip()], first[b.strip()]) for a, b in edges]


def test_the_picture_of_arrays():
    model = mlp(2, 4, 1)
    program = autograd.compile(lambda x: model(x), batch=True)
    with pytest.raises(RuntimeError, match="once it was called"):
        program.draw()
    program(normal(3, 2))
    labels, edges = boxes(program.draw())
    assert "x (n, 2)\\ninput" in labels
    assert "W1 (4, 2)\\nparameter" in labels
    assert {"x (n, 2)", "W1 (4, 2)", "b1 (4,)"} <= {a for a, _ in edges}
    text = program.draw().source
    assert text == program.draw().source
    product = next(line for line in text.splitlines() if "x @ W1.T" in line)
    assert 'fillcolor="#ffffff"' not in product


def test_the_picture_of_a_gradient_shows_what_is_written_to_it():
    model = mlp(2, 4, 1)
    program = autograd.compile(lambda x, y: (model(x) - y) ** 2, wrt=model, batch=True)
    program.value_and_grad(normal(3, 2), normal(3))
    picture = program.draw()
    strong = [line for line in picture.source.splitlines() if "penwidth=2" in line]
    for name in ("dW1 (4, 2)", "db1 (4,)", "dw2 (4,)", "value"):
        assert any(f'"{name}\\n' in line for line in strong)
    assert layout(picture, "dot").decode() == picture.source


def test_the_picture_of_floats():
    neuron = nn.Neuron(3, activation="tanh", rng=0)
    program = autograd.compile(neuron, wrt=neuron)
    program.value_and_grad([1.0, 2.0, 3.0])
    labels, edges = boxes(program.draw())
    assert labels == [
        "x\\ninput\\nx0, x1, x2",
        "p\\nparameter\\nw0, w1, ..., b",
        "z\\nb + w0 * x0 + w1 * x1 + w2 * x2",
        "dz\\nsech2(z)",
        "value\\ntanh(z)",
        "gradient\\n(dz * x0, dz * x1, dz * x2, dz)",
    ]
    assert edges == [
        ("p", "z"),
        ("x", "z"),
        ("z", "dz"),
        ("z", "value"),
        ("dz", "gradient"),
        ("x", "gradient"),
    ]


@pytest.mark.parametrize("batch", [False, True])
def test_pictures_of_all_kinds_of_programs(batch):
    w = [Value(x) for x in normal(3)]
    table_of = [[Value(x) for x in row] for row in normal(3, 2)]
    functions = [
        lambda x: 3.0,
        lambda x: x,
        lambda x: (x, {"a": x * w[0]}, [x, w[1]]),
        lambda x: [x * v for v in w],
        lambda x: autograd.uniform() * x,
        lambda x: autograd.where(x, w[0], 2.0),
    ]
    for f in functions:
        program = autograd.compile(f, batch=batch)
        program(normal(4) if batch else 0.5)
        labels, _ = boxes(program.draw())
        assert any(label.startswith("x") for label in labels)
    program = autograd.compile(lambda i: autograd.take(table_of, i)[1] * w[0], batch=batch, wrt=w)
    program.value_and_grad(np.array([0, 2]) if batch else 2)
    program.draw()


def test_the_same_text_in_every_order_of_calls():
    texts = set()
    for forward_first, seed in itertools.product((False, True), range(3)):
        model = mlp(2, 3, 1, seed=seed)
        program = autograd.compile(lambda x, m=model: m(x) ** 2, wrt=model)
        for call in (program, program.value_and_grad)[:: 1 if forward_first else -1]:
            call([1.0, 2.0])
        texts.add(tuple(sorted(map(str.strip, program.source.split("\n\n\n")))))
    assert len(texts) == 1
