"""What can be seen of a network: the table of its layers, the plan and the equations of a step, the numbers in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..constraints import Interval
from ..ops.value import FREE
from ..optimizers import Optimizer, get_optimizer
from ..plan import Plan, lower_prediction, lower_training, optimise
from .intake import choose_losses, target_arrays
from .summary import Summary, stand_in_length, summary
from .trainable import Trainable

if TYPE_CHECKING:
    from ..plan.equations import Equations
    from .trace import Trace

__all__ = ["Inspectable"]


class Inspectable(Trainable):
    """A network that shows what it computes. Parameters and attributes  as of Trainable"""

    def plan(
        self,
        batch: int = 32,
        *,
        training: bool = True,
        loss: Any = None,
        optimizer: str | Optimizer | None = None,
        length: int | None = None,
    ) -> Plan:
        """The optimised plan of one step: ``print(net.plan().show())``.

        It also says which kernels the engine chooses for convolutions, and where and why it reorders their weights.

        Parameters
            batch : samples ; training : False for the plan of a prediction
            loss, optimizer : those of the last fit; before any fit, squared_error and adam. A loss by name is read as in fit
            length : the number of steps where the inputs leave it free; None takes a short one, which a note names
        """
        self.require_built("plan")
        batch = self.samples or Interval(int, 1).check("", "batch", batch)
        shapes = self.concrete()
        if length is not None:
            length = Interval(int, 1).check("", "length", length)
            shapes = [tuple(length if s == FREE else s for s in shape) for shape in self.input_shapes or []]
        if training:
            loss = getattr(self, "loss_", "squared_error") if loss is None else loss
            chosen = get_optimizer(getattr(self, "optimizer_", "adam") if optimizer is None else optimizer)
            plan = lower_training(self, choose_losses(loss, None, self), chosen, batch, shapes=shapes)
        else:
            plan = lower_prediction(self, batch, shapes=shapes)
        plan = optimise(plan)
        if steps := stand_in_length(self, shapes):
            plan.notes.append(f"the length of the samples is free: this is the plan{steps}")
        # The notes of the usual engine, whatever engine the network was trained with.
        from ..engine import get_engine

        plan.notes.extend(get_engine().explain(plan))
        return plan

    def summary(self) -> Summary:
        """A table of the layers as text, which a notebook shows as a table: name, layer, shape of its output for one sample,
        parameters, FLOPs a sample.

        T stands for a free length; the FLOPs are then those of a sample of the length that the last line names.
        """
        return summary(self)

    def equations(self, *, loss: Any = None, optimizer: str | Optimizer | None = None) -> Equations:
        """The chain rule of this very network: forward, loss, backward and update, with shapes.

        ``print`` shows it as text, a notebook as mathematics, ``.latex()`` gives the source; see chainrule.plan.equations.

        Parameters  loss, optimizer : those of the last fit by default; before any fit only the forward pass is shown;
                    a loss by name is read as in fit
        Raises      NotFittedError before the shapes are known
        """
        from ..plan.equations import Equations

        self.require_built("equations")
        last = self.fit_config_
        return Equations(
            self,
            last.get("loss") if loss is None else choose_losses(loss, None, self),
            last.get("optimizer") if optimizer is None else optimizer,
            targets=last.get("forms") if loss is None else None,
            loss_weights=last.get("loss_weights"),
        )

    def trace(self, X: Any, y: Any = None, *, loss: Any = None, **options: Any) -> Trace:
        """Every z, a, dz, da, dW and db for these samples, by name. See chainrule.training.trace.

        Without a loss, that of the last fit is taken; before any fit it is chosen as in fit. A loss by name is read as in
        fit.
        """
        from .trace import trace

        if y is not None and loss is None:
            loss = getattr(self, "loss_", None)
        if y is not None and self.built:
            loss = choose_losses(loss, target_arrays(y, len(self.output_ids)), self)
        return trace(self, X, y, loss=loss, **options)
