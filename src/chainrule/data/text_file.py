"""The text of a file: read within a limit of memory, decompressed and decoded, with an error that says what is wrong."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import stat
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

from chainrule.errors import TableError, did_you_mean

from .memory import memory_limit

__all__ = ["Decoded", "open_text", "read_bytes", "read_text"]

FOREIGN = {  # how files that are no text begin, and what to say of them
    b"PK\x03\x04": "a zip or Excel file; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel file; save the sheet as CSV",
    b"PAR1": "a Parquet file; name it .parquet",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy .npy file; load it with numpy.load",
    b"BZh": "a file compressed by bzip2; decompress it first",
    b"\xfd7zXZ": "a file compressed by xz; decompress it first",
    b"\x28\xb5\x2f\xfd": "a file compressed by zstd; decompress it first",
}
_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_GZIP = b"\x1f\x8b"
_CHUNK = 2**22
#: An encoding is found out from so many bytes, and taken when at least so many per cent of the letters fit a language, or at
#: most so many are out of place.
_LOOKED_AT, _COHERENT, _CHAOTIC = 2**17, 20.0, 1.0
_ALPHABETS = frozenset({"cp1251", "koi8_r", "koi8_u", "cp1253", "iso8859_7", "cp1255", "cp1256"})
_EAST_ASIAN = frozenset({"cp932", "shift_jis", "euc_jp", "gb2312", "gbk", "gb18030", "big5", "cp949", "euc_kr"})
#: Above this share of bytes that are no ASCII, a text in an unknown encoding is not one of a Western language.
_MOST_WESTERN = 0.2

#: Encodings of languages in Latin letters, by what they are called, the most common first.
_WESTERN = {
    "cp1252": "Windows-1252", "mac_roman": "Mac Roman", "cp850": "DOS, code page 850", "cp1250": "Windows-1250",
    "iso8859_2": "ISO 8859-2",
}  # fmt: skip
_ACCENTED = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœšžðþąćęłńśźżčďěňřťůőű")
_SIGNS = frozenset("€£¥§©®°±²³µ½¼¾«»‘’“”„–—…·•×™ªº¿¡ \u00a0")


class Decoded(NamedTuple):
    """A text. Parameters  text ; note : what was guessed about its encoding, or None ; encoding : the guess, or "" """

    text: str
    note: str | None
    encoding: str = ""


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """The whole file, with a TableError that says why when it cannot be read or has more bytes than the limit."""
    most = memory_limit(limit)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            what = "a pipe" if stat.S_ISFIFO(status.st_mode) else "a device or a socket"
            raise TableError(f"{path}: this is {what}, which cannot be read twice. Write its content to a file first.")
        if status.st_size > most and stat.S_ISREG(status.st_mode):
            raise _too_large(path, f"{status.st_size:,} bytes", most)
        return path.read_bytes()
    except FileNotFoundError as error:
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, siblings) if siblings else f" The folder {path.parent} does not exist either."
        raise TableError(f"{path}: there is no such file.{hint}") from error
    except IsADirectoryError as error:
        raise TableError(f"{path}: this is a folder; give the path of a file in it.") from error
    except PermissionError as error:
        if path.is_dir():  # what Windows says of a folder
            raise TableError(f"{path}: this is a folder; give the path of a file in it.") from error
        raise TableError(f"{path}: permission to read this file is denied.") from error
    except (OSError, ValueError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"{path}: the file cannot be read: {error}.") from error


def read_text(path: Path, encoding: str | None = None, limit: int | None = None) -> Decoded:
    """The text of a file, gzipped or not. Without an encoding it is UTF-8, what a byte order mark says, or a guess with
    a note.

    Raises      TableError for a file that cannot be read, is too large, is no text, or has another encoding
    """
    return _decode(path, _unzip(path, read_bytes(path, limit), memory_limit(limit)), encoding)


def open_text(path: Path, encoding: str | None = None) -> tuple[TextIO, str | None]:
    """The text of a file, gzipped or not, to be read piece by piece, and a note where its encoding was guessed.

    Without an encoding it is what the first megabytes of the file say. Whoever reads on gets a UnicodeDecodeError where the
    rest does not keep to it, and EOFError, zlib.error or OSError where a gzipped file is damaged.

    Raises      TableError as ``read_text``
    """
    stream: BinaryIO
    try:
        stream = path.open("rb")
    except (OSError, ValueError):
        read_bytes(path, 0)  # which says what is wrong with it
        raise
    try:
        if stream.peek(2)[:2] == _GZIP:
            stream.close()
            stream = cast(BinaryIO, gzip.open(path, "rb"))  # noqa: SIM115 (the caller closes it)
        head = stream.read(_CHUNK)
        note = None
        if encoding is None:
            mark = next((name for start, name in _MARKS if head.startswith(start)), None)
            encoding = mark or _without_mark(head) or "utf-8-sig"
        whole = (
            head[: head.rfind(b"\n") + 1] if len(head) == _CHUNK and not encoding.startswith(("utf-16", "utf-32")) else head
        )
        try:
            codecs.getincrementaldecoder(encoding)().decode(whole)
        except UnicodeDecodeError:
            found = _decode(path, whole, None)
            note, encoding = found.note, found.encoding or encoding
        except LookupError:
            _decode(path, whole, encoding)
        if b"\0" in whole[:4096] or any(whole.startswith(start) for start in FOREIGN):
            _decode(path, whole, encoding)
        stream.seek(0)
    except (EOFError, zlib.error, OSError) as error:
        stream.close()
        raise TableError(f"{path}: the file cannot be read, or is damaged: {error}.") from error
    except TableError:
        stream.close()
        raise
    return io.TextIOWrapper(stream, encoding, newline=""), note


def _too_large(path: Path, size: str, most: int) -> TableError:
    return TableError(
        f"{path}: refused, because it holds {size}, and at most {most:,} bytes are read on this machine. Give a smaller "
        "file, or "
        "raise the limit: --max-memory, in Python max_memory=."
    )


def _unzip(path: Path, data: bytes, most: int) -> bytes:
    """The data of a gzipped file. What it becomes is counted while it is decompressed: its own figure may be wrong."""
    if not data.startswith(_GZIP):
        if path.suffix == ".gz" and data:
            raise TableError(f"{path}: the name ends in .gz but the file is not gzipped. Rename or compress it.")
        return data
    declared = int.from_bytes(data[-4:], "little")
    if declared > most:
        raise _too_large(path, f"{declared:,} bytes once it is decompressed", most)
    parts, total, rest = [], 0, data
    try:
        while rest.strip(b"\0"):  # a file may hold several gzipped parts, one after the other
            machine = zlib.decompressobj(wbits=31)
            waiting = rest
            while not machine.eof:
                part = machine.decompress(waiting, min(_CHUNK, most - total + 1))
                waiting = machine.unconsumed_tail
                if not part and not waiting and not machine.eof:
                    raise EOFError("it ends before its end mark")
                total += len(part)
                if total > most:
                    raise _too_large(path, f"more than {most:,} bytes once it is decompressed", most)
                parts.append(part)
            rest = machine.unused_data
    except (EOFError, zlib.error) as error:
        raise TableError(f"{path}: the gzipped file is damaged or cut off: {error}.") from error
    return b"".join(parts)


def _decode(path: Path, data: bytes, encoding: str | None) -> Decoded:
    for start, what in FOREIGN.items():
        if data.startswith(start):
            raise TableError(f"{path}: expected text, but this is {what}.")
    mark = next((name for start, name in _MARKS if data.startswith(start)), None)
    is_open = encoding is None
    if encoding is None:
        encoding = mark or _without_mark(data) or "utf-8"
    if encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig"):
        if mark is not None:
            raise TableError(
                f"{path}: the file is {mark.upper()} text. Save it as UTF-8, or name its encoding: --encoding {mark}, "
                "in Python "
                f"encoding='{mark}'."
            )
        encoding = "utf-8-sig"
    is_wide = encoding.lower().startswith(("utf-16", "utf_16", "utf-32", "utf_32"))
    nul = -1 if is_wide else data.find(b"\0")
    if nul >= 0:
        sample = data[:4096]
        if sum(byte < 9 or 13 < byte < 32 for byte in sample) > max(4, len(sample) // 20):
            raise TableError(f"{path}: expected text, but this is a binary file (byte 0x00 at offset {nul}).")
        raise TableError(
            f"{path}, line {_line_at(data, nul)}: a NUL byte at offset {nul}. The file is damaged, or not UTF-8 text."
        )
    try:
        return Decoded(data.decode(encoding), None)
    except UnicodeDecodeError as error:
        guessed = (_western(data, error.start) or _detected(data)) if is_open else None
        if guessed is not None:
            return guessed
        raise TableError(
            f"{path}, line {_line_at(data, error.start)}: byte 0x{data[error.start]:02X} at offset {error.start} is "
            f"not {encoding.removesuffix('-sig')}. Save the file as UTF-8, or name its encoding: --encoding latin-1, in "
            "Python "
            "encoding='latin-1' (Western languages; others are cp1250, cp1251, gb18030, shift_jis, ...)."
        ) from error
    except LookupError as error:
        raise TableError(f"{path}: unknown encoding {encoding!r}; try 'utf-8', 'latin-1' or 'utf-16'.") from error


def _line_at(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _western(data: bytes, first: int) -> Decoded | None:
    """The text in the encoding of Western languages that its bytes look like, of Windows, the Macintosh or DOS, or in one of
    Polish and Hungarian; None when they look like another script."""
    as_utf8 = data.decode("utf-8", "replace")
    wrong = as_utf8.count("\ufffd")
    n_other = sum(data.count(bytes((byte,))) for byte in range(128, 256))
    if n_other - wrong > wrong or n_other > _MOST_WESTERN * len(data):  # a damaged UTF-8 text, or one in another script
        return None
    best, encoding = -1.0, ""
    for name in _WESTERN:
        try:
            share = _share_in_place(data[:_LOOKED_AT].decode(name))
            data.decode(name)
        except UnicodeDecodeError:
            continue
        if share > best + (0.1 if encoding else 0.0):  # the first is the most common one by far
            best, encoding = share, name
    if not encoding:
        return None
    text = data.decode(encoding)
    line = _line_at(data, first)
    start = data.rfind(b"\n", 0, first) + 1
    word = max(data[start : first + 20].decode(encoding).split("\n")[0].replace(";", ",").split(","), key=_non_ascii)
    note = (
        f"The file is not UTF-8: read as Western text ({_WESTERN[encoding]}), so line {line} has {word.strip()[:30]!r}. If "
        "that is wrong: --encoding, in Python encoding=."
    )
    return Decoded(text, note, encoding)


def _share_in_place(text: str) -> float:
    """The share of characters beyond ASCII that stand where such texts have them: letters within words, in the case of the
    letters beside them, and the common signs."""
    good = count = 0
    for match in re.finditer(r"[^\x00-\x7f]", text):
        sign, at = match[0], match.start()
        before, after = text[max(0, at - 1) : at], text[at + 1 : at + 2]
        count += 1
        if sign.lower() in _ACCENTED:
            # A capital begins a word, or stands among capitals.
            fits = not before.islower() and (after.isupper() or not before.isalpha()) if sign.isupper() else True
            good += fits and (before.isalpha() or after.isalpha())
        else:
            good += sign in _SIGNS and not (before.isalpha() and after.isalpha() and sign != "’")
    return good / max(1, count)


def _detected(data: bytes) -> Decoded | None:
    """The text in the encoding that ``charset-normalizer`` finds for it, where that package is installed and sure of it."""
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return None
    found = from_bytes(data[:_LOOKED_AT]).best()
    # Latin letters with accents are too much alike in many encodings to be told apart by a table's few words.
    if found is None or not (
        (found.encoding in _ALPHABETS and found.percent_coherence >= _COHERENT)
        or (found.encoding in _EAST_ASIAN and found.percent_chaos <= _CHAOTIC)
    ):
        return None
    try:
        text = data.decode(found.encoding)
    except (UnicodeDecodeError, LookupError):
        return None
    words = [word for word in re.findall(r"\w+", text[:_LOOKED_AT]) if not word.isascii()]
    shown = ", ".join(repr(word[:30]) for word in dict.fromkeys(words[:20]))[:90]
    return Decoded(
        text,
        f"The file is not UTF-8: read as {found.encoding}, as for {found.language}, so it has {shown}. If that is wrong: "
        "--encoding, in Python encoding=.",
        found.encoding,
    )


def _non_ascii(text: str) -> int:
    return sum(not character.isascii() for character in text)


def _without_mark(data: bytes) -> str | None:
    """UTF-16 without a byte order mark: nearly every second byte of its Western letters is 0."""
    sample = data[:4096]
    half = len(sample) // 2
    if half < 8:
        return None
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if sample[first::2].count(0) > 0.7 * half and sample[1 - first :: 2].count(0) == 0:
            return name
    return None
