"""A model as a web service: predictions over HTTP, for many clients at a time.

    create_app(path, limits) -> an ASGI application, which any ASGI server can run
    serve(path, ...)         -> runs it with uvicorn until it is told to stop

    a request -> application.py (HTTP) -> bodies.py (JSON or files) -> served_model.py (what the network reads)
              -> batching.py (one thread, many requests at once) -> the answer

Names load when they are first used, since Starlette and uvicorn are installed by an extra: ``chainrule[serve]``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {"Limits": "limits", "create_app": "application", "serve": "running"}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .application import create_app as create_app
    from .limits import Limits as Limits
    from .running import serve as serve


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'chainrule.serving' has no attribute {name!r}")
