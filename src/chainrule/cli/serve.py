"""``chainrule serve``: a saved model as a web service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model that chainrule train, or Network.save, wrote.")],
    host: Annotated[
        str, typer.Option(metavar="NAME", help="Address to listen at; 0.0.0.0 for every machine that reaches this one.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", metavar="N", help="Port to listen at.", min=0, max=65535)] = 8000,
    max_request: Annotated[
        str, typer.Option(metavar="SIZE", help="Most bytes that one request may have, such as 500kB or 32MB.")
    ] = "32MB",
    max_samples: Annotated[int, typer.Option(metavar="N", help="Most samples that one request may have.")] = 100_000,
    queue: Annotated[int, typer.Option(metavar="N", help="Requests that may wait; further ones are refused.")] = 256,
    batch: Annotated[int, typer.Option(metavar="N", help="Samples that are predicted at once.")] = 256,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Time in which a request must have come and been answered.")
    ] = 60.0,
    reload: Annotated[bool, typer.Option("--reload/--no-reload", help="Serve a new model when MODEL is replaced.")] = True,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads that compute. [default: all that there are]", min=1)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Serve a model over HTTP: predictions for JSON and for files, and a page to try it.

    POST /predict takes {"data": [...]}, a form with files, or one file as the body. GET / is a page to try the model,
    /model says what it takes, /health and /metrics are for those who watch over it. Requests that come at the same time
    are computed together. Ctrl-C and SIGTERM end the server after the requests that it has begun.
    """
    from ..serving import Limits
    from ..serving import serve as run
    from ..tasks.settings import bytes_of
    from .console import out

    limits = Limits(bytes_of(max_request, "--max-request"), max_samples, queue, batch, timeout)

    def say(address: str) -> None:
        if not quiet:
            out().print(f"Serving {model} at {address} (Ctrl-C ends it)", style="bold green", soft_wrap=True)

    run(model, host=host, port=port, limits=limits, reload=reload, threads=threads, on_start=say)
