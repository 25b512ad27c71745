"""Changes of how a network is trained."""

from __future__ import annotations

import copy
from dataclasses import replace

from ...diagnosis import Change
from ...optimizers import Schedule, get_optimizer
from ..setup import Setup
from .vocabulary import Context, NotApplicable, carries_out


@carries_out("learning_rate")
def set_learning_rate(setup: Setup, change: Change, context: Context) -> Setup:
    """Sets the learning rate, multiplies it, or has it found by a range test."""
    if change["value"] is not None:
        return replace(setup.with_optimizer(learning_rate=float(change["value"])), range_test=False)
    if change["range_test"]:
        return replace(setup, range_test=True)
    rate = setup.fit["optimizer"].learning_rate
    if isinstance(rate, Schedule) or callable(rate):
        raise NotApplicable("the learning rate follows a schedule, which has to be replaced by hand")
    return setup.with_optimizer(learning_rate=float(f"{rate * float(change['factor']):.4g}"))


@carries_out("clip")
def clip_gradient(setup: Setup, change: Change, context: Context) -> Setup:
    """Limits the norm of the whole gradient."""
    return setup.with_optimizer(clip_norm=float(change["norm"] or 1.0))


@carries_out("optimizer")
def set_optimizer(setup: Setup, change: Change, context: Context) -> Setup:
    """Replaces the optimizer; penalties, decay and clipping stay as they are."""
    old, new = setup.fit["optimizer"], copy.deepcopy(get_optimizer(change["name"]))
    if type(old) is type(new):
        raise NotApplicable(f"the optimizer is {new.name} already")
    for key in ("l1", "l2", "weight_decay", "clip_norm", "clip_value", "clip_variable_norm"):
        setattr(new, key, getattr(old, key))
    return setup.changed(optimizer=new)


@carries_out("weight_decay")
def set_weight_decay(setup: Setup, change: Change, context: Context) -> Setup:
    """Sets the decoupled weight decay, and removes L1 and L2."""
    return setup.with_optimizer(weight_decay=float(change["value"] or 0.0), l1=0.0, l2=0.0)


@carries_out("batch_size")
def set_batch_size(setup: Setup, change: Change, context: Context) -> Setup:
    """Sets the number of samples a step."""
    value = int(change["value"])
    if value == setup.fit["batch_size"]:
        raise NotApplicable(f"the batch size is {value} already")
    return setup.changed(batch_size=value)


@carries_out("epochs")
def multiply_epochs(setup: Setup, change: Change, context: Context) -> Setup:
    """Multiplies the number of epochs."""
    return setup.changed(epochs=max(1, round(setup.fit["epochs"] * float(change["factor"]))))


@carries_out("early_stopping")
def stop_early(setup: Setup, change: Change, context: Context) -> Setup:
    """Ends training when the validation loss no longer falls."""
    # Early stopping compares losses of samples that are not trained on, so some are set aside.
    split = setup.fit["validation_split"] or 0.2
    return setup.changed(early_stopping=int(change["patience"] or 5), validation_split=split)


@carries_out("shuffle")
def shuffle(setup: Setup, change: Change, context: Context) -> Setup:
    """Shuffles the samples before every epoch."""
    if setup.fit["shuffle"]:
        raise NotApplicable("the samples are shuffled already")
    return setup.changed(shuffle=True)


@carries_out("class_weight")
def weigh_classes(setup: Setup, change: Change, context: Context) -> Setup:
    """Weighs the classes, by default inversely to their frequency."""
    return setup.changed(class_weight=change["value"] or "balanced")


@carries_out("leave_out")
def leave_out(setup: Setup, change: Change, context: Context) -> Setup:
    """Refuses: samples are left out before the trials or by hand."""
    raise NotApplicable("a cure itself leaves out samples that are not finite; others have to be left out by hand")


@carries_out("data")
def change_data(setup: Setup, change: Change, context: Context) -> Setup:
    """Refuses: only the user can change the data."""
    raise NotApplicable("the data have to be changed by hand")
