"""One picture file to an array of 8-bit numbers. Pillow is imported when the first picture is read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, MissingDependencyError, ParameterError

__all__ = ["FITS", "MAX_PIXELS", "SUFFIXES", "Header", "fitted", "read_header", "read_mask", "read_picture"]

Pixels = NDArray[np.uint8]
#: What a picture's file is called; the kind itself is found out from its first bytes.
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
#: A file of more pixels is refused before it is decoded: a few kilobytes can claim gigabytes. It is Pillow's own limit.
MAX_PIXELS = 89_478_485
#: How a picture is brought to a size: all of it, its middle, or all of it with borders.
FITS = ("stretch", "crop", "pad")
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
_EXIF_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257


class Header(NamedTuple):
    """What the beginning of a file says: the size as it is shown, and whether it has no colours."""

    height: int
    width: int
    grey: bool


def read_header(path: str | os.PathLike[str]) -> Header:
    """Size and kind of a picture, without decoding it.

    Raises      ImageError naming the file when it is missing, no picture, or too large
    """
    with _Opened(path) as image:
        width, height = image.size
        if image.format == "TIFF":  # Pillow turns it on loading, and some versions say so beforehand
            width, height = image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]
        if image.getexif().get(_EXIF_ORIENTATION) in _SIDEWAYS:
            width, height = height, width
        return Header(height, width, image.mode in _GREY)


def read_picture(
    path: str | os.PathLike[str], *, channels: int = 3, size: tuple[int, int] | None = None, fit: str = "stretch"
) -> Pixels:
    """The pixels of a picture, turned as its camera says (EXIF).

    Palettes, CMYK and other colour spaces become RGB; what is transparent is put on white; 16 bits become the upper 8.

    Parameters
        channels : 3 (RGB) or 1 (grey) ; size : (H, W) to bring it to, None leaves it
        fit : "stretch" to the size, "crop" its middle of that shape, or "pad" with black, neither cut nor stretched
    Shapes      (H, W, channels)
    Raises      ImageError naming the file when it is missing, damaged, no picture, or too large ;
                MissingDependencyError without Pillow
    """
    with _Opened(path) as image:
        if size is not None and image.format == "JPEG":
            # The decoder can leave out the finest detail, which saves most of the time for a photograph made small.
            sideways = image.getexif().get(_EXIF_ORIENTATION) in _SIDEWAYS
            image.draft(None, (2 * size[0], 2 * size[1]) if sideways else (2 * size[1], 2 * size[0]))
        turn = _turn_left(image)
        image = _turned(_eight_bits(image, channels, path), turn)
        if size is not None:
            image = fitted(image, size, fit)
        pixels: Pixels = np.asarray(image, np.uint8)
        return pixels.reshape(*pixels.shape[:2], channels)


def read_mask(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    fit: str = "stretch",
    of: str | os.PathLike[str] | None = None,
) -> Pixels:
    """The class of every pixel (H, W): the values of a grey picture or the indices of a palette, resized without mixing.

    A mask of black and white alone (0 and 255) becomes 0 and 1. In a palette of other colours 255 stays: it is often the
    label of what has none.

    Parameters  size, fit : as the picture's ; of : the picture it belongs to, whose size it must have
    Raises      ImageError as ``read_picture``, and when the mask has colours or another size than its picture
    """
    with _Opened(path) as image:
        if of is not None:
            whole, own = read_header(of), read_header(path)
            if own[:2] != whole[:2]:
                raise ImageError(
                    f"{os.fspath(path)}: the mask is {own.height} × {own.width} pixels (height × width), its picture "
                    f"{os.fspath(of)} is {whole.height} × {whole.width}. Every mask needs the size of its picture."
                )
        turn = _turn_left(image)
        if image.mode == "1":
            image = image.convert("L")
        if image.mode in ("RGB", "RGBA", "LA"):
            channels = np.asarray(image)[..., : 3 if image.mode != "LA" else 1]
            if (channels != channels[..., :1]).any():
                raise ImageError(
                    f"{os.fspath(path)}: the mask has colours ({image.mode}). A mask holds the number of a class in every "
                    "pixel: save it as a grey picture or with a palette."
                )
            image = _library().fromarray(np.ascontiguousarray(channels[..., 0]))
        coloured = image.mode == "P" and not _black_and_white(image)
        values = np.asarray(image)
        if values.ndim != 2 or values.dtype.kind not in "iu" or int(values.max(initial=0)) > 255:
            raise ImageError(f"{os.fspath(path)}: a mask needs whole numbers from 0 to 255, got mode {image.mode}.")
        image = _turned(_library().fromarray(values.astype(np.uint8)), turn)
        if size is not None:
            image = fitted(image, size, fit, nearest=True)
        classes: Pixels = np.array(image, np.uint8)
    if not coloured and bool(((classes == 0) | (classes == 255)).all()):
        classes //= 255
    return classes


def fitted(image: Any, size: tuple[int, int], fit: str, *, nearest: bool = False) -> Any:
    """A Pillow image brought to (H, W)."""
    from PIL.Image import Resampling

    height, width = size
    if image.size == (width, height):
        return image
    how = Resampling.NEAREST if nearest else Resampling.BILINEAR
    across, down = image.size
    if fit == "stretch":
        return image.resize((width, height), how)
    if fit == "crop":
        scale = max(width / across, height / down)
        w, h = width / scale, height / scale
        left, top = (across - w) / 2, (down - h) / 2
        return image.resize((width, height), how, box=(left, top, left + w, top + h))
    if fit != "pad":
        raise ParameterError(f"fit must be one of {', '.join(FITS)}. Got {fit!r}.")
    scale = min(width / across, height / down)
    w, h = max(1, round(across * scale)), max(1, round(down * scale))
    whole = _library().new(image.mode, (width, height))
    whole.paste(image.resize((w, h), how), ((width - w) // 2, (height - h) // 2))
    return whole


# ---------------------------------------------------------------- Pillow


def _library() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError("Pillow", "Reading pictures", extra="images") from error
    return Image


class _Opened:
    """A picture's file, open; whatever Pillow says about a bad one becomes an ImageError with its name."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def __enter__(self) -> Any:
        library = _library()
        place = Path(self.path)
        try:
            kind = place.stat().st_mode
            if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                raise ImageError(f"{place}: expected a picture, got a pipe or a device.")
            # Given a name, Pillow maps a grey TIFF into memory with the height and width of the picture when it is turned.
            self.file = place.open("rb")
            try:
                self.image = library.open(self.file)
            except BaseException:
                self.file.close()
                raise
        except ImageError:
            raise
        except FileNotFoundError:
            raise ImageError(f"{place}: there is no such file.") from None
        except IsADirectoryError:
            raise ImageError(f"{place}: expected a picture, got a folder.") from None
        except (library.DecompressionBombError, library.DecompressionBombWarning) as error:
            raise ImageError(f"{place}: refused: it claims more than {MAX_PIXELS:,} pixels ({error}).") from None
        except Exception as error:
            raise ImageError(f"{place}: {_why(place, error)}") from error
        width, height = self.image.size
        if width * height > MAX_PIXELS or 0 in (width, height):
            self._close()
            raise ImageError(
                f"{place}: refused: it claims {height:,} × {width:,} pixels; at most {MAX_PIXELS:,} in all are read. "
                "Make it smaller first."
            )
        return self.image

    def _close(self) -> None:
        self.image.close()
        self.file.close()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._close()
        if isinstance(error, Exception) and not isinstance(error, (ImageError, MissingDependencyError, ParameterError)):
            # What the decoders raise for damaged data is not one kind of error: OSError, SyntaxError, ValueError, ...
            raise ImageError(
                f"{self.path}: the picture is damaged or cut short ({str(error) or type(error).__name__}). "
                'Replace it, or skip what cannot be read (on_error="skip"; of the command --broken skip).'
            ) from error


def _why(place: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "it may not be read: permission denied."
    try:
        size = place.stat().st_size
    except OSError:
        size = -1
    if size == 0:
        return "the file is empty."
    kind = type(error).__name__
    what = "is no picture that can be read" if kind == "UnidentifiedImageError" else f"cannot be opened ({kind}: {error})"
    return f"it {what}. PNG, JPEG, BMP, GIF, WebP and TIFF are known."


def _black_and_white(image: Any) -> bool:
    """Whether 0 and 255 of a palette are black and white."""
    colours = image.getpalette("RGB") or []
    return colours[:3] == [0, 0, 0] and colours[3 * 255 : 3 * 256] == [255, 255, 255]


def _eight_bits(image: Any, channels: int, path: str | os.PathLike[str]) -> Any:
    """The image as L or RGB."""
    library, mode = _library(), image.mode
    if mode.startswith("I"):  # 16 bits of grey; Pillow's own conversion would make everything above 255 white
        values = np.asarray(image)
        top = int(values.max(initial=0))
        if int(values.min(initial=0)) < 0 or top > 65535:
            raise ImageError(
                f"{os.fspath(path)}: grey values from {values.min()} to {top} do not fit 16 bits. Save it with 8 or 16 bits."
            )
        image = library.fromarray((values >> 8).astype(np.uint8))
    elif mode == "F":
        raise ImageError(
            f"{os.fspath(path)}: its pixels are floating-point numbers of unknown range. Save it with 8 or 16 bits, "
            "or pass the pixels as an array."
        )
    elif mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = library.new("RGBA", image.size, "white")
        image = library.alpha_composite(white, image)
    wanted = "L" if channels == 1 else "RGB"
    if image.mode != wanted:
        image = image.convert(wanted)
    return image


def _turn_left(image: Any) -> Any:
    """The orientation that is still to be given to the pixels: of a TIFF Pillow has turned them when they are loaded."""
    image.load()
    return image.getexif().get(_EXIF_ORIENTATION)


def _turned(image: Any, orientation: Any) -> Any:
    """The image turned and mirrored as its camera noted (EXIF)."""
    from PIL.Image import Transpose

    how = {
        2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
    }  # fmt: skip
    return image.transpose(how[orientation]) if orientation in how else image
