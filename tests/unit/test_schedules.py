"""chainrule.optimizers.schedules: rates, units, plateaus, saving."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.errors import ModelFileError, ParameterError, UnknownNameError
from chainrule.optimizers import (
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    OneCycle,
    Piecewise,
    Polynomial,
    ReduceOnPlateau,
    Schedule,
    ScheduleSequence,
    Step,
    WarmUp,
)
from chainrule.registry import from_config, to_config

EXAMPLES: list[Schedule] = [
    Step(0.1, every=3),
    Step(0.1, every=2, factor=0.5, unit="epochs"),
    Exponential(0.1, decay=0.9),
    Exponential(0.1, decay=0.5, every=10, unit="epochs"),
    Cosine(0.1, total=20),
    Cosine(0.1, total=2, final=0.01, unit="epochs"),
    OneCycle(0.1, total=30),
    OneCycle(0.1, total=2, warm=0.4, start=0.1, final=0.0, unit="epochs"),
    Piecewise([3, 7], rates=[0.1, 0.01, 0.0]),
    ReduceOnPlateau(0.1, factor=0.5, patience=3, minimum=0.001, better="higher", cooldown=2),
    WarmUp(0.1, steps=5),
    WarmUp(Cosine(0.1, total=20), steps=1, unit="epochs"),
    WarmUp(ReduceOnPlateau(0.1), steps=3),
    CosineRestarts(0.1, period=7),
    CosineRestarts(0.1, period=2, growth=1.5, fade=0.8, final=0.01, unit="epochs"),
    Cyclic(0.01, high=0.1, period=10),
    Cyclic(0.0, high=0.1, period=1, fade=0.5, unit="epochs"),
    Polynomial(0.1, total=20),
    Polynomial(0.1, total=2, power=0.9, final=0.01, unit="epochs"),
    ScheduleSequence([0.05, Cosine(0.1, total=20)], boundaries=[5]),
    ScheduleSequence([WarmUp(0.1, steps=4), ReduceOnPlateau(0.1), 0.001], boundaries=[1, 3], unit="epochs"),
]


def steps(n: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.arange(1.0, n + 1)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=map(repr, EXAMPLES))
class TestEverySchedule:
    def test_rates_are_finite_and_do_not_depend_on_the_order_of_steps(self, schedule: Schedule) -> None:
        schedule.validate()
        schedule.bind(7)
        t = steps(60)
        rates = schedule(t)
        assert rates.dtype == np.float64 and rates.shape == (60,)
        assert np.isfinite(rates).all() and (rates >= 0).all()
        order = np.random.default_rng(0).permutation(60)
        np.testing.assert_array_equal(schedule(t[order]), rates[order])
        np.testing.assert_array_equal(schedule(t.reshape(6, 10)), rates.reshape(6, 10))
        assert schedule(np.zeros(0)).shape == (0,)

    def test_configurations_survive_json(self, schedule: Schedule) -> None:
        again = from_config(json.loads(json.dumps(to_config(schedule))), Schedule.registry)
        assert again == schedule and again is not schedule
        again.bind(7)
        schedule.bind(7)
        np.testing.assert_array_equal(again(steps(20)), schedule(steps(20)))
        assert eval(repr(schedule), dict(Schedule.registry)) == schedule

    def test_being_bound_or_driven_does_not_change_what_it_equals(self, schedule: Schedule) -> None:
        again = from_config(to_config(schedule), Schedule.registry)
        again.bind(100)
        again.epoch_end(1.0)
        assert again == schedule


def test_step_falls_at_exact_times() -> None:
    np.testing.assert_allclose(Step(1.0, every=3)(steps(7)), [1, 1, 1, 0.1, 0.1, 0.1, 0.01])
    by_epoch = Step(1.0, every=3, factor=0.5, unit="epochs")
    for n in (1, 3, 7, 49, 1875):
        by_epoch.bind(n)
        np.testing.assert_array_equal(by_epoch([3 * n, 3 * n + 1, 6 * n, 6 * n + 1]), [1, 0.5, 0.5, 0.25])


def test_a_polynomial_of_power_one_is_a_line() -> None:
    np.testing.assert_allclose(Polynomial(1.0, total=4, final=0.2)(steps(6)), [1, 0.8, 0.6, 0.4, 0.2, 0.2])


def test_restarts_begin_where_the_lengths_add_up() -> None:
    """Cycles of 10, 20, 40, ... steps begin at steps 1, 11, 31, 71, ... of the training, at the first height each."""
    schedule = CosineRestarts(0.5, period=10, growth=2.0)
    begins = np.cumsum([0, *(10 * 2**i for i in range(20))]) + 1.0
    np.testing.assert_allclose(schedule(begins), 0.5)
    np.testing.assert_array_less(schedule(begins[1:] - 1), 0.02)
    first, second = schedule(steps(10)), schedule(steps(30))[10:]
    np.testing.assert_allclose(second[::2], first, rtol=1e-12)
    fading = CosineRestarts(0.5, period=3, fade=0.5, final=0.1)(np.array([1.0, 4.0, 7.0]))
    np.testing.assert_allclose(fading, [0.5, 0.3, 0.2])


@pytest.mark.parametrize("growth", [1.0, 1.1, 1.5, 2.0, 3.0])
def test_restarts_never_leave_their_range(growth: float) -> None:
    rates = CosineRestarts(0.5, period=3, growth=growth, final=0.1)(steps(5000))
    assert rates.min() >= 0.1 and rates.max() <= 0.5


def test_triangles() -> None:
    np.testing.assert_allclose(Cyclic(0.0, high=1.0, period=4)(steps(9)), [0, 0.5, 1, 0.5, 0, 0.5, 1, 0.5, 0])
    by_epoch = Cyclic(0.2, high=1.0, period=2, fade=0.5, unit="epochs")
    by_epoch.bind(3)
    np.testing.assert_allclose(by_epoch([1, 4, 7, 10, 13]), [0.2, 1.0, 0.2, 0.6, 0.2])


def test_a_sequence_counts_from_each_boundary() -> None:
    schedule = ScheduleSequence([WarmUp(0.4, steps=4), Polynomial(0.4, total=2), 0.01], boundaries=[4, 7])
    np.testing.assert_allclose(schedule(steps(9)), [0.1, 0.2, 0.3, 0.4, 0.4, 0.2, 0.0, 0.01, 0.01])
    by_epoch = ScheduleSequence([0.1, Step(1.0, every=1, factor=0.5, unit="epochs")], boundaries=[1.5], unit="epochs")
    by_epoch.bind(3)
    np.testing.assert_allclose(by_epoch(steps(10)), [0.1] * 5 + [1.0] * 3 + [0.5] * 2)


def test_a_sequence_hands_the_metric_on() -> None:
    schedule = ScheduleSequence([0.1, ReduceOnPlateau(1.0, patience=1)], boundaries=[2])
    assert schedule.needs_metric
    for metric in (1.0, 1.0, 1.0, 1.0):
        schedule.epoch_end(metric)
    assert schedule([5])[0] < 1.0
    again = ScheduleSequence([0.1, ReduceOnPlateau(1.0, patience=1)], boundaries=[2])
    again.load_state(schedule.state_dict())
    assert again([5])[0] == schedule([5])[0]
    schedule.reset()
    assert schedule([5])[0] == 1.0


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (CosineRestarts(0.1, period=0), "period must be a finite number above 0"),
        (CosineRestarts(0.1, period=2, growth=0.5), "growth must be a finite number of at least 1"),
        (CosineRestarts(0.1, period=2, fade=0.0), "fade must be a number above 0 and at most 1"),
        (Cyclic(0.5, high=0.1, period=2), "high must be at least low, which is 0.5"),
        (Polynomial(0.1, total=2, power=-1.0), "power must be a finite number above 0"),
        (
            ScheduleSequence([], boundaries=[]),
            "schedules must be a list of at least 1 value, each a finite number above 0 or a Schedule",
        ),
        (ScheduleSequence([0.1, 0.2], boundaries=[]), "0 boundaries part 1 schedules. Got 2"),
        (
            ScheduleSequence([0.1, 0.2, 0.3], boundaries=[3, 2]),
            "boundaries must be a list of rising values, each a finite number above 0",
        ),
        (ScheduleSequence([Cosine(-0.1, total=2), 0.2], boundaries=[3]), "initial must be a finite number above 0"),
        (ScheduleSequence([ReduceOnPlateau(0.1), ReduceOnPlateau(0.1)], boundaries=[3]), "only one of the schedules"),
    ],
    ids=repr,
)
def test_bad_arguments_of_the_newer_schedules(schedule: Schedule, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        schedule.validate()


def test_exponential() -> None:
    np.testing.assert_allclose(Exponential(0.5, decay=0.9)(steps(4)), 0.5 * 0.9 ** np.arange(4))
    schedule = Exponential(0.5, decay=0.25, unit="epochs")
    schedule.bind(2)
    np.testing.assert_allclose(schedule(steps(5)), [0.5, 0.25, 0.125, 0.0625, 0.03125])


def test_cosine_stays_at_its_end() -> None:
    rates = Cosine(1.0, total=10, final=0.2)(steps(15))
    np.testing.assert_allclose(rates[[0, 5, 10, 14]], [1.0, 0.6, 0.2, 0.2])
    assert (np.diff(rates) <= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), st.floats(0.01, 0.99))
def test_one_cycle_has_its_ends_and_one_peak(total: int, warm: float) -> None:
    rates = OneCycle(1.0, total=total, warm=warm, final=0.001)(steps(total + 5))
    top = int(rates.argmax())
    assert (np.diff(rates[: top + 1]) >= 0).all() and (np.diff(rates[top:]) <= 0).all()
    assert rates.max() <= 1 + 1e-12
    if warm * total > 1 and total > 2:
        assert rates[0] == pytest.approx(0.04)
    if total > 1:
        assert rates[total - 1] == pytest.approx(0.001) == rates[-1]


def test_piecewise() -> None:
    np.testing.assert_array_equal(Piecewise([2], rates=[1.0, 0.5])(steps(4)), [1, 1, 0.5, 0.5])
    schedule = Piecewise([1, 2], rates=[3.0, 2.0, 1.0], unit="epochs")
    schedule.bind(2)
    np.testing.assert_array_equal(schedule(steps(6)), [3, 3, 2, 2, 1, 1])
    np.testing.assert_array_equal(Piecewise([], rates=[0.1])(steps(2)), [0.1, 0.1])


def test_warm_up_lies_under_its_schedule() -> None:
    np.testing.assert_allclose(WarmUp(1.0, steps=4)(steps(6)), [0.25, 0.5, 0.75, 1, 1, 1])
    inner = Cosine(1.0, total=10)
    np.testing.assert_allclose(
        WarmUp(inner, steps=4)(steps(10)), inner(steps(10)) * np.minimum(1, steps(10) / 4), rtol=1e-15
    )
    both = WarmUp(Cosine(1.0, total=4, unit="epochs"), steps=1, unit="epochs")
    both.bind(10)
    assert both([10])[0] == pytest.approx(Cosine(1.0, total=40)([10])[0])
    assert both([5])[0] == pytest.approx(0.5 * Cosine(1.0, total=40)([5])[0])
    assert both([41])[0] == pytest.approx(0)


# ------------------------------------------------------------ plateaus


def drive(schedule: Schedule, metrics: list[float]) -> list[float]:
    found = []
    for metric in metrics:
        schedule.epoch_end(metric)
        found.append(float(schedule(np.array([1.0]))[0]))
    return found


def test_plateau_waits_then_falls() -> None:
    assert drive(ReduceOnPlateau(1.0, factor=0.5, patience=2), [3, 2, 2, 2, 2, 2, 1]) == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]


def test_plateau_can_follow_what_should_rise() -> None:
    assert drive(ReduceOnPlateau(1.0, factor=0.5, patience=1, better="higher"), [0.5, 0.6, 0.6, 0.7]) == [1, 1, 0.5, 0.5]


def test_plateau_needs_more_than_the_threshold() -> None:
    schedule = ReduceOnPlateau(1.0, factor=0.5, patience=1, threshold=0.1)
    assert drive(schedule, [1.0, 0.95, 0.89]) == [1, 0.5, 0.5]
    assert drive(ReduceOnPlateau(1.0, factor=0.5, patience=1, threshold=0.1), [-1.0, -1.05, -1.2]) == [1, 0.5, 0.5]


def test_plateau_has_a_floor_and_a_cooldown() -> None:
    assert drive(ReduceOnPlateau(1.0, factor=0.1, patience=1, minimum=0.05), [1] * 4) == [1, 0.1, 0.05, 0.05]
    assert drive(ReduceOnPlateau(1.0, factor=0.5, patience=1, cooldown=2), [1] * 6) == [1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert drive(ReduceOnPlateau(0.01, patience=1, minimum=0.1), [1, 1]) == [0.01, 0.01]


def test_nan_is_no_improvement() -> None:
    assert drive(ReduceOnPlateau(1.0, factor=0.5, patience=2), [math.nan, math.nan, 1.0, math.nan, 0.5]) == [
        1,
        0.5,
        0.5,
        0.5,
        0.5,
    ]


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: WarmUp(s, steps=1)], ids=["itself", "in a warm-up"])
def test_plateau_resumes_exactly(wrap: Any) -> None:
    metrics = list(np.random.default_rng(0).uniform(0, 1, 40))

    def make() -> Schedule:
        found: Schedule = wrap(ReduceOnPlateau(1.0, factor=0.5, patience=2, cooldown=1))
        return found

    whole = drive(make(), metrics)
    for stop in range(40):
        first, second = make(), make()
        drive(first, metrics[:stop])
        second.load_state(json.loads(json.dumps(first.state_dict())))
        assert drive(second, metrics[stop:]) == whole[stop:]
    assert make().needs_metric and not WarmUp(0.1, steps=2).needs_metric
    again = make()
    drive(again, metrics)
    again.reset()
    assert drive(again, metrics) == whole


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: WarmUp(s, steps=1)], ids=["itself", "in a warm-up"])
def test_what_a_plateau_follows(wrap: Any) -> None:
    logs = {"loss": 3.0, "val_loss": 2.0, "val_accuracy": 0.5}
    assert wrap(ReduceOnPlateau(0.1)).monitored(logs) == 2.0
    assert wrap(ReduceOnPlateau(0.1)).monitored({"loss": 3.0}) == 3.0
    assert wrap(ReduceOnPlateau(0.1, monitor="val_accuracy", better="higher")).monitored(logs) == 0.5
    with pytest.raises(UnknownNameError, match=r"Unknown monitored number 'val_acuracy'. Did you mean 'val_accuracy'"):
        wrap(ReduceOnPlateau(0.1, monitor="val_acuracy")).monitored(logs)


def test_a_damaged_state_is_refused() -> None:
    for state in ({}, {"rate": "x", "best": None, "waited": 0, "cooling": 0}, {"rate": 1.0, "best": 0, "waited": -1}):
        with pytest.raises(ModelFileError, match="state that state_dict gives"):
            ReduceOnPlateau(0.1).load_state(state)


# ------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Step(0.0, every=1), "Step: initial must be a finite number above 0. Got 0.0"),
        (Step(0.1, every=0), "every"),
        (Step(0.1, every=1, factor=-1), "factor"),
        (Step(0.1, every=1, unit="days"), 'unit must be "steps" or "epochs". Got \'days\''),
        (Exponential(0.1, decay=1.5), "decay must be a number above 0 and at most 1"),
        (Exponential(0.1, decay=0.0), "decay"),
        (Cosine(0.1, total=math.inf), "total"),
        (Cosine(0.1, total=5, final=-1), "final"),
        (OneCycle(0.1, total=5, warm=1.0), "warm"),
        (OneCycle(-0.1, total=5), "peak"),
        (Piecewise(2, rates=[1, 2]), "boundaries must be a list"),  # type: ignore[arg-type]
        (Piecewise([2, 1], rates=[1, 2, 3]), "boundaries must be a list of rising values"),
        (Piecewise([1], rates=[1.0]), "1 boundaries part 2 rates. Got 1"),
        (Piecewise([1], rates=[1.0, -1.0]), r"rates\[1\] must be a finite number of at least 0. Got -1.0"),
        (ReduceOnPlateau(0.1, factor=1.0), "factor must be a number above 0 and below 1"),
        (ReduceOnPlateau(0.1, patience=0), "patience must be an int of at least 1"),
        (ReduceOnPlateau(0.1, better="up"), 'better must be "lower" or "higher"'),
        (WarmUp(0.1, steps=0), "steps"),
        (WarmUp("x", steps=1), "schedule"),
        (WarmUp(Cosine(0.1, total=-1), steps=1), "Cosine: total"),
    ],
)
def test_bad_arguments(schedule: Schedule, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        schedule.validate()


def test_epochs_need_to_be_bound() -> None:
    with pytest.raises(ParameterError, match=r"call bind\(steps_per_epoch\) first"):
        Cosine(0.1, total=5, unit="epochs")(steps(3))
    with pytest.raises(ParameterError, match=r"steps_per_epoch must be an int of at least 1\. Got 0"):
        Cosine(0.1, total=5, unit="epochs").bind(0)


# ------------------------------------------------------------ PyTorch


@pytest.mark.peer
def test_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    scheduler = torch.optim.lr_scheduler

    def rates(make: Any, n: int, initial: float = 0.1) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=initial)
        peer, found = make(optimizer), []
        for _ in range(n):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            peer.step()
        return found

    pairs = [
        (Step(0.1, every=4, factor=0.3), lambda o: scheduler.StepLR(o, 4, 0.3)),
        (Exponential(0.1, decay=0.9), lambda o: scheduler.ExponentialLR(o, 0.9)),
        (Cosine(0.1, total=20, final=0.01), lambda o: scheduler.CosineAnnealingLR(o, 20, 0.01)),
        (OneCycle(0.1, total=20), lambda o: scheduler.OneCycleLR(o, 0.1, total_steps=20)),
        (OneCycle(0.1, total=20, warm=0.45), lambda o: scheduler.OneCycleLR(o, 0.1, total_steps=20, pct_start=0.45)),
    ]
    for ours, peer in pairs:
        np.testing.assert_allclose(ours(steps(19)), rates(peer, 19), rtol=1e-9, err_msg=repr(ours))

    metrics = np.random.default_rng(1).uniform(0, 1, 60)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    # PyTorch falls when more than `patience` epochs are bad, chainrule at the patience-th.
    peer = scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3, cooldown=2, eps=0)
    ours = ReduceOnPlateau(1.0, factor=0.5, patience=4, cooldown=2)
    for metric in metrics:
        peer.step(metric)
        assert drive(ours, [metric]) == pytest.approx([optimizer.param_groups[0]["lr"]])
