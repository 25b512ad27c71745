"""What each pass does and what it leaves alone, on the smallest plans that show it."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.engine.reference import ReferenceEngine
from chainrule.engine.reference.kernels import KERNELS
from chainrule.ops import OPS, Builder, OpSpec, Value
from chainrule.plan import Plan, optimise
from chainrule.plan.memory import root
from chainrule.plan.passes import eliminate_common, eliminate_dead_code, fuse, needed, recompute
from chainrule.plan.passes.fuse import LIMIT, WITHIN


class Draft:
    """A plan in the making: inputs, one arena of 64 elements, and what is asked for."""

    def __init__(self) -> None:
        self.k = Builder()
        self.inputs: dict[str, Value] = {}
        self.arenas: dict[str, Value] = {}

    def input(self, *shape: int, dtype: str = "float") -> Value:
        name = f"x{len(self.inputs)}"
        self.inputs[name] = Value(shape, dtype, "input", name)
        return self.inputs[name]

    def place(self, *shape: int, at: int = 0, arena: str = "weights") -> Value:
        base = self.arenas.setdefault(arena, Value((64,), role="arena", name=arena))
        return Value(shape, role="parameter", name="w", base=base, offset=at)

    def plan(self, *outputs: Value) -> Plan:
        named = {f"o{i}": v for i, v in enumerate(outputs)}
        return Plan(list(self.k.nodes), self.inputs, named, self.arenas, self.k.scalars, 1)


@pytest.fixture
def d() -> Draft:
    return Draft()


def ops(plan: Plan) -> list[str]:
    return ["+".join(m.op for m in node.attrs.get("nodes", [node])) for node in plan.nodes]


def check(plan: Plan, *passes) -> Plan:
    """The plan after the passes; both compute the same in float64."""
    found = plan
    for one in passes or (fuse,):
        found = one(found)
    results = []
    for one in (plan, found):
        rng = np.random.default_rng(0)
        arrays = {
            n: rng.integers(0, 2, v.shape) if v.dtype == "int" else rng.normal(size=v.shape) for n, v in one.inputs.items()
        }
        arenas = {n: rng.normal(size=v.size) for n, v in one.arenas.items()}
        outputs = ReferenceEngine("float64").compile(one, arenas).run(arrays)
        results.append([*outputs.values(), *arenas.values()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    return found


# ------------------------------------------------------------ common subexpressions


def test_the_same_computation_is_done_once(d: Draft) -> None:
    x = d.input(3)
    a, b = d.k.exp(x), d.k.exp(x)
    plan = check(d.plan(d.k.add(a, 1.0), d.k.add(b, 1.0)), eliminate_common)
    assert ops(plan) == ["exp", "add"]
    assert plan.outputs["o0"] is plan.outputs["o1"]


@pytest.mark.parametrize(
    "emit",
    [
        lambda k, x, y: (k.exp(x), k.tanh(x)),
        lambda k, x, y: (k.exp(x), k.exp(y)),
        lambda k, x, y: (k.subtract(x, y), k.subtract(y, x)),
        lambda k, x, y: (k.add(x, 1.0), k.add(x, 2.0)),
        lambda k, x, y: (k.sum(x, 0), k.sum(x, 1)),
        lambda k, x, y: (k.random_uniform((3, 3)), k.random_uniform((3, 3))),
    ],
)
def test_what_differs_stays_apart(d: Draft, emit) -> None:
    plan = check(d.plan(*emit(d.k, d.input(3, 3), d.input(3, 3))), eliminate_common)
    assert len(plan.nodes) == 2


def test_a_read_after_an_assignment_is_another(d: Draft) -> None:
    w, again, other, far = d.place(4), d.place(4), d.place(4, at=2), d.place(4, at=16)
    first, elsewhere = d.k.exp(w), d.k.exp(far)
    d.k.assign(other, d.input(4))
    second, same = d.k.exp(again), d.k.exp(d.place(4, at=16))
    plan = check(d.plan(first, second, elsewhere, same), eliminate_common)
    assert ops(plan) == ["exp", "exp", "copy", "exp"]
    assert plan.outputs["o2"] is plan.outputs["o3"] and plan.outputs["o0"] is not plan.outputs["o1"]


def test_views_of_one_place_are_one_value_and_those_of_another_are_not(d: Draft) -> None:
    found = [d.k.exp(d.place(*s, at=a)) for s, a in (((4,), 0), ((4,), 0), ((2, 2), 0), ((4,), 4))]
    assert len(check(d.plan(*found), eliminate_common).nodes) == 3


def test_assignments_stay_all(d: Draft) -> None:
    x = d.input(4)
    for at in (0, 16, 16):
        d.k.assign(d.place(4, at=at), x)
    assert ops(check(d.plan(x), eliminate_common)) == ["copy"] * 3


def test_a_view_of_what_was_replaced_lies_in_what_replaces_it(d: Draft) -> None:
    x = d.input(2, 2)
    first, second = d.k.exp(x), d.k.exp(x)
    flat = d.k.reshape(second, (4,))
    plan = check(d.plan(d.k.add(first, 1.0), d.k.reshape(flat, (1, 4)), d.k.square(flat)), eliminate_common)
    assert ops(plan) == ["exp", "reshape", "add", "reshape", "square"]
    assert root(plan.outputs["o1"]) is first
    assert plan.nodes[-1].inputs == plan.nodes[1].outputs and plan.outputs["o1"].name == flat.name
    assert root(flat) is second


def test_a_read_of_another_shape_of_a_place_after_an_assignment_is_another(d: Draft) -> None:
    shown = d.k.reshape(d.place(2, 2), (4,))
    first = d.k.exp(shown)
    d.k.assign(d.place(4), d.input(4))
    plan = check(d.plan(first, d.k.exp(shown)), eliminate_common)
    assert ops(plan) == ["reshape", "exp", "copy", "exp"]


# ------------------------------------------------------------ dead code


def test_what_nobody_asks_for_is_left_out(d: Draft) -> None:
    x = d.input(3)
    a = d.k.exp(x)
    d.k.tanh(a)
    b = d.k.square(a)
    d.k.assign(d.place(3), d.k.sqrt(x))
    plan = check(d.plan(b), eliminate_dead_code)
    assert ops(plan) == ["exp", "square", "sqrt", "copy"]
    assert needed(d.k.nodes, [a]) == [d.k.nodes[0], *d.k.nodes[3:]]


def test_outputs_that_nobody_reads_are_noted(d: Draft) -> None:
    x = d.input(1, 4, 4, 1)
    window = {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0))}
    y, index = d.k.max_pool(x, **window)
    dx = d.k.max_pool_backward(y, index, spatial=(4, 4), **window)
    assert [n.attrs.get("unused") for n in eliminate_dead_code(d.plan(y)).nodes] == [(1,)]
    assert [n.attrs.get("unused") for n in eliminate_dead_code(d.plan(index)).nodes] == [(0,)]
    used = eliminate_dead_code(d.plan(y, dx))
    assert used.nodes == d.k.nodes
    marked = eliminate_dead_code(d.plan(y))
    assert eliminate_dead_code(marked).nodes == marked.nodes


def test_an_output_that_goes_to_an_arena_is_wanted(d: Draft) -> None:
    mean, squares = d.k.channel_moments(d.input(4, 3))
    squares.base, squares.offset = d.place(3).base, 0
    assert [n.attrs.get("unused") for n in eliminate_dead_code(d.plan()).nodes] == [(0,)]
    assert [n.attrs.get("unused", ()) for n in eliminate_dead_code(d.plan(mean)).nodes] == [()]


# ------------------------------------------------------------ recomputation


def _copies(d: Draft, *outputs: Value) -> int:
    plan = d.plan(*outputs)
    before = [n.op for n in plan.nodes]
    after = [n.op for n in check(plan, recompute).nodes]
    return len(after) - len(before)


def test_a_cheap_node_is_copied_to_each_reader(d: Draft) -> None:
    x, mean = d.input(4, 3), d.input(3)
    c = d.k.subtract(x, mean)
    plan = check(d.plan(d.k.exp(c), d.k.square(c), d.k.sum(c, 0)), recompute)
    assert ops(plan) == ["subtract", "exp", "subtract", "square", "subtract", "sum"]
    assert [n.where for n in plan.nodes[::2]] == [n.where for n in plan.nodes[1::2]]
    assert all(v.producer is n for n in plan.nodes[::2] for v in n.outputs)


def test_a_reader_of_the_same_twice_gets_one_copy(d: Draft) -> None:
    c = d.k.subtract(d.input(4, 3), 1.0)
    plan = check(d.plan(d.k.multiply(c, c), d.k.exp(c)), recompute)
    assert ops(plan) == ["subtract", "multiply", "subtract", "exp"]
    assert plan.nodes[1].inputs[0] is plan.nodes[1].inputs[1]


def test_a_copy_of_what_reads_a_copied_value_copies_that_too(d: Draft) -> None:
    x, v = d.input(4, 3), d.input(3)
    a = d.k.subtract(v, 1.0)
    b = d.k.multiply(x, a)
    plan = check(d.plan(d.k.exp(b), d.k.tanh(b), d.k.exp(a)), recompute)
    assert ops(plan) == ["subtract", "multiply", "exp", "subtract", "multiply", "tanh", "subtract", "exp"]


@pytest.mark.parametrize(
    ("emit", "copies"),
    [
        (lambda d, c: (d.k.exp(c), d.k.tanh(c)), 1),
        (lambda d, c: (d.k.exp(c), d.k.tanh(c), d.k.square(c)), 2),
        (lambda d, c: (d.k.exp(c),), 0),  # nobody else reads it
        (lambda d, c: (d.k.exp(c), d.k.tanh(c), c), 0),  # it is given out
        (lambda d, c: (d.k.exp(c), d.k.tanh(c), d.k.softmax(c)), 0),  # it must be in memory for the softmax
        (lambda d, c: (d.k.exp(c), d.k.tanh(c), d.k.assign(d.place(4, 3), c)), 2),
    ],
)
def test_who_reads_it_decides(d: Draft, emit, copies: int) -> None:
    outputs = emit(d, d.k.subtract(d.input(4, 3), d.input(3)))
    assert _copies(d, *(v for v in outputs if v.base is None)) == copies


@pytest.mark.parametrize(
    ("emit", "copies"),
    [
        (lambda d: d.k.multiply(d.input(4, 3), 2.0), 1),
        (lambda d: d.k.multiply(d.place(4, 3), 2.0), 1),
        (lambda d: d.k.exp(d.input(4, 3)), 0),  # not cheap
        (lambda d: d.k.multiply(d.input(4, 3), d.input(4, 3)), 0),  # two arrays would be read
        (lambda d: d.k.multiply(d.input(4, 1), d.input(3)), 0),  # none of its size, so there is less to keep before
        (lambda d: d.k.multiply(d.input(), 2.0), 0),  # a number
        (lambda d: d.k.multiply(d.input(2), 2.0), 1),
        (lambda d: d.k.multiply(d.k.exp(d.input(4, 3)), 2.0), 0),  # its array is itself not kept
        (lambda d: d.k.multiply(d.k.softmax(d.input(4, 3)), 2.0), 0),
    ],
)
def test_what_it_reads_decides(d: Draft, emit, copies: int) -> None:
    c = emit(d)
    assert _copies(d, d.k.sqrt(c), d.k.tanh(c)) == copies


@pytest.mark.parametrize("keep", ["given out", "read by a product", "read by a chain"])
def test_an_array_that_is_kept_for_others_can_be_read_again(d: Draft, keep: str) -> None:
    x = d.k.exp(d.input(4, 3))
    c = d.k.subtract(x, 1.0)
    outputs = [d.k.tanh(c), d.k.square(c)]
    if keep == "given out":
        outputs.append(x)
    else:
        outputs.append(d.k.matmul(x, d.input(3, 2)) if keep == "read by a product" else d.k.log(x))
    assert _copies(d, *outputs) == (0 if keep == "read by a chain" else 1)


@pytest.mark.parametrize(
    ("at", "size", "copies"), [(0, 4, 1), (0, 5, 0), (3, 4, 0), (4, 4, 0), (5, 2, 0), (11, 4, 0), (12, 4, 1), (16, 4, 1)]
)
def test_an_operand_that_the_step_overwrites_is_not_read_again(d: Draft, at: int, size: int, copies: int) -> None:
    c = d.k.multiply(d.place(8, at=4), 2.0)
    first = d.k.exp(c)
    d.k.assign(d.place(size, at=at), d.input(size))
    plan = d.plan(first, d.k.tanh(c))
    assert len(check(plan, recompute).nodes) - len(plan.nodes) == copies


def test_another_shape_of_a_place_that_the_step_overwrites_is_not_read_again(d: Draft) -> None:
    shown = d.k.reshape(d.place(2, 2), (4,))
    c = d.k.multiply(shown, 2.0)
    outputs = [d.k.exp(c), d.k.softmax(shown)]
    d.k.assign(d.place(4), d.input(4))
    assert _copies(d, *outputs, d.k.tanh(c)) == 0


def test_an_assignment_to_another_arena_disturbs_nothing(d: Draft) -> None:
    c = d.k.multiply(d.place(8), 2.0)
    first = d.k.exp(c)
    d.k.assign(d.place(8, arena="slots"), d.input(8))
    assert _copies(d, first, d.k.tanh(c)) == 1


def test_what_is_stored_in_an_arena_is_not_copied(d: Draft) -> None:
    c = d.k.multiply(d.input(4), 2.0)
    c.base, c.offset = d.place(4).base, 0
    assert _copies(d, d.k.exp(c), d.k.tanh(c)) == 0


# ------------------------------------------------------------ fusion: chains


def test_a_chain_becomes_one_node(d: Draft) -> None:
    x, v = d.input(4, 3), d.input(3)
    plan = check(d.plan(d.k.exp(d.k.add(d.k.square(x), v))))
    assert ops(plan) == ["square+add+exp"]
    (node,) = plan.nodes
    assert node.op == "fused" and node.inputs == (x, v) and node.outputs == (plan.outputs["o0"],)


def test_one_node_stays_as_it_is(d: Draft) -> None:
    out = d.k.exp(d.input(3))
    assert check(d.plan(out)).nodes == d.k.nodes


def test_two_chains_become_one_where_they_meet(d: Draft) -> None:
    x, y = d.input(4, 3), d.input(4, 3)
    a, b = d.k.exp(d.k.square(x)), d.k.tanh(d.k.square(y))
    plan = check(d.plan(d.k.add(a, b), b))
    assert ops(plan) == ["square+exp+square+tanh+add"]
    assert plan.nodes[0].outputs == (plan.outputs["o1"], plan.outputs["o0"])


def test_what_another_kind_of_node_has_used_takes_nobody_in(d: Draft) -> None:
    x = d.input(4, 4)
    a = d.k.exp(x)
    s = d.k.softmax(a)
    plan = check(d.plan(d.k.add(a, s)))
    assert ops(plan) == ["exp", "softmax", "add"]


def test_chains_of_other_shapes_stay_apart(d: Draft) -> None:
    x, v = d.input(4, 3), d.input(3)
    small = d.k.exp(v)
    wide = d.k.add(d.k.square(x), small)
    plan = check(d.plan(wide, d.k.tanh(small)))
    # What made the small one has been used, so its next reader stands after that use.
    assert ops(plan) == ["exp", "square+add", "tanh"]


@pytest.mark.parametrize(("shape", "dtype"), [((0, 3), "float"), ((4, 3), "int")])
def test_what_a_chain_cannot_hold_is_left_out(d: Draft, shape: tuple[int, ...], dtype: str) -> None:
    x = d.input(*shape)
    a, b = d.k.exp(x), d.k.square(x)
    a.dtype = dtype
    plan = fuse(d.plan(d.k.add(b, b), a, d.k.tanh(a)))
    assert "exp+tanh" not in ops(plan)
    assert ("square+add" in ops(plan)) == (shape != (0, 3))


def test_an_elementwise_op_of_two_results_is_no_part_of_a_chain(d: Draft, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain knows one result of each node; what reads the other would come before the chain."""
    spec = OpSpec(
        "both", "elementwise", lambda v, a: [(v[0].shape, "float")] * 2, lambda n: 1, "a", "a", more=(("b", "b", 0),)
    )
    monkeypatch.setitem(OPS, "both", spec)
    monkeypatch.setitem(KERNELS, "both", lambda attrs, x: (np.sin(x), np.cos(x)))
    first, second = d.k.emit("both", d.input(4, 4))
    s = d.k.softmax(second)
    plan = check(d.plan(s, d.k.add(first, s), d.k.tanh(first)))
    assert ops(plan)[0] == "both"


def test_a_chain_is_at_most_so_long(d: Draft) -> None:
    z = d.input(4, 3)
    for _ in range(LIMIT + 1):
        z = d.k.tanh(z)
    assert ops(check(d.plan(z))) == ["+".join(["tanh"] * LIMIT), "tanh"]


def test_two_chains_that_are_too_long_together_stay_apart(d: Draft) -> None:
    a, b = d.input(4, 3), d.input(4, 3)
    for _ in range(LIMIT // 2):
        a, b = d.k.tanh(a), d.k.tanh(b)
    plan = check(d.plan(d.k.exp(d.k.add(a, b))))
    half = "+".join(["tanh"] * (LIMIT // 2))
    assert ops(plan) == [half, half, "add+exp"]


def test_a_chain_stands_where_its_last_node_stood(d: Draft) -> None:
    x = d.input(4, 4)
    a = d.k.exp(x)
    s = d.k.softmax(x)
    plan = check(d.plan(d.k.multiply(d.k.add(a, s), 2.0)))
    assert ops(plan) == ["softmax", "exp+add+multiply"]


@pytest.mark.parametrize(("at", "apart"), [(0, True), (7, True), (8, False), (15, False), (16, False)])
def test_a_read_of_what_a_chain_has_stored_comes_after_it(d: Draft, at: int, apart: bool) -> None:
    x = d.input(8)
    a = d.k.exp(x)
    d.k.assign(d.place(8), a)
    plan = check(d.plan(d.k.add(a, d.place(8, at=at))))
    assert ops(plan) == (["exp+copy", "add"] if apart else ["exp+copy+add"])


@pytest.mark.parametrize(("at", "nodes"), [(0, 3), (4, 3), (8, 2)])
def test_a_chain_that_reads_a_place_runs_before_that_is_overwritten(d: Draft, at: int, nodes: int) -> None:
    """What reads the old value may not be drawn behind the assignment by a later reader of its own result."""
    k, x, old = d.k, d.input(8), d.place(8)
    moved = k.multiply(k.add(old, x), 2.0)
    k.assign(d.place(8, at=at), k.multiply(k.square(x), 3.0))
    plan = d.plan(k.add(moved, 1.0))
    assert len(check(plan).nodes) == nodes


def test_a_read_before_the_place_that_a_chain_has_stored(d: Draft) -> None:
    a = d.k.exp(d.input(8))
    d.k.assign(d.place(8, at=8), a)
    assert ops(check(d.plan(d.k.add(a, d.place(8))))) == ["exp+copy+add"]


def test_a_read_of_another_shape_of_a_place(d: Draft) -> None:
    shown = d.k.reshape(d.place(2, 4), (8,))
    a = d.k.exp(d.input(8))
    d.k.assign(d.place(8), a)
    assert ops(check(d.plan(d.k.add(a, shown)))) == ["reshape", "exp+copy", "add"]
    e = Draft()
    shown = e.k.reshape(e.place(2, 4), (8,))
    a = e.k.exp(shown)
    e.k.assign(e.place(8), e.k.softmax(e.input(8)))
    assert ops(check(e.plan(e.k.square(a)))) == ["reshape", "exp", "softmax", "copy", "square"]


def test_a_read_after_the_stores_of_chains_that_were_joined(d: Draft) -> None:
    a, b = d.k.exp(d.input(8)), d.k.tanh(d.input(8))
    d.k.assign(d.place(8), a)
    both = d.k.add(b, a)
    plan = check(d.plan(d.k.multiply(both, d.place(8))))
    assert ops(plan) == ["exp+tanh+copy+add", "multiply"]


def test_a_chain_that_overwrites_what_it_has_read_goes_on(d: Draft) -> None:
    a = d.k.exp(d.place(8))
    d.k.assign(d.place(8), a)
    assert ops(check(d.plan(d.k.multiply(a, 2.0)))) == ["exp+copy+multiply"]


def test_a_store_that_no_chain_has_made_closes_nothing(d: Draft) -> None:
    x, w = d.input(4, 4), d.input(4, 4)
    product = d.k.matmul(x, w)
    product.base, product.offset = d.place(4, 4).base, 0
    a = d.k.exp(x)
    assert ops(check(d.plan(d.k.add(a, d.place(4, 4))))) == ["matmul", "exp+add"]


# ------------------------------------------------------------ fusion: copies that are computed once


def test_copies_that_meet_in_a_chain_are_computed_once(d: Draft) -> None:
    x = d.input(4, 3)
    a, b = d.k.subtract(x, 1.0), d.k.subtract(x, 1.0)
    plan = check(d.plan(d.k.add(d.k.exp(a), d.k.tanh(b))))
    assert ops(plan) == ["subtract+exp+tanh+add"]


@pytest.mark.parametrize(
    "emit",
    [
        lambda d, x: (d.k.subtract(x, 1.0), d.k.subtract(x, 2.0)),
        lambda d, x: (d.k.subtract(x, 1.0), d.k.subtract(1.0, x)),
        lambda d, x: (d.k.divide(x, 0.0), d.k.divide(x, -0.0)),
        lambda d, x: (d.k.subtract(x, 0.0), d.k.subtract(x, -0.0)),
        lambda d, x: (d.k.exp(x), d.k.exp(x)),  # not cheap, so nobody has copied it
        lambda d, x: (d.k.subtract(x, 1.0), d.k.add(x, 1.0)),
    ],
)
def test_nodes_of_a_chain_that_differ_stay(d: Draft, emit) -> None:
    a, b = emit(d, d.input(4, 3))
    assert len(check(d.plan(d.k.add(a, b))).nodes[0].attrs["nodes"]) == 3


def test_a_copy_that_is_needed_outside_stays(d: Draft) -> None:
    x = d.input(4, 3)
    a, b = d.k.subtract(x, 1.0), d.k.subtract(x, 1.0)
    both = d.k.add(d.k.exp(a), b)
    assert ops(check(d.plan(both, b))) == ["subtract+subtract+exp+add"]
    e = Draft()
    x = e.input(4, 4)
    a, b = e.k.subtract(x, 1.0), e.k.subtract(x, 1.0)
    both = e.k.add(e.k.exp(a), b)
    plan = check(e.plan(both, e.k.softmax(b)))
    assert ops(plan) == ["subtract+subtract+exp+add", "softmax"]
    c = Draft()
    x = c.input(4, 3)
    a, b = c.k.subtract(x, 1.0), c.k.subtract(x, 1.0)
    b.base, b.offset = c.place(4, 3).base, 0
    assert ops(check(c.plan(c.k.add(c.k.exp(a), c.k.tanh(b))))) == ["subtract+subtract+exp+tanh+add"]


def test_a_chain_of_two_copies_that_nobody_else_reads_may_become_one_node(d: Draft) -> None:
    x = d.input(4, 3)
    a, b = d.k.square(x), d.k.square(x)
    plan = check(d.plan(d.k.add(a, b), a))
    assert ops(plan) == ["square+add"]


# ------------------------------------------------------------ fusion: sums


def test_a_sum_over_all_axes_but_the_last_belongs_to_its_chain(d: Draft) -> None:
    x = d.input(4, 5, 3)
    a = d.k.exp(d.k.square(x))
    plan = check(d.plan(a, d.k.sum(a, (0, 1))))
    assert ops(plan) == ["square+exp+sum"]
    assert plan.nodes[0].outputs == tuple(plan.outputs.values())


def test_a_sum_joins_a_chain_that_others_have_used_already(d: Draft) -> None:
    x = d.input(4, 4)
    a = d.k.exp(x)
    s = d.k.softmax(a)
    plan = check(d.plan(s, d.k.sum(a, 0)))
    assert ops(plan) == ["exp+sum", "softmax"]


@pytest.mark.parametrize(
    "emit",
    [
        lambda k, a: k.sum(a, 1),
        lambda k, a: k.sum(a),
        lambda k, a: k.max(a, 0),
        lambda k, a: k.sum(k.reshape(a, (2, 2, 3)), (0, 1)),
        lambda k, a: k.sum(k.reshape(a, (12,)), 0),
    ],
)
def test_other_reductions_stay_apart(d: Draft, emit) -> None:
    a = d.k.exp(d.input(4, 3))
    plan = check(d.plan(emit(d.k, a)))
    assert all("+" not in op for op in ops(plan))


def test_a_sum_of_what_no_chain_makes_stays_apart(d: Draft) -> None:
    x = d.input(4, 3)
    plan = check(d.plan(d.k.sum(x, 0), d.k.exp(x), d.k.sum(d.k.softmax(x), 0)))
    assert sorted(ops(plan)) == ["exp", "softmax", "sum", "sum"]


def test_a_sum_of_a_sum_of_the_chain_stays_apart(d: Draft) -> None:
    s = d.k.sum(d.k.exp(d.input(4, 5, 3)), (0, 1), keepdims=True)
    assert ops(check(d.plan(d.k.sum(s, (0, 1))))) == ["exp+sum", "sum"]


def test_a_sum_of_a_vector_stays_apart(d: Draft) -> None:
    assert ops(check(d.plan(d.k.sum(d.k.exp(d.input(5)))))) == ["exp", "sum"]


def test_what_reads_a_sum_comes_after_the_chain(d: Draft) -> None:
    a = d.k.exp(d.input(4, 3))
    s = d.k.sum(a, 0)
    plan = check(d.plan(d.k.add(a, s)))
    assert ops(plan) == ["exp+sum", "add"]


@pytest.mark.parametrize(
    ("other", "joins"),
    [
        ((), True), ((1, 1), True), ((4, 5, 3), True), ((3,), True), ((1, 1, 3), True), ((4, 5, 1), True),
        ((4, 1, 1), False), ((5, 1), False), ((5, 3), False), ((4, 1, 3), False), ((1, 5, 1), False),
    ],
)  # fmt: skip
def test_a_sum_needs_operands_that_are_whole_or_of_a_row_or_of_a_column(
    d: Draft, other: tuple[int, ...], joins: bool
) -> None:
    a = d.k.multiply(d.input(4, 5, 3), d.input(*other))
    assert ops(check(d.plan(a, d.k.sum(a, (0, 1))))) == (["multiply+sum"] if joins else ["multiply", "sum"])


def test_operands_of_the_chain_itself_are_no_operands_from_outside(d: Draft) -> None:
    x = d.input(4, 5, 3)
    a = d.k.add(d.k.square(x), d.k.exp(x))
    assert ops(check(d.plan(a, d.k.sum(a, (0, 1))))) == ["square+exp+add+sum"]


# ------------------------------------------------------------ fusion: products and what follows them


def _dense(d: Draft) -> tuple[Value, Value]:
    return d.k.matmul(d.input(4, 5), d.input(5, 3)), d.input(3)


def test_a_product_takes_along_what_follows(d: Draft) -> None:
    z, b = _dense(d)
    plan = check(d.plan(d.k.relu(d.k.add(z, b))))
    assert ops(plan) == ["matmul+add+relu"]
    (node,) = plan.nodes
    assert len(node.inputs) == 3 and node.outputs == (plan.outputs["o0"],)


def test_a_convolution_and_its_backward_pass_take_along_what_follows(d: Draft) -> None:
    options = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    x, w = d.input(2, 4, 4, 3), d.input(3, 3, 3, 3)
    z = d.k.relu(d.k.conv(x, w, **options))
    dx = d.k.relu(d.k.conv_backward_data(z, w, spatial=(4, 4), **options))
    assert ops(check(d.plan(dx))) == ["conv+relu", "conv_backward_data+relu"]


@pytest.mark.parametrize(
    "emit",
    [
        lambda d, z, b: (d.k.relu(z), z),  # the bare product is given out
        lambda d, z, b: (d.k.relu(z), d.k.softmax(z)),  # or read by another
        lambda d, z, b: (d.k.relu(d.k.reshape(z, (12,))),),  # or by a view
        lambda d, z, b: (d.k.add(z, d.input(2, 4, 3)),),  # there is no output of its shape in which it could be made
        lambda d, z, b: (d.k.sum(z, 0),),
    ],
)
def test_a_product_that_is_needed_itself_stays_apart(d: Draft, emit) -> None:
    z, b = _dense(d)
    plan = check(d.plan(*emit(d, z, b)))
    assert ops(plan)[0] == "matmul" and len(plan.nodes) > 1


@pytest.mark.parametrize("emit", [lambda d, z: d.k.softmax(z), lambda d, z: d.k.matmul(z, d.input(3, 3))])
def test_a_product_takes_along_nothing_but_chains(d: Draft, emit) -> None:
    z, _ = _dense(d)
    plan = check(d.plan(emit(d, z)))
    assert [n.op for n in plan.nodes] == [n.op for n in d.k.nodes]


def test_a_product_that_is_stored_stays_apart(d: Draft) -> None:
    z, _ = _dense(d)
    z.base, z.offset = d.place(4, 3).base, 0
    assert ops(check(d.plan(d.k.relu(z)))) == ["matmul", "relu"]


def test_a_product_needs_an_output_that_is_no_place_of_an_arena(d: Draft) -> None:
    z, b = _dense(d)
    out = d.k.add(z, b)
    out.base, out.offset = d.place(4, 3).base, 0
    assert ops(check(d.plan())) == ["matmul", "add"]


def test_a_product_needs_an_output_that_comes_when_it_is_no_longer_read(d: Draft) -> None:
    z, b = _dense(d)
    early = d.k.add(z, b)
    d.k.assign(d.place(4, 3), d.k.multiply(z, early))
    plan = check(d.plan(early))
    assert ops(plan) == ["matmul", "add+multiply+copy"]


def test_a_product_and_a_sum_of_its_chain(d: Draft) -> None:
    z, b = _dense(d)
    a = d.k.relu(d.k.add(z, b))
    assert ops(check(d.plan(a, d.k.sum(a, 0)))) == ["matmul+add+relu+sum"]
    e = Draft()
    z, b = _dense(e)
    a = e.k.relu(e.k.add(z, b))
    # Only the sum reaches memory: nowhere to make the product.
    assert ops(check(e.plan(e.k.sum(a, 0)))) == ["matmul", "add+relu+sum"]


def test_a_sum_of_the_products_shape_is_no_home_for_it(d: Draft) -> None:
    z = d.k.matmul(d.input(1, 5), d.input(5, 3))
    total = d.k.sum(d.k.relu(z), 0, keepdims=True)
    assert total.shape == z.shape
    assert ops(check(d.plan(total))) == ["matmul", "relu+sum"]


def test_nodes_between_stand_in_front(d: Draft) -> None:
    z, b = _dense(d)
    factor = d.k.softmax(b)
    plan = check(d.plan(d.k.multiply(z, factor)))
    assert ops(plan) == ["softmax", "matmul+multiply"]


@pytest.mark.parametrize("count", [WITHIN - 1, WITHIN])
def test_only_so_many_nodes_may_stand_between(d: Draft, count: int) -> None:
    z, b = _dense(d)
    for _ in range(count):
        b = d.k.softmax(b)
    plan = check(d.plan(d.k.multiply(z, b)))
    softmaxes = ["softmax"] * count
    assert ops(plan) == ([*softmaxes, "matmul+multiply"] if count < WITHIN else ["matmul", *softmaxes, "multiply"])


@pytest.mark.parametrize("arena", ["weights", "slots"])
def test_a_product_is_not_moved_past_a_change_of_what_it_reads(d: Draft, arena: str) -> None:
    w = d.place(3, 3)
    z = d.k.matmul(d.input(4, 3), w)
    d.k.assign(d.place(3, 3, arena=arena), d.k.softmax(d.input(3, 3)))
    plan = check(d.plan(d.k.relu(z)))
    if arena == "weights":
        assert ops(plan) == ["matmul", "softmax", "copy", "relu"]
    else:
        assert ops(plan) == ["softmax", "copy", "matmul+relu"]


def test_a_product_of_another_shape_of_a_place_is_not_moved_past_a_change_of_it(d: Draft) -> None:
    w = d.k.reshape(d.place(9), (3, 3))
    z = d.k.matmul(d.input(4, 3), w)
    d.k.assign(d.place(9), d.k.softmax(d.input(9)))
    assert ops(check(d.plan(d.k.relu(z)))) == ["reshape", "matmul", "softmax", "copy", "relu"]


def test_a_product_between_a_product_and_its_chain(d: Draft) -> None:
    z, b = _dense(d)
    y, c = _dense(d)
    plan = check(d.plan(d.k.relu(d.k.add(z, b)), d.k.tanh(d.k.add(y, c))))
    assert ops(plan) == ["matmul+add+relu", "matmul+add+tanh"]


def test_a_chain_of_two_products_takes_the_first_that_it_reads(d: Draft) -> None:
    z, _ = _dense(d)
    y, _ = _dense(d)
    assert ops(check(d.plan(d.k.add(z, y)))) == ["matmul", "matmul+add"]


def test_a_fused_product_takes_no_further_node(d: Draft) -> None:
    z, b = _dense(d)
    a = d.k.relu(d.k.add(z, b))
    plan = check(d.plan(d.k.exp(a), d.k.softmax(a)))
    assert ops(plan) == ["matmul+add+relu", "softmax", "exp"] or ops(plan) == ["matmul+add+relu+exp", "softmax"]


# ------------------------------------------------------------ all of them


def test_batch_normalisation_keeps_no_array_of_its_own(d: Draft) -> None:
    x = d.input(8, 3)
    mean, squares = d.k.channel_moments(x)
    centred = d.k.subtract(x, mean)
    y = d.k.multiply(centred, squares)
    dy = d.k.multiply(d.k.square(y), centred)
    plan = check(d.plan(y, dy, d.k.sum(d.k.multiply(centred, 2.0), 0)), optimise)
    made = [v for n in plan.nodes for v in n.outputs if v.size == x.size]
    assert len(made) == 2 and set(map(id, made)) == {id(plan.outputs[o]) for o in ("o0", "o1")}
