"""The file of the model that is served: it may be replaced while requests come."""

from __future__ import annotations

import logging
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import ChainruleError
from ..tasks import load
from .served_model import ServedModel, served_model

__all__ = ["ModelFile"]

_log = logging.getLogger("chainrule.serving")
#: Seconds between two looks at the file.
_LOOK_SECONDS = 1.0


class ModelFile:
    """A model and the file that it came from.

    The file is looked at when a request comes, at most once a second. A file that was replaced is read by a thread of its
    own while the model of before goes on answering; a file that cannot be read changes nothing but what ``health`` says.

    Parameters  path : of the file ; reload : whether a new file becomes the model ; threads : of the predictions, None for
                all that there are
    Raises      as ``chainrule.load`` ; ParameterError for a model that cannot be served
    """

    def __init__(self, path: str | os.PathLike[str], *, reload: bool = True, threads: int | None = None) -> None:
        self.path, self.reload, self._threads = Path(path), reload, threads
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._seen = self._signature()
        self.model = self._loaded()
        self.loaded_at = datetime.now(UTC)
        self.changed, self.error = False, ""
        self.reloads = 0

    def _loaded(self) -> ServedModel:
        loaded = load(self.path)
        if self._threads is not None:
            from ..training.session import Session

            Session(loaded.network).use_engine("auto", self._threads)
        return served_model(loaded)

    def _signature(self) -> tuple[int, int, int] | None:
        """What changes when the file is replaced or written to; None where there is no file."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def look(self) -> None:
        """Looks whether the file was replaced, and begins to read a new one."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        seen = self._signature()
        if seen == self._seen or not self._lock.acquire(blocking=False):  # one thread reads at a time
            return
        try:
            self._seen = seen
            self.changed = True
            if self.reload:
                threading.Thread(target=self._read_again, name="chainrule-reload", daemon=True).start()
                return  # the thread releases the lock
            self.error = ""
            _log.warning("%s was replaced; the model of before is served on, as reloading is switched off.", self.path)
        except BaseException:
            self._lock.release()
            raise
        self._lock.release()

    def _read_again(self) -> None:
        try:
            model = self._loaded()
        except ChainruleError as error:
            self.error = str(error)
            _log.warning("%s was replaced by what cannot be served; the model of before is served on. %s", self.path, error)
        else:
            self.model, self.loaded_at = model, datetime.now(UTC)
            self.changed, self.error = False, ""
            self.reloads += 1
            _log.info("%s was replaced: the new model is served.", self.path)
        finally:
            self._lock.release()

    def health(self) -> dict[str, Any]:
        """What ``/health`` says of the model."""
        found: dict[str, Any] = {"model": self.path.name, "kind": self.model.kind, "loaded_at": self.loaded_at.isoformat()}
        if self.changed:
            found["file"] = "was replaced, and the model of before is served"
        return found | ({"error": self.error} if self.error else {})
