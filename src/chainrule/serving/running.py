"""Runs the application with uvicorn."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import MissingDependencyError, ParameterError
from .limits import Limits

__all__ = ["serve"]


def serve(
    path: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    reload: bool = True,
    threads: int | None = None,
    on_start: Callable[[str], None] = lambda address: None,
) -> None:
    """Serves the model of a file until the process is told to stop (Ctrl-C, SIGTERM); requests in work are answered first.

    Parameters  host, port : where clients find it; 127.0.0.1 is for this machine alone, 0.0.0.0 for all that reach it
                limits, reload, threads : as in ``create_app`` ; on_start : called with the address once it listens
    Raises      as ``create_app`` ; ParameterError when nothing can listen there
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingDependencyError("uvicorn", "Serving a model", extra="serve") from error
    from .application import create_app

    application = create_app(path, limits, reload=reload, threads=threads)
    config = uvicorn.Config(
        application, host, port, log_level="warning", access_log=False, timeout_graceful_shutdown=10, server_header=False
    )
    try:
        socket = config.bind_socket()
    except SystemExit:  # uvicorn logs why, and would end the process
        raise ParameterError(
            f"Nothing can listen at {host}:{port}: the port is taken, or the host is not of this machine."
        ) from None
    with socket:
        socket.listen(config.backlog)  # who connects from now on is answered as soon as uvicorn has begun
        name, found = socket.getsockname()[:2]
        on_start(f"http://{f'[{name}]' if ':' in name else name}:{found}/")
        uvicorn.Server(config).run([socket])
