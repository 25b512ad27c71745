"""The callback that samples the statistics of a fit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from ..constraints import Interval, Maybe
from ..diagnosis.rank import Rank, participation
from ..diagnosis.statistics import Statistics
from ..diagnosis.through_time import TimeChain, time_chain
from ..training import Callback, FitState
from ..training.divergence import Run
from ..training.moment import MORE_SAMPLES, Moment
from ..training.probe import Found, Probe

__all__ = ["Watch"]

#: The most rows of a layer's outputs from which the effective rank is computed.
_RANK_ROWS = 1024


class Watch(Callback):
    """Samples the statistics of a fit.

    Parameters
        every : take statistics every so many steps; None keeps their cost below 3 % of the time (see training.probe)
        seconds, steps : end the fit after this time, or after this number of steps, None for no limit. The fit ends with its
            epoch; an epoch that takes twice as long as the limit is not waited for
        check : called after every epoch with this callback and the number of the epoch; True ends the fit
    Attributes
        statistics, fit : the statistics and the state of the fit, once it has begun ; cut : whether this callback ended it
        error : why a look inside the network failed, "" if none did
    """

    def __init__(
        self,
        every: int | None = None,
        *,
        seconds: float | None = None,
        steps: int | None = None,
        check: Callable[[Watch, int], bool] | None = None,
    ) -> None:
        self.every = Maybe(Interval(int, 1)).check("diagnose", "the number of steps between samples", every)
        self.seconds, self.steps, self.check = seconds, steps, check
        self.statistics: Statistics | None = None
        self.fit: FitState | None = None
        self.cut = False
        self.probe: Probe | None = None
        self.error = ""
        self.start: Moment | None = None
        self.latest: Moment | None = None

    def on_fit_begin(self, state: FitState) -> None:
        self.fit, self.statistics = state, Statistics(state.network)
        self.first_step = state.step
        self._started = time.perf_counter()
        self.probe = state.probe = Probe(self._add_sample, self.every)

    def on_batch_chunk_end(self, state: FitState, logs: Mapping[str, float]) -> None:
        # The end of an epoch is worth waiting for, unless the epoch goes on for ever.
        if self._is_over(state, 2.0):
            self.cut = True
            raise KeyboardInterrupt

    def on_epoch_end(self, state: FitState, epoch: int, logs: Mapping[str, float]) -> None:
        over = epoch < state.epochs and self._is_over(state)
        if over or (self.check is not None and self.check(self, epoch)):
            self.cut = state.stop = True

    def _is_over(self, state: FitState, times: float = 1.0) -> bool:
        late = self.seconds is not None and time.perf_counter() - self._started > times * self.seconds
        return late or (self.steps is not None and state.step - self.first_step >= times * self.steps)

    def _add_sample(self, run: Run, found: Found, sizes: dict[str, int], rate: float) -> None:
        assert self.statistics is not None and self.fit is not None
        self.statistics.add(run.step, run.epoch, run.piece.batch, rate, found, sizes)
        if self.start is None:
            self.start = self.latest = Moment(self.fit, run, MORE_SAMPLES)
            self.start.keep_weights()
        elif self.start.recurrent:
            self.latest = Moment(self.fit, run)  # looked at with the weights of the end

    # ------------------------------------------------------------ after the fit

    def look_inside(self) -> None:
        """Measures, with the weights of the start and of the end, what would take too long at every sampled step: the ranks
        of the layers' outputs, and the gradient through time."""
        if self.statistics is None or self.fit is None or self.latest is None or self.start is None:
            return
        end = self.start.now() if self.latest is self.start else self.latest
        last = max(self.fit.step, self.start.step + 1)
        try:
            for step, moment in ((self.start.step, self.start), (last, end)):
                if known := self._time_chains(moment, step):
                    self.statistics.through_time[step] = known
            for step, moment in ((self.start.step, self.start), (last, self.start.now())):
                self.statistics.ranks[step] = self._ranks(moment)
        except Exception as error:  # a layer of the user's own may fail here, as in a probe; the fit was not harmed
            self.error = f"{type(error).__name__}: {error}"

    def _time_chains(self, moment: Moment, step: int) -> dict[str, TimeChain]:
        assert self.statistics is not None
        calls, found = list(self.statistics.calls.values()), {}
        parameters = moment.parameters()
        for n, inside in moment.inside().items():
            weight = parameters.get(f"{calls[n].name}.recurrent_weight")
            chain = None if weight is None else time_chain(calls[n].key, calls[n].layer, inside, weight, step)
            if chain is not None:
                found[calls[n].key] = chain
        return found

    def _ranks(self, moment: Moment) -> dict[str, Rank]:
        """The effective ranks of the outputs of layers with units, and of activations, which turn these outputs."""
        assert self.statistics is not None
        calls, found = list(self.statistics.calls.values()), {}
        parameters = moment.parameters()
        for n, output in moment.outputs().items():
            call = calls[n]
            if call.role not in ("weight", "activation") or output.ndim < 2 or output.shape[-1] < 2:
                continue
            rows = output.reshape(-1, output.shape[-1])
            # Of more places or steps than that, evenly spaced ones are taken.
            rows = rows[:: max(1, -(-len(rows) // _RANK_ROWS))]
            own = [parameters[p] for p in call.parameters if p in parameters and parameters[p].ndim > 1]
            weight = max(own, key=lambda w: w.size) if own else None
            found[call.key] = Rank(
                output.shape[-1],
                participation(rows),
                math.nan if weight is None else participation(weight.reshape(-1, weight.shape[-1]), centred=False),
                len(rows),
            )
        return found
