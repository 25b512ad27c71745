"""Each kind of change, carried out on a setup; one module for each part of a setup that changes touch.

vocabulary.py  what a function that carries out a change is given, and the error of one that does not apply
places.py      which layers a change is about
structure.py   layers inside of the network ; ends.py : output, loss and scales ; weights.py : start weights and freezing
training.py    optimizer, batches and epochs
"""

from . import ends, structure, training, weights  # noqa: F401  (their functions register themselves)
from .vocabulary import CARRIED_OUT, Context, NotApplicable

__all__ = ["CARRIED_OUT", "Context", "NotApplicable"]
