"""Constraints of hyperparameters: what holds, what does not, and how a refusal reads."""

from __future__ import annotations

import importlib
import inspect
import math

import numpy as np
import pytest

from chainrule.constraints import (
    POSITIVE,
    Accepted,
    AnyOf,
    Anything,
    Boolean,
    Constrained,
    Constraint,
    EachOf,
    Instance,
    Interval,
    Maybe,
    OneOf,
    OneOrMore,
    check_all,
)
from chainrule.errors import ParameterError, UnknownNameError
from chainrule.losses import Loss, SquaredError, get_loss

CASES: list[tuple[Constraint, list[object], list[object], str]] = [
    (Interval(int, 1), [1, 7, np.int64(3)], [0, -1, 1.0, True, np.True_, "1", None, math.nan], "an int of at least 1"),
    (Interval(int, 1, 3, closed="both"), [1, 3], [0, 4], "an int from 1 to 3"),
    (Interval(float, 0, 1), [0, 0.5, np.float32(0.5)], [1, -0.1, math.nan, True, "0"], "a number from 0 to below 1"),
    (Interval(float, 0, 1, closed="neither"), [0.5], [0, 1], "a number above 0 and below 1"),
    (Interval(float, 0, 1, closed="right"), [1], [0, 1.1], "a number above 0 and at most 1"),
    (Interval(float, 0, closed="neither"), [1e-30, 5], [0, math.inf], "a finite number above 0"),
    (Interval(float, 0), [0, 5], [-1, math.inf], "a finite number of at least 0"),
    (Interval(float, None, 2), [-1e9, 1.9], [2, math.inf], "a number below 2"),
    (Interval(float), [-1.0], [math.nan, -math.inf, 1j], "a finite number"),
    (Boolean(), [True, np.False_], [0, 1, None, "yes"], "True or False"),
    (OneOf(0, 1, 2), [0, 2], [3, "0", None, [0], np.zeros(2)], "0, 1 or 2"),
    (OneOf("a", None), ["a", None], ["b", 0], '"a" or None'),
    (Instance(Loss), [SquaredError()], ["squared_error", Loss], "a Loss"),
    (Instance(str, bytes, words="a path"), ["x"], [1], "a path"),
    (Interval(float, 10), [10**300], [10**400], "a finite number of at least 10"),
    (POSITIVE, [1e-9, np.int8(1)], [0, -1, math.inf, False], "a finite number above 0"),
    (EachOf(Interval(int, 1)), [[], (1, 2), np.array([3])], ["12", 3, {1: 2}, iter([1]), np.array(3)], "a list of values"),
    (
        EachOf(Interval(float), count=2, rising=True),
        [(0, 1)],
        [(1, 0), (1, 1), (1,), (1, 2, 3)],
        "a list of 2 rising values",
    ),
    (OneOrMore(Interval(int)), [1, [2], (3, 4)], [[], "1", 1.5, np.array(3)], "an int or a list of them"),
    (OneOrMore(Interval(int, 1), count=2), [1, [2, 3]], [[1], [1, 2, 3], 0], "an int of at least 1 or a list of 2 of them"),
    (EachOf(Boolean(), fewest=1), [[True]], [[]], "a list of at least 1 value, each True or False"),
    (AnyOf(Interval(int, 1), OneOf("auto")), [2, "auto"], ["all", 0], 'an int of at least 1 or "auto"'),
    (Maybe(AnyOf(Boolean(), Interval(int, 0))), [None, True, 3], [-1, "x"], "None, True, False or an int of at least 0"),
    (Anything(), [None, object()], [], "anything"),
]


@pytest.mark.parametrize(("constraint", "good", "bad", "words"), CASES, ids=[case[3] for case in CASES])
def test_each_constraint_holds_for_what_its_words_say(constraint, good, bad, words):
    assert constraint.words.startswith(words)
    for value in good:
        constraint.check("Owner", "argument", value)
    for value in bad:
        with pytest.raises(ParameterError) as caught:
            constraint.check("Owner", "argument", value)
        assert str(caught.value).startswith(f"Owner: argument must be {constraint.words}. Got ")


def test_numbers_of_numpy_become_plain():
    assert type(Interval(int, 1).check("", "n", np.int32(3))) is int
    assert type(Maybe(Interval(int, 1)).check("", "n", np.int32(3))) is int
    assert type(Boolean().check("", "b", np.True_)) is bool
    assert EachOf(Interval(int)).check("", "n", np.array([1, 2])) == [1, 2]


def test_a_refusal_names_the_owner_only_where_there_is_one_and_gives_the_hint():
    with pytest.raises(ParameterError, match=r"^epochs must be an int of at least 1\. Got 0\. Train longer\.$"):
        Interval(int, 1, hint="Train longer.").check("", "epochs", 0)
    with pytest.raises(ParameterError, match=r"Got 'onedn'\. Did you mean 'onednn'\?$"):
        OneOf("auto", "onednn").check("", "engine", "onedn")


def test_a_value_that_is_long_is_shortened():
    with pytest.raises(ParameterError) as caught:
        Interval(int).check("", "n", "x" * 10_000)
    assert len(str(caught.value)) < 300


def test_the_error_of_a_registry_is_its_own():
    known = Accepted(get_loss, "a loss or its name")
    assert known.holds("squared_error") and not known.holds("nothing")
    for constraint in (known, Maybe(known)):
        with pytest.raises(UnknownNameError, match="Did you mean 'squared_error'"):
            constraint.check("", "loss", "squared_eror")


def test_several_are_checked_in_order():
    rules = {"a": Interval(int, 1), "b": Boolean()}
    assert check_all("X", rules, {"a": 1, "c": 2}) == {"a": 1}
    with pytest.raises(ParameterError, match="X: a must"):
        check_all("X", rules, {"b": 0, "a": 0})


def test_an_interval_refuses_bounds_of_an_unknown_kind():
    with pytest.raises(ParameterError, match="closed"):
        Interval(int, 0, closed="open")


def test_an_entry_that_is_wrong_is_named():
    for constraint in (EachOf(POSITIVE), OneOrMore(POSITIVE)):
        with pytest.raises(ParameterError, match=r"^Owner: rates\[1\] must be a finite number above 0\. Got -2\.$"):
            constraint.check("Owner", "rates", [1, -2])


class Forest(Constrained):
    hyperparameters = {"trees": Interval(int, 1), "share": Interval(float, 0, 1)}

    def __init__(self, trees=3, share=0.5):
        self.trees, self.share = trees, share


class Wood(Forest):
    hyperparameters = {"share": Maybe(Interval(float, 0, 1)), "edge": Boolean()}

    def __init__(self, trees=3, share=None, edge=False):
        super().__init__(trees, share)
        self.edge = edge


class Land(Constrained):
    hyperparameters = {"wood": AnyOf(POSITIVE, Instance(Forest)), "others": EachOf(Instance(Forest))}

    def __init__(self, wood, others=()):
        self.wood, self.others = wood, others


def test_a_class_states_its_arguments_and_those_of_its_bases_hold_as_well():
    assert list(Wood.constraints()) == ["trees", "share", "edge"] and list(Forest.constraints()) == ["trees", "share"]
    Wood().validate()
    for wrong, message in (
        (Forest(share=None), r"^Forest: share must be a number from 0 to below 1\. Got None\.$"),
        (Wood(trees=0), "^Wood: trees must be an int of at least 1"),
        (Wood(edge=1), "^Wood: edge must be True or False"),
    ):
        with pytest.raises(ParameterError, match=message):
            wrong.validate()


def test_the_arguments_of_an_argument_are_checked():
    Land(2, [Forest()]).validate()
    for land in (Land(Forest(0)), Land(1, [Forest(), Forest(0)])):
        with pytest.raises(ParameterError, match=r"^Forest: trees must be an int of at least 1"):
            land.validate()


def _all_below(cls):
    for one in cls.__subclasses__():
        yield one
        yield from _all_below(one)


def _ours():
    """The classes of the library whose arguments are checked."""
    for name in ("adversarial", "boxes", "data.text", "images", "initializers", "laboratory", "layers", "losses", "metrics",
                 "optimizers", "sparsity", "tasks", "tracking", "training.turns"):  # fmt: skip
        importlib.import_module(f"chainrule.{name}")
    return sorted(
        {c for c in _all_below(Constrained) if c.__module__.startswith("chainrule.")}, key=lambda c: c.__qualname__
    )


def test_what_a_class_states_is_about_arguments_of_its_constructor_or_of_those_below_it():
    for cls in _ours():
        below = [c for c in (cls, *_all_below(cls)) if "__init__" in vars(c)]
        known = {name for c in below for name in c.argument_names()} if hasattr(cls, "argument_names") else None
        known = known or {name for c in (cls, *_all_below(cls)) for name in inspect.signature(c.__init__).parameters}
        stated = set(vars(cls).get("hyperparameters", {}))
        assert stated <= known, f"{cls.__name__} states {stated - known}"


def test_a_class_that_adds_rules_checks_its_arguments_first():
    for cls in _ours():
        if "validate" in vars(cls) and not cls.__module__.endswith("training.turns"):  # those stand for other optimizers
            assert ".validate(" in inspect.getsource(cls.validate), cls
