"""The bodies of requests: read within limits, and taken apart into JSON or files."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from .limits import Limits

__all__ = ["Files", "Refused", "Upload", "read_body", "take_apart"]

#: Endings of the files that a body of this type stands for.
_SUFFIXES = {
    "text/csv": ".csv", "application/csv": ".csv", "text/tab-separated-values": ".tsv", "text/plain": ".txt",
    "application/gzip": ".csv.gz", "application/x-gzip": ".csv.gz", "application/vnd.apache.parquet": ".parquet",
    "application/zip": ".npz", "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/bmp": ".bmp",
    "image/webp": ".webp", "image/tiff": ".tif", "audio/wav": ".wav", "audio/x-wav": ".wav", "audio/flac": ".flac",
    "audio/mpeg": ".mp3", "audio/ogg": ".ogg", "video/mp4": ".mp4",
}  # fmt: skip
#: Beginnings of files whose type is not given.
_BEGINNINGS = {
    b"PAR1": ".parquet",
    b"PK\x03\x04": ".npz",
    b"\x1f\x8b": ".csv.gz",
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
}
#: Files of one form at most.
_MOST_FILES = 1000


class Refused(Exception):
    """A request that is answered with a status of its own. Parameters  status : of HTTP ; message : for the client"""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Upload:
    """One file. Parameters  name : as the client calls it ; content : its bytes"""

    name: str
    content: bytes

    @property
    def suffix(self) -> str:
        """The ending by which readers know the file, of letters and digits alone."""
        found = re.search(r"(\.[A-Za-z0-9]{1,10}){1,2}$", self.name)
        return found[0].lower() if found else ""


class Files(list[Upload]):
    """The files of a request."""

    @contextmanager
    def on_disk(self) -> Iterator[tuple[list[Path], list[str]]]:
        """The files in a folder for as long as the context lasts, under names of ours, and the client's names of them."""
        with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
            paths = []
            for i, upload in enumerate(self):
                paths.append(Path(folder) / f"{i}{upload.suffix}")
                paths[-1].write_bytes(upload.content)
            yield paths, [upload.name for upload in self]


async def read_body(request: Request, limits: Limits) -> bytes:
    """The whole body.

    Raises      Refused: 413 for too many bytes, 408 for a body that does not come, 400 for one that is cut off
    """
    most = limits.request_bytes
    too_large = Refused(413, f"The body of a request may have {most:,} bytes at most. Send less at a time.")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Refused(408, f"The body of the request did not come within {limits.seconds:g} seconds.") from None
    except ClientDisconnect:
        raise Refused(400, "The request was cut off: its body ended before it was complete.") from None
    return b"".join(parts)


async def take_apart(request: Request, body: bytes) -> Any:
    """The plain data of JSON, or the Files of a form or of the body itself.

    Raises      Refused: 400 for a body that is none of these
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if not body:
        raise Refused(400, 'The request has no body. Send JSON such as {"data": ...}, or a file.')
    if kind == "multipart/form-data":
        return await _form(request, body)
    if kind in ("application/json", "text/json", "") or kind.endswith("+json"):
        return plain_data(body)
    if kind == "application/x-www-form-urlencoded":  # what curl says unless it is told; nobody sends such a form here
        return plain_data(body)
    suffix = _SUFFIXES.get(kind) or next((end for mark, end in _BEGINNINGS.items() if body.startswith(mark)), "")
    name = request.query_params.get("filename", "")
    if not suffix and not name:
        raise Refused(
            415,
            f"The content type {kind!r:.80} is not known here. Send application/json, text/csv, image/png, "
            "or a form (multipart/form-data) with files; or name the file: /predict?filename=new.csv.",
        )
    return Files([Upload(name or f"body{suffix}", body)])


def plain_data(body: bytes) -> Any:
    """What stands under "data" in a JSON text, or a list that is the whole text.

    Raises      Refused: 400 where the text is no JSON, or has another form
    """

    def refuse(name: str) -> Any:
        raise Refused(400, f"{name} is no number of JSON. Send null for a missing value.")

    try:
        found = json.loads(body, parse_constant=refuse)
    except UnicodeDecodeError as error:
        raise Refused(400, f"The body is no JSON: it is not encoded as UTF-8 (byte {error.start}).") from None
    except json.JSONDecodeError as error:
        cut = " It ends too early." if error.pos >= len(error.doc.rstrip()) else ""
        raise Refused(400, f"The body is no JSON: {error.msg} (line {error.lineno}, column {error.colno}).{cut}") from None
    except RecursionError:
        raise Refused(400, "The body is no JSON that can be read: it is nested too deeply.") from None
    except ValueError as error:  # a number of thousands of digits
        raise Refused(400, f"The body holds a number that cannot be read: {error}.") from None
    if isinstance(found, dict):
        if set(found) != {"data"}:
            keys = ", ".join(repr(str(key)[:40]) for key in list(found)[:5]) or "nothing"
            raise Refused(400, f'Expected an object with the samples under "data", and nothing else. Got {keys}.')
        return found["data"]
    if not isinstance(found, list):
        raise Refused(400, 'Expected an object with the samples under "data", or a list of samples.')
    return found


async def _form(request: Request, body: bytes) -> Files:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    files = Files()
    try:
        parser = MultiPartParser(
            request.headers,
            whole(),
            max_files=_MOST_FILES,
            max_fields=10,
            max_part_size=len(body),
        )
        async with asyncio.timeout(60):
            form = await parser.parse()
        for _, value in form.multi_items():
            if not isinstance(value, str):
                files.append(Upload(Path(value.filename or "file").name, await value.read()))
        await form.close()
    except (MultiPartException, KeyError, AttributeError, ValueError) as error:
        raise Refused(400, f"The form cannot be read, or was cut off: {error}.") from None
    if not files:
        raise Refused(400, "The form holds no file. Send files as parts with a filename, such as curl -F file=@new.csv.")
    return files
