"""The equations of a network as aligned text, as LaTeX, and in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

from ...errors import ParameterError, ShapeError
from ...losses import Loss, get_loss
from ...network import NetworkGraph
from ...ops.builder import scalar_of
from ...optimizers import Optimizer, get_optimizer
from .record import Record, Section
from .symbols import Symbol, escape, upright
from .terms import lengths_written, shape_text
from .write import Line, Writer

#: Characters of a line.
WIDTH = 110
#: Widest columns of the layers' names and of what they are.
_NAME, _WHAT = 24, 28
_RELATIONS = {"=": "=", "←": r"\leftarrow", "+=": r"\mathrel{+}=", "∼": r"\sim"}


class Equations:
    """The chain rule of one network: forward, loss, backward and update, with shapes.

    Written from the ops that the network's layers, loss and optimizer emit, so it shows what is computed, also for layers of
    one's own. N is the number of samples of a batch; superscripts number the layers that have parameters; z is the output of
    such a layer, a that of an activation, h that of any other; dz is dJ/dz. ⊙ multiplies element by element, [z > 0] is 1
    where it holds and 0 elsewhere, ← gives a new value, += adds to the gradient of something that is used again.

    Parameters
        network : built
        losses : one, or one for each output, as objects or names; None prints the forward pass in prediction only
        optimizer : an object or a name; None leaves out the update
        batch : samples a step, mentioned beside N; None where it is not known
        targets : for each output, which of the forms that its loss takes (Loss.target); the first by default
        loss_weights : factors of the losses in J; 1 by default
    Raises      NotFittedError before the network is built ; ShapeError when the number of losses is not that of the outputs

    ``str()`` gives plain text of at most 110 characters a line, ``latex()`` an environment for MathJax, KaTeX and amsmath;
    a notebook shows the latter by itself.

    Example
        >>> from chainrule.layers import Dense, ReLU
        >>> from chainrule.network import NetworkGraph
        >>> net = NetworkGraph([Dense(8), ReLU(), Dense(1)]).build((4,))
        >>> print(Equations(net, "squared_error", "sgd"))
        forward
          0.dense  Dense(8)  z¹ = x W¹ + b¹    x (N, 4)  W¹ (4, 8)  b¹ (8,)  z¹ (N, 8)
          1.relu   ReLU()    a¹ = max(0, z¹)   a¹ (N, 8)
          2.dense  Dense(1)  z² = a¹ W² + b²   W² (8, 1)  b² (1,)  z² (N, 1)
        loss
          J = 1/N Σ (z² − y)²   y (N, 1)
        backward
          loss     dz² = 2/N (z² − y)     dz² (N, 1)
          2.dense  dW² = a¹ᵀ dz²          dW² (8, 1)
                   db² = Σₙ dz²           db² (1,)
                   da¹ = dz² W²ᵀ          da¹ (N, 8)
          1.relu   dz¹ = da¹ ⊙ [a¹ > 0]   dz¹ (N, 8)
          0.dense  dW¹ = xᵀ dz¹           dW¹ (4, 8)
                   db¹ = Σₙ dz¹           db¹ (8,)
        update  SGD(), for each parameter w with gradient g = dw
          w ← w − η g
    """

    def __init__(
        self,
        network: NetworkGraph,
        losses: str | Loss | Sequence[str | Loss] | None = None,
        optimizer: str | Optimizer | None = None,
        *,
        batch: int | None = None,
        targets: Sequence[int] | None = None,
        loss_weights: Sequence[float] | None = None,
    ) -> None:
        network.require_built("equations")
        count = len(network.output_ids)
        given: list[Loss] | None = None
        if losses is not None:
            listed = [losses] if isinstance(losses, (str, Loss)) else list(losses)
            given = [get_loss(one) for one in listed]
            for what, number in (("loss(es)", len(given)), ("loss weight(s)", len(loss_weights or given))):
                if number != count:
                    raise ShapeError(f"equations: the network has {count} output(s), got {number} {what}.")
        elif optimizer is not None:
            raise ParameterError("equations: an optimizer needs a loss to minimise. Give losses= too.")
        self.optimizer = None if optimizer is None else get_optimizer(optimizer)
        self.network, self.batch = network, batch
        self._record = Record(network, given, self.optimizer, targets, loss_weights)
        with lengths_written(self._record.letters):
            self.lines = Writer(self._record).lines
        self._phases = self._group()

    # ------------------------------------------------------------ what stands where

    def _group(self) -> list[tuple[str, list[tuple[Section, list[Line]]]]]:
        """The lines by phase and section, in the order of the computation."""
        phases: list[tuple[str, list[tuple[Section, list[Line]]]]] = []
        for phase in ("forward", "loss", "backward", "update"):
            found: list[tuple[Section, list[Line]]] = []
            for number, section in enumerate(self._record.sections):
                if section.phase != phase:
                    continue
                lines = [line for line in self.lines if line.section == number]
                if found and not section.layer and not found[-1][0].layer:
                    found[-1][1].extend(lines)  # loss and update each are one section
                    found[-1][0].shown.extend(section.shown)
                elif lines or section.unchanged:
                    found.append((section, lines))
            if phase == "update":
                found = [(section, self._once(lines)) for section, lines in found]
            if any(lines or section.unchanged for section, lines in found):
                phases.append((phase, found))
        return phases

    def _once(self, lines: list[Line]) -> list[Line]:
        """Each equation of the update once, for all the stretches of parameters it holds for."""
        merged: dict[str, Line] = {}
        for line in lines:
            text = f"{line.left.text} {line.relation} {line.right.text}"
            if text in merged:
                merged[text].runs |= line.runs
            else:
                merged[text] = line
        return list(merged.values())

    def _only(self, line: Line, *, latex: bool = False) -> str:
        """The parameters that an equation is for, or that J sums over, when not all."""
        runs = self._record.runs
        if not line.runs or len(line.runs) == len(runs):
            return ""
        names = [
            self._record.parameter_symbols[name].as_latex() if latex else str(self._record.parameter_symbols[name])
            for name, entry in self.network.parameters.entries.items()
            if any(
                runs[i].block == entry.block and runs[i].start <= entry.offset < runs[i].stop for i in line.runs if i >= 0
            )
        ]
        if latex:
            return r" \; ".join([*names[:8], *([r"\dots"] * (len(names) > 8))])
        return f"{' '.join(names[:8])}{' …' if len(names) > 8 else ''}"

    def _title(self, phase: str) -> str:
        if phase == "update":
            return f"update  {self.optimizer!r}, for each parameter w with gradient g = dw"
        if phase == "forward" and self.batch is not None:
            return f"forward  N = {self.batch} samples"
        return phase

    def _scalars(self) -> list[tuple[str, str]]:
        """What the numbers that change from step to step are, as text and LaTeX."""
        if self.optimizer is None:
            return []
        rows, known = [], self.optimizer.scalar_equations()
        factors = {1.0, *map(float, (self.optimizer.learning_rate_factors or {}).values())}
        made = {scalar_of(name, factor): (name, factor) for name in known for factor in factors}
        for name in self._record.k.scalars:
            if name in made:
                plain, factor = made[name]
                text, latex = known[plain]
                if factor != 1:
                    text, latex = text.replace("η", f"{factor:g} η"), latex.replace(r"\eta", rf"{factor:g} \eta")
                rows.append((f"{name} = {text}", rf"\mathrm{{{escape(name)}}} = {latex}"))
        return rows

    def _method(self) -> list[tuple[str, str]]:
        """What the optimizer does beyond the plan, as text and LaTeX."""
        return [] if self.optimizer is None else self.optimizer.method_equations()

    # ------------------------------------------------------------ text

    def __str__(self) -> str:
        with lengths_written(self._record.letters):
            return self._text()

    def _text(self) -> str:
        names = [s.layer or "loss" for _, sections in self._phases for s, _ in sections]
        first = min(_NAME, max(map(len, names), default=0))
        reprs = [repr(self._layer(s)) for phase, sections in self._phases if phase == "forward" for s, _ in sections]
        second = min(_WHAT, max(map(len, reprs), default=0))
        out: list[str] = []
        for phase, sections in self._phases:
            out.extend(wrap(self._title(phase), WIDTH, subsequent_indent=" " * 8, break_long_words=False))
            rows: list[tuple[str, str, list[str]]] = []
            for section, lines in sections:
                head = (section.layer or "loss").ljust(first)
                if phase == "forward":
                    head = f"{head}  {repr(self._layer(section)).ljust(second)}"
                rows.extend(self._rows(section, lines, head if phase in ("forward", "backward") else "", phase))
            if phase == "update":
                rows.extend(("", text, []) for text, _ in [*self._scalars(), *self._method()])
            out.extend(_table(rows))
        return "\n".join(line.rstrip() for line in out)

    def _layer(self, section: Section) -> Any:
        assert section.call is not None
        return self.network.calls[section.call].layer

    def _rows(self, section: Section, lines: list[Line], head: str, phase: str) -> list[tuple[str, str, list[str]]]:
        """(what stands at the beginning, the equation, what stands beside it)"""
        rows: list[tuple[str, str, list[str]]] = []
        own = {str(symbol) for symbol, _, _ in section.shown}
        for n, line in enumerate(lines):
            beside = []
            only = self._only(line)
            if phase in ("update", "loss"):
                beside = [f"for {only}" if phase == "update" else f"Σ over {only}"] if only else []
            elif line.left.text not in own and line.shape != ():
                beside = [f"{line.left.text} {shape_text(line.shape)}"]
            if n == len(lines) - 1:
                beside = [*_shapes(section.shown), *beside]
            rows.append((head if n == 0 else " " * len(head), f"{line.left.text} {line.relation} {line.right.text}", beside))
        if section.unchanged:
            rows.append((head, f"{section.unchanged} passes unchanged", _shapes(section.shown)))
        return rows

    def __repr__(self) -> str:
        return str(self)

    # ------------------------------------------------------------ LaTeX

    def latex(self) -> str:
        """The equations in one ``aligned`` environment, without dollar signs."""
        with lengths_written(self._record.letters):
            return self._latex()

    def _latex(self) -> str:
        rows: list[str] = []
        for phase, sections in self._phases:
            rows.append(rf"& {upright(self._title(phase), 'textbf')} && \\")
            for section, lines in sections:
                beside = section.layer or ("loss" if phase == "backward" else "")
                if phase == "forward":
                    beside += f"  {self._layer(section)!r}"
                shapes = r" \quad ".join(_latex_shape(*shown) for shown in section.shown)
                for n, line in enumerate(lines):
                    label = upright(beside) if n == 0 else ""
                    only = self._only(line, latex=True)
                    if phase in ("update", "loss") and only:
                        label = (r"\text{for } " if phase == "update" else r"\textstyle\sum \text{ over } ") + only
                    if n == len(lines) - 1 and shapes:
                        label = rf"{label} \quad {shapes}" if label else shapes
                    equation = rf"{line.left.latex} &{_RELATIONS[line.relation]} {line.right.latex}"
                    rows.append(rf"{equation} && {label} \\" if label else rf"{equation} \\")
                if section.unchanged:
                    rows.append(rf"& {section.unchanged.as_latex()} \text{{ passes unchanged}} && {upright(beside)} \\")
            if phase == "update":
                rows.extend(text.replace(" = ", " &= ", 1) + r" \\" for _, text in self._scalars())
                rows.extend(rf"{text} \\" for _, text in self._method())
        return "\n".join([r"\begin{aligned}", *rows, r"\end{aligned}"])

    def _repr_latex_(self) -> str:
        """What a notebook shows."""
        return f"$$\n{self.latex()}\n$$"


def _shapes(shown: Iterable[tuple[Symbol, tuple[int, ...], str]]) -> list[str]:
    return [f"{symbol} {shape_text(shape)}{note}" for symbol, shape, note in shown]


def _latex_shape(symbol: Symbol, shape: tuple[int, ...], note: str) -> str:
    sizes = r" \times ".join(size for size in shape_text(shape).strip("(),").split(", ") if size) or "1"
    return rf"{symbol.as_latex()} \in \mathbb{{R}}^{{{sizes}}}" + (upright(note) if note else "")


def _table(rows: list[tuple[str, str, list[str]]]) -> list[str]:
    """Rows with the equations aligned, and what stands beside them aligned too, within WIDTH.

    A long head stands in a line of its own, so that it leaves the equations their room.
    """
    widest = _NAME + 2 + _WHAT
    start = 2 + max((len(head) for head, _, _ in rows if len(head) <= widest), default=0)
    start += 2 if start > 2 else 0
    middle = max((len(equation) for _, equation, _ in rows if len(equation) <= 46), default=0)
    out: list[str] = []
    for head, equation, beside in rows:
        left = f"  {head.rstrip()}"
        if len(left) > max(start - 2, 2):
            out.append(left)
            left = ""
        left = left.ljust(start)
        pieces = wrap(equation, WIDTH - len(left), subsequent_indent="    ", break_long_words=False) or [""]
        out.extend([left + pieces[0], *(" " * start + piece for piece in pieces[1:])])
        column = start + middle + 3
        items = _fit(beside, WIDTH - column)
        joined = "  ".join(beside)
        if items and len(out[-1]) + 3 > column and len(out[-1]) + 3 + len(joined) <= WIDTH:
            out[-1] += "   " + joined
        elif items and len(out[-1]) + 3 <= column and len(items) <= 2 and len(items[0]) <= WIDTH - column:
            out[-1] = out[-1].ljust(column) + items[0]
            out.extend(" " * column + item for item in items[1:])
        else:
            out.extend(" " * (start + 4) + item for item in _fit(beside, WIDTH - start - 4))
    return out


def _fit(items: list[str], width: int) -> list[str]:
    """The items two spaces apart, on as many lines as they need."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + 2 + len(item) <= width:
            lines[-1] += "  " + item
        else:
            lines.append(item)
    return lines
