"""Watched trainings: statistics of a fit are sampled, and a diagnosis is made of them.

``diagnose`` trains a copy of a network for a while; ``watch`` watches the fit itself. Both end in a ``Case`` that the rules
of ``chainrule.diagnosis`` look at.

watch.py            the callback that samples a fit
diagnose.py         a training of a copy; the network that is asked about is never changed
watched.py          a fit that is watched, and what is said at its end
unrecoverable.py    whether a fit that is watched can still succeed
case.py             from a training to the Case
known_samples.py    what a diagnosis sees of the samples
outcome.py          how the training went: scores, and the loss of the best constant
held_out.py         the score on samples that a copy is not trained on
through_time.py     how the gradient passes through the steps of a sequence
"""

from .diagnose import diagnose
from .through_time import through_time
from .watch import Watch
from .watched import DiagnosisWarning, Watched, fit_watched, watch

__all__ = ["DiagnosisWarning", "Watch", "Watched", "diagnose", "fit_watched", "through_time", "watch"]
