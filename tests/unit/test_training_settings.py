"""FitSettings: every argument of a fit once, checked once."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError
from typing import get_type_hints

import numpy as np
import pytest

from chainrule import Network
from chainrule.errors import ParameterError, UnknownNameError
from chainrule.optimizers import SGD, Cosine
from chainrule.training import Callback, EarlyStopping
from chainrule.training.settings import FitSettings
from chainrule.training.signature import FitOptions, PassOptions

BAD = [
    ({"epochs": 0}, "epochs must be an int of at least 1. Got 0."),
    ({"epochs": True}, "epochs must be an int of at least 1. Got True."),
    ({"batch_size": 2.5}, "batch_size must be an int of at least 1. Got 2.5."),
    ({"learning_rate": -1}, "learning_rate must be None, a finite number above 0, a Schedule or a function. Got -1."),
    ({"optimizer": SGD(-1)}, "SGD: learning_rate must be a finite number above 0, a Schedule or a function. Got -1."),
    ({"optimizer": "adm"}, "Unknown optimizer 'adm'. Did you mean 'adam'?"),
    ({"loss": ["squared_error", "sqared_error"]}, "Unknown loss 'sqared_error'."),
    ({"validation_split": 1}, "validation_split must be a number from 0 to below 1. Got 1."),
    ({"validation_split": 0.5, "validation_data": (1, 2)}, "Give either validation_data or validation_split, not both."),
    ({"shuffle": "yes"}, "shuffle must be True or False. Got 'yes'."),
    (
        {"early_stopping": "x"},
        "early_stopping must be None, True, False, an int of at least 0 or an EarlyStopping. Got 'x'.",
    ),
    ({"verbose": 3}, "verbose must be 0, 1 or 2. Got 3."),
    ({"engine": "onedn"}, 'engine must be "auto", "onednn" or "reference". Got \'onedn\'. Did you mean \'onednn\'?'),
    ({"threads": 0}, "threads must be None or an int of at least 1. Got 0."),
    ({"precision": "float64"}, 'precision must be "float32" or "bfloat16". Got \'float64\'. A float64 network is made by'),
    ({"callbacks": print}, "callbacks must be instances of chainrule.training.Callback. Got"),
    ({"resume": 3}, "resume must be None or the path of a checkpoint. Got 3."),
]


@pytest.mark.parametrize(("given", "message"), BAD, ids=[f"{next(iter(g))}-{i}" for i, (g, _) in enumerate(BAD)])
def test_a_bad_argument_is_refused_in_one_form(given, message):
    for make in (lambda: FitSettings(**given), lambda: FitSettings.of(given), lambda: FitSettings().replace(**given)):
        with pytest.raises(ParameterError) as caught:
            make()
        assert str(caught.value).startswith(message)


def test_an_unknown_argument_is_named():
    with pytest.raises(UnknownNameError, match=r"argument of fit 'epoch'\. Did you mean 'epochs'"):
        FitSettings.of({"epoch": 3})


def test_settings_are_what_was_given_and_plain():
    class Own(Callback):
        pass

    one = Own()
    settings = FitSettings(epochs=np.int64(3), shuffle=np.False_, callbacks=iter([one]))
    assert (type(settings.epochs), settings.shuffle, settings.callbacks) == (int, False, (one,))
    assert FitSettings(callbacks=one).callbacks == (one,) and FitSettings(callbacks=None).callbacks == ()
    with pytest.raises(FrozenInstanceError):
        settings.epochs = 4


def test_replace_keeps_the_others_and_what_was_given():
    first = FitSettings.of({"epochs": 5, "loss": "squared_error"})
    second = first.replace(epochs=6)
    assert (second.epochs, second.loss, second.batch_size) == (6, "squared_error", 32)
    assert first.given == {"epochs", "loss"} == second.given
    assert FitSettings.of({"batch_size": 8}, first).given == {"batch_size"}
    assert first.differing(second) == {"epochs"}


def test_settings_can_be_read_by_name_and_given_on():
    settings = FitSettings(epochs=5)
    assert settings["epochs"] == 5 and dict(settings) == settings.arguments() and list(settings) == list(FitSettings.names())
    assert FitSettings(**settings).epochs == 5
    with pytest.raises(UnknownNameError, match="Did you mean 'epochs'"):
        settings["epoch"]


def test_some_groups_alone():
    settings = FitSettings.of({"epochs": 5, "verbose": 0, "loss": "squared_error"}).only("learning")
    assert (settings.epochs, settings.verbose, settings.loss, settings.given) == (5, 1, None, {"epochs"})


def test_every_argument_belongs_to_one_group_and_is_described():
    groups = ("objective", "learning", "data", "stopping", "machine", "watching")
    by_group = [name for group in groups for name in FitSettings.names(group)]
    assert sorted(by_group) == sorted(FitSettings.names()) and len(set(by_group)) == len(by_group)
    text = FitSettings.documentation()
    for name, constraint in FitSettings.constraints().items():
        assert f"{name} " in text and constraint.words
    assert max(map(len, text.splitlines())) <= 120
    assert "epochs = 20 : " in text and "early_stopping" not in FitSettings.documentation(["epochs"])


def test_the_defaults_hold_their_own_constraints():
    assert FitSettings().arguments() == FitSettings.defaults()


def test_type_checkers_know_the_same_arguments():
    own = get_type_hints(FitSettings)
    assert get_type_hints(FitOptions) == {name: own[name] for name in FitSettings.names()}
    for name, kind in get_type_hints(PassOptions).items():
        assert kind in (own[name], own[name] | None)


def test_a_fit_has_an_optimizer_of_its_own():
    given, rate = SGD(0.5), Cosine(0.1, total=10)
    settings = FitSettings(optimizer=given, learning_rate=rate)
    made = settings.make_optimizer()
    assert made is not given and made.learning_rate is not rate and made.learning_rate == rate and given.learning_rate == 0.5
    own = settings.with_own_optimizer()
    assert own.optimizer == made and own.learning_rate is None


@pytest.mark.parametrize(
    ("wanted", "validated", "expected"),
    [
        (None, True, None),
        (False, True, None),
        (True, True, ("val_loss", 10)),
        (3, False, ("loss", 3)),
        (0, True, ("val_loss", 0)),
    ],
)
def test_early_stopping_follows_the_validation_where_there_is_any(wanted, validated, expected):
    made = FitSettings(early_stopping=wanted).make_early_stopping(validated)
    assert (None if made is None else (made.monitor, made.patience)) == expected


def test_an_early_stopping_is_used_as_it_is():
    own = EarlyStopping("val_accuracy")
    assert FitSettings(early_stopping=own).make_early_stopping(True) is own


def test_fit_has_the_arguments_and_defaults_of_the_settings():
    parameters = inspect.signature(Network.fit).parameters
    for name, default in FitSettings.defaults().items():
        assert parameters[name].default == default
