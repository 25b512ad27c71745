"""What a server counts and measures, as ``/metrics`` gives it to Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

__all__ = ["Measurements"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096)


class Measurements:
    """The measurements of one server, in a registry of their own."""

    def __init__(self, waiting: Callable[[], float], loaded_at: Callable[[], float]) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._requests = Counter("chainrule_requests", "Requests by their status.", ["status"], registry=registry)
        self._seconds = Histogram(
            "chainrule_request_seconds", "Time of a request for predictions.", buckets=_SECONDS, registry=registry
        )
        self._samples = Counter("chainrule_samples", "Samples that were predicted.", registry=registry)
        self._batch = Histogram("chainrule_batch_samples", "Samples predicted at once.", buckets=_SAMPLES, registry=registry)
        self._computing = Counter("chainrule_computing_seconds", "Time spent on predictions.", registry=registry)
        Gauge("chainrule_requests_waiting", "Requests that wait.", registry=registry).set_function(waiting)
        Gauge("chainrule_model_loaded_timestamp_seconds", "When the model was read.", registry=registry).set_function(
            loaded_at
        )

    def request(self, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(str(status)).inc()
        self._seconds.observe(seconds)

    def batch(self, samples: int, seconds: float) -> None:
        """A batch was predicted."""
        self._samples.inc(samples)
        self._batch.observe(samples)
        self._computing.inc(seconds)

    def text(self) -> bytes:
        """Everything measured, in the format of Prometheus."""
        return generate_latest(self.registry)
