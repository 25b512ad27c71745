"""Liveness: values that are needed at the same time never share memory, and memory that is free is taken again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.ops import Builder, Node, Value
from chainrule.plan.memory import is_view, overlap, place, plan_memory, root

LINE = 64


def chain(*sizes: int, dtype: str = "float") -> tuple[Value, list[Value], list[Node]]:
    """An input, and values of these sizes of which each is made from the one before."""
    x = Value((4,), role="input", name="x")
    values, nodes, source = [], [], x
    for size in sizes:
        made = Value((size,), dtype)
        node = Node("any", (source,), (made,))
        made.producer = node
        values.append(made)
        nodes.append(node)
        source = made
    return x, values, nodes


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_values_that_live_at_the_same_time_do_not_overlap(data) -> None:
    inputs = [Value((3,), role="input", name="x"), Value((9,), role="arena", name="a")]
    inputs.append(Value((4,), role="parameter", base=inputs[1], offset=2))
    values, nodes = list(inputs), []
    for _ in range(data.draw(st.integers(1, 12))):
        sources = data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
        view = data.draw(st.integers(0, 5)) == 0
        sizes = [sources[0].size] if view else data.draw(st.lists(st.integers(0, 70), min_size=1, max_size=2))
        made = [Value((size,), data.draw(st.sampled_from(["float", "int", "bfloat16"]))) for size in sizes]
        node = Node("reshape" if view else "any", tuple(sources[:1] if view else sources), tuple(made))
        for v in made:
            v.producer = node
        if not view and data.draw(st.integers(0, 5)) == 0:
            made[0].base, made[0].offset = inputs[1], 0
        values += made
        nodes.append(node)
    steps = data.draw(st.lists(st.integers(0, 2), min_size=len(nodes), max_size=len(nodes)))
    epochs = [sum(steps[: i + 1]) for i in range(len(nodes))]
    kept = data.draw(st.lists(st.sampled_from(values), max_size=3))
    itemsize = data.draw(st.sampled_from([4, 8]))
    offsets, total = plan_memory(nodes, epochs, kept, itemsize=itemsize)

    # Independently: in which epochs each root is touched.
    touched: dict[int, list[int]] = {}
    roots: dict[int, Value] = {}
    for node, epoch in zip(nodes, epochs, strict=True):
        for v in (*node.inputs, *node.outputs):
            r = root(v)
            roots[id(r)] = r
            touched.setdefault(id(r), []).append(epoch)
    for v in kept:
        touched.setdefault(id(root(v)), []).append(epochs[-1] + 1)
    wanted = {i for i, r in roots.items() if r.role == "temporary" and r.base is None}
    assert set(offsets) == wanted
    places = {i: (offsets[i], offsets[i] + max(roots[i].bytes(itemsize), 1)) for i in wanted}
    for i, (low, high) in places.items():
        assert low % LINE == 0 and high <= total
        for j, (a, b) in places.items():
            if i != j and min(touched[i]) <= max(touched[j]) and min(touched[j]) <= max(touched[i]):
                assert b <= low or high <= a
    assert total == max((-(-high // LINE) * LINE for _, high in places.values()), default=0)


def test_memory_is_taken_again_when_it_is_free() -> None:
    x, values, nodes = chain(16, 16, 16, 16)
    offsets, total = plan_memory(nodes, [0, 1, 2, 3], [values[-1]])
    assert total == 2 * LINE
    assert [offsets[id(v)] for v in values] == [0, LINE, 0, LINE]
    assert id(x) not in offsets


def test_within_one_epoch_nothing_is_taken_again() -> None:
    _, values, nodes = chain(16, 16, 16)
    assert plan_memory(nodes, [0, 0, 0], [])[1] == 3 * LINE
    offsets, total = plan_memory(nodes, [0, 0, 1], [])
    assert total == 2 * LINE and offsets[id(values[2])] == offsets[id(values[0])]
    assert plan_memory(nodes, [0, 1, 1], [])[1] == 3 * LINE


def test_what_is_kept_stays_to_the_end() -> None:
    _, values, nodes = chain(16, 16, 16, 16)
    assert plan_memory(nodes, [0, 1, 2, 3], [values[0]])[1] == 3 * LINE
    assert plan_memory(nodes, [0, 1, 2, 3], values)[1] == 4 * LINE


def test_a_value_that_is_read_late_lives_till_then() -> None:
    _, values, nodes = chain(16, 16, 16)
    last = Value((16,))
    nodes.append(Node("any", (values[2], values[0]), (last,)))
    offsets, total = plan_memory(nodes, [0, 1, 2, 3], [last])
    assert total == 3 * LINE and offsets[id(last)] == offsets[id(values[1])]


def test_large_values_come_first_and_small_ones_fill_the_gaps() -> None:
    _, values, nodes = chain(16, 64, 16, 16)
    offsets, total = plan_memory(nodes, [0, 1, 2, 3], [])
    assert offsets[id(values[1])] == 0 and offsets[id(values[3])] == 0
    assert total == 4 * LINE + LINE


def test_a_gap_between_two_is_taken_where_it_is_large_enough() -> None:
    """a, b and c lie one after the other; when b is free, what fits goes to its place; what is larger comes first of all."""
    for size in (32, 16, 33, 64):
        a, b, c, last = Value((32,)), Value((32,)), Value((32,)), Value((size,))
        order = [a, b, c]
        nodes = [Node("any", (), (v,)) for v in order]
        nodes.append(Node("any", (b,), ()))
        nodes.append(Node("any", (), (last,)))
        nodes.append(Node("any", (a, c, last), ()))
        offsets, _ = plan_memory(nodes, range(6), [])
        if size <= 32:
            assert [offsets[id(v)] for v in order] == [0, 128, 256]
            assert offsets[id(last)] == 128
        else:
            # The largest is placed first, at 0; the others lie behind it, or where it is not alive yet.
            assert offsets[id(last)] == 0 and offsets[id(b)] == 0 and min(offsets[id(a)], offsets[id(c)]) >= 4 * size


@pytest.mark.parametrize(
    ("dtype", "itemsize", "size"), [("float", 4, 64), ("float", 8, 128), ("int", 8, 64), ("bfloat16", 8, 64)]
)
def test_bytes_of_an_element(dtype: str, itemsize: int, size: int) -> None:
    _, _, nodes = chain(16, dtype=dtype)
    assert plan_memory(nodes, [0], [], itemsize=itemsize)[1] == size


def test_empty_values_have_a_place_of_their_own() -> None:
    _, values, nodes = chain(0, 0)
    offsets, total = plan_memory(nodes, [0, 1], values)
    assert total == 2 * LINE and len(set(offsets.values())) == 2
    assert plan_memory([], [], []) == ({}, 0)


def test_what_lies_in_an_arena_needs_no_place() -> None:
    x, values, nodes = chain(16, 16)
    arena = Value((64,), role="arena", name="a")
    values[0].base, values[0].offset = arena, 0
    assert set(plan_memory(nodes, [0, 1], [x, values[0]])[0]) == {id(values[1])}


def test_a_view_lies_where_what_it_shows_lies() -> None:
    k = Builder()
    x = Value((4, 4), role="input", name="x")
    a = k.exp(x)
    b = k.reshape(k.reshape(a, (16,)), (2, 8))
    assert root(b) is a and root(a) is a and root(x) is x and root(k.reshape(x, (16,))) is x
    c = k.square(b)
    offsets, total = plan_memory(k.nodes, range(5), [c])
    assert set(offsets) == {id(a), id(c)} and total == 2 * LINE
    assert [is_view(n) for n in k.nodes] == [False, True, True, True, False]
    assert not is_view(Node("no op of the set", (), ()))
    kept, _ = plan_memory(k.nodes, range(5), [b])
    assert kept[id(a)] != kept[id(c)]


def test_a_value_that_is_written_over_another_lies_there() -> None:
    _, values, nodes = chain(16, 16)
    values[1].shares = values[0]
    assert root(values[1]) is values[0]
    assert set(plan_memory(nodes, [0, 1], [])[0]) == {id(values[0])}
    base = Value((64,), role="arena", name="a")
    values[1].base = base
    assert root(values[1]) is values[1]


def test_the_place_of_a_value_is_seen_through_other_shapes_of_it() -> None:
    k = Builder()
    arena = Value((64,), role="arena", name="a")
    w = Value((2, 4), role="parameter", base=arena, offset=8)
    assert place(w) is w and place(k.reshape(w, (8,))) is w
    assert place(Value((2,), role="input")) is None and place(k.exp(w)) is None


@pytest.mark.parametrize(("at", "shared"), [(0, False), (3, False), (4, True), (8, True), (11, True), (12, False)])
def test_places_overlap_where_they_share_an_element(at: int, shared: bool) -> None:
    one, other = Value((64,), role="arena", name="a"), Value((64,), role="arena", name="b")
    w = Value((2, 2), base=one, offset=8)
    assert overlap(w, Value((5,), base=one, offset=at)) == shared == overlap(Value((5,), base=one, offset=at), w)
    assert not overlap(w, Value((4,), base=other, offset=8))
