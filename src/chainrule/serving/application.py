"""The application: what is answered to which request."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import ChainruleError, MissingDependencyError

try:
    import prometheus_client  # noqa: F401
    import python_multipart  # noqa: F401  (Starlette reads forms with it)
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response
    from starlette.routing import Route
except ImportError as error:
    raise MissingDependencyError(error.name or "starlette", "Serving a model", extra="serve") from error

from .batching import Batcher, QueueFull
from .bodies import Files, Refused, read_body, take_apart
from .limits import Limits
from .measurements import Measurements
from .model_file import ModelFile
from .served_model import ServedModel, Work

__all__ = ["create_app"]

_log = logging.getLogger("chainrule.serving")
#: JSON of more bytes than this is read by another thread, so that small requests need not wait for it.
_INLINE_BYTES = 32_768
#: How many times the largest body all bodies that are held may take together; how many times its bytes a table's text may.
_BODIES, _DECOMPRESSED = 4, 8


class _Json(Response):
    """An answer as JSON; numbers that are not finite are null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        try:
            text = json.dumps(content, ensure_ascii=False, allow_nan=False, default=str, separators=(",", ":"))
        except ValueError:
            text = json.dumps(_finite(content), ensure_ascii=False, allow_nan=False, default=str, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return {key: _finite(one) for key, one in value.items()} if isinstance(value, dict) else value


def _error(status: int, kind: str, message: str) -> _Json:
    headers = {"Retry-After": "1"} if status == 503 else None
    return _Json({"error": {"kind": kind, "message": message}}, status, headers)


def create_app(
    path: str | os.PathLike[str], limits: Limits | None = None, *, reload: bool = True, threads: int | None = None
) -> Starlette:
    """An ASGI application that serves the model of a file.

    ================  ==================================================================================================
    ``POST /predict``  predictions for ``{"data": [...]}``, for a form with files, or for one file as the body
    ``GET /model``     what the model takes and gives
    ``GET /``          a page to try it
    ``GET /health``    200 and what is served ; ``GET /metrics`` : measurements for Prometheus
    ================  ==================================================================================================

    An error is ``{"error": {"kind": ..., "message": ...}}``: 400 for a body that cannot be read, 422 for data that do not
    fit the model, 413, 408 and 503 for what is beyond the limits.

    Parameters  path : of the model ; limits : what is accepted ; reload : whether a file that is put in its place becomes
                the model ; threads : of the predictions, None for all that there are
    Raises      as ``chainrule.load`` ; ParameterError for a model that cannot be served ; MissingDependencyError
    """
    limits = limits or Limits()
    return _Service(ModelFile(path, reload=reload, threads=threads), limits).application()


class _Service:
    """One application: its model, its batches and its measurements."""

    def __init__(self, file: ModelFile, limits: Limits) -> None:
        self.file, self.limits = file, limits
        self.measurements = Measurements(lambda: len(self.batcher), lambda: self.file.loaded_at.timestamp())
        self.batcher = Batcher(limits.batch, limits.waiting, self.measurements.batch)
        self._held_bytes = 0

    def application(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(application: Starlette) -> AsyncIterator[None]:
            yield
            await run_in_threadpool(self.batcher.close)

        application = Starlette(
            routes=[
                Route("/", self.page),
                Route("/predict", self.predict, methods=["POST"]),
                Route("/model", self.describe),
                Route("/health", self.health),
                Route("/metrics", self.metrics),
            ],
            exception_handlers={HTTPException: self._http_error},  # type: ignore[dict-item]
            lifespan=lifespan,
        )
        application.state.service = self
        return application

    # ------------------------------------------------------------ predictions

    async def predict(self, request: Request) -> Response:
        begun = time.perf_counter()
        response = await self._answer(request)
        self.measurements.request(response.status_code, time.perf_counter() - begun)
        return response

    async def _answer(self, request: Request) -> Response:
        self.file.look()
        model = self.file.model  # the same for the whole request, whatever is loaded meanwhile
        declared = request.headers.get("content-length", "")
        reserved = min(int(declared), self.limits.request_bytes) if declared.isdigit() else self.limits.request_bytes
        try:
            if self._held_bytes + reserved > _BODIES * self.limits.request_bytes or len(self.batcher) >= self.limits.waiting:
                raise QueueFull
            self._held_bytes += reserved
            try:
                body = await read_body(request, self.limits)
                data = await take_apart(request, body)
                if isinstance(data, Files):
                    # Models may read files only when they predict, so the files are there until the answer is.
                    with data.on_disk() as (paths, names):
                        try:
                            answer = await self._predicted(
                                model, await run_in_threadpool(self._read_files, model, paths, names)
                            )
                        except ChainruleError as error:  # the place where a file was kept means nothing to the client
                            for path, name in zip(paths, names, strict=True):
                                error.args = (str(error).replace(str(path), name),)
                            raise
                elif len(body) > _INLINE_BYTES:
                    answer = await self._predicted(model, await run_in_threadpool(self._read, model, data))
                else:
                    answer = await self._predicted(model, self._read(model, data))
            finally:
                self._held_bytes -= reserved
            return _Json(answer)
        except Refused as error:
            return _error(error.status, "RequestError", str(error))
        except QueueFull:
            return _error(503, "Overloaded", "Too many requests wait for their predictions. Try again in a moment.")
        except TimeoutError:
            return _error(503, "Overloaded", f"The prediction took longer than {self.limits.seconds:g} seconds.")
        except ChainruleError as error:
            return _error(422, type(error).__name__, str(error))
        except MemoryError:
            return _error(413, "MemoryError", "There is not enough memory for this request. Send less at a time.")
        except Exception:
            _log.exception("A request failed in a way that nobody expected.")
            return _error(500, "InternalError", "The server failed on this request; its log says why.")

    async def _predicted(self, model: ServedModel, work: Work) -> Any:
        async with asyncio.timeout(self.limits.seconds):
            return await asyncio.wrap_future(self.batcher.submit(model, work))

    def _read(self, model: ServedModel, data: Any) -> Work:
        """The samples of JSON."""
        return self._limited(model.from_plain(data))

    def _read_files(self, model: ServedModel, paths: Sequence[Path], names: Sequence[str]) -> Work:
        return self._limited(model.from_files(paths, names, _DECOMPRESSED * self.limits.request_bytes))

    def _limited(self, work: Work) -> Work:
        if work.count > self.limits.samples:
            raise Refused(413, f"A request may have {self.limits.samples:,} samples at most. Got {work.count:,}.")
        return work

    # ------------------------------------------------------------ everything else

    async def describe(self, request: Request) -> Response:
        self.file.look()
        return _Json(self.file.model.describe())

    async def health(self, request: Request) -> Response:
        self.file.look()
        return _Json({"status": "ok", "waiting": len(self.batcher), **self.file.health()})

    async def metrics(self, request: Request) -> Response:
        return Response(self.measurements.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def page(self, request: Request) -> Response:
        # Everything that the page needs is in it, and nothing else is let in.
        policy = (
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src blob:"
        )
        return HTMLResponse(_page(), headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})

    async def _http_error(self, request: Request, error: HTTPException) -> Response:
        known = "POST /predict, GET /, /model, /health and /metrics"
        return _error(
            error.status_code, "RequestError", f"{error.detail}: {request.method} {request.url.path}. Known: {known}."
        )


@cache
def _page() -> str:
    return (resources.files(__package__) / "page.html").read_text(encoding="utf-8")
