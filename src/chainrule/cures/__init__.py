"""Cures: changes of a network or its training, carried out as data, tried in paired runs, kept when they win.

setup.py      a network's definition and the arguments of fit as data, shown as Python, compared as a patch
apply.py      changes carried out on a setup, in order; changes/ holds each kind of them
range_test.py how large the learning rate may be
scorer.py     one score for networks of other outputs and losses
paired.py     runs of different setups on the same samples, orders and seeds
change_sets.py sets of changes that are tried together
search.py     which changes win, alone and together, the likeliest first, under a time budget
findings.py   which changes the findings of a diagnosis call for
cure.py       from a diagnosis to a changed network, phase by phase; options.py and result.py are what it takes and gives
watched.py    a fit that is watched, and cured when it is not healthy
"""

from .apply import NotApplicable
from .cure import cure
from .options import CureOptions
from .paired import Comparison, Run, Trial
from .range_test import RangeTest, range_test
from .result import Cure
from .search import Rejected
from .setup import Setup
from .watched import ON_FAULT, watch_or_cure

__all__ = [
    "ON_FAULT",
    "Comparison",
    "Cure",
    "CureOptions",
    "NotApplicable",
    "RangeTest",
    "Rejected",
    "Run",
    "Setup",
    "Trial",
    "cure",
    "range_test",
    "watch_or_cure",
]
