"""How much a server accepts: of one request, and of all requests that wait."""

from __future__ import annotations

from dataclasses import dataclass

from ..constraints import Interval

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """What a server accepts. Whatever is more is refused with a status code that says so, and the others go on.

    Parameters
        request_bytes : of the body of one request (status 413) ; the text of a compressed table may take eight times as many
        samples : of one request (413)
        waiting : requests that wait for a prediction (503) ; four times ``request_bytes`` is also the limit of all bodies
            that are held at a time (503)
        batch : samples that are predicted at once
        seconds : in which the body of a request must have come (408), and its prediction been made (503)
    Raises      ParameterError for a value out of its range

    Example
        >>> Limits(waiting=8).waiting
        8
    """

    request_bytes: int = 32 * 2**20
    samples: int = 100_000
    waiting: int = 256
    batch: int = 256
    seconds: float = 60.0

    def __post_init__(self) -> None:
        count = Interval(int, 1)
        for name in ("request_bytes", "samples", "waiting", "batch"):
            count.check("Limits", name, getattr(self, name))
        Interval(float, 0, closed="neither").check("Limits", "seconds", self.seconds)
