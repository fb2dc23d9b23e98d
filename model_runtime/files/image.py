"""Reading pictures and PDF documents of scores as grey pages, and writing score images as PNG or SVG."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_runtime.errors import MusicError, TooLarge, UnreadableFile, UnsupportedFormat
from model_runtime.files.limits import Limits
from model_runtime.files.pdf import read_pdf, write_pdf
from model_runtime.files.storing import stored
from model_runtime.modality import GreyPage, ScoreImage

if TYPE_CHECKING:
    from PIL import Image

PLAUSIBLE_DPI = (50.0, 4800.0)  # a camera's 72 is kept, a header's 1 or 0 is not
MAXIMUM_16_BIT = 65535


def read_image(path: Path, format: str, limits: Limits | None = None, *, dots_per_inch: float = 300.0) -> ScoreImage:
    """Read a PNG, JPEG, TIFF (all pages), WebP or BMP picture, or a PDF document.

    Pictures are turned as their EXIF data says; what is transparent is paper.

    Args:
        path: The file.
        format: What it is: "png", "jpeg", "tiff", "webp", "bmp" or "pdf".
        limits: How many pages and pixels a page it may have.
        dots_per_inch: At which the pages of a PDF are drawn.

    Raises:
        UnreadableFile: damaged, truncated or encrypted.
        TooLarge: too many pages, or a page of too many pixels.
    """
    limits = limits or Limits()
    if format == "pdf":
        return read_pdf(path, limits, dots_per_inch)
    return _read_picture(path, limits, all_pages=format == "tiff")


def write_image(image: ScoreImage, path: Path, format: str) -> list[Path]:
    """Write a PNG or SVG picture a page, or one PDF document.

    Returns:
        The files: `path` itself for a single page or a PDF, else name-1.png, name-2.png, …

    Raises:
        UnsupportedFormat: SVG is asked for, but no engraver drew the image.
        UnwritableFile: no room, no right or no folder; then none of the pages is there.
    """
    if format == "pdf":
        write_pdf(image, path)
        return [path]
    if format == "svg" and not image.svg:
        raise UnsupportedFormat("This score image is made of pixels and cannot be written as SVG.", hint="Write a PNG.")
    count = len(image.svg) if format == "svg" else len(image.pages)
    paths = [path] if count == 1 else [path.with_stem(f"{path.stem}-{number}") for number in range(1, count + 1)]
    with ExitStack() as stack:
        for i, page_path in enumerate(paths):
            temporary = stack.enter_context(stored(page_path))
            if format == "svg":
                temporary.write_text(image.svg[i], encoding="utf-8")
            else:
                _write_png(image.pages[i], image.dots_per_inch, temporary)
    return paths


def _write_png(page: GreyPage, dots_per_inch: float | None, path: Path) -> None:
    from PIL import Image

    resolution = {} if dots_per_inch is None else {"dpi": (dots_per_inch, dots_per_inch)}
    Image.fromarray(page).save(path, format="PNG", **resolution)


def _read_picture(path: Path, limits: Limits, *, all_pages: bool) -> ScoreImage:
    from PIL import Image

    with _decoding(), Image.open(path) as picture:
        count = getattr(picture, "n_frames", 1) if all_pages else 1
        if count > limits.pages:
            raise TooLarge(f"The picture has {count} pages, and at most {limits.pages} are read.")
        pages = []
        for number in range(count):
            picture.seek(number)
            if picture.width * picture.height > limits.page_pixels:
                raise _too_many_pixels(picture.width, picture.height, limits)
            pages.append(_grey(picture))
        return ScoreImage(tuple(pages), dots_per_inch=_resolution(picture))


@contextmanager
def _decoding() -> Iterator[None]:
    """Turn whatever Pillow's decoders raise for a damaged file into a refusal: its plugins share no error class."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except MusicError:
            raise
        except Image.DecompressionBombError:
            raise TooLarge("The picture has more pixels than any page of music.", hint="Scan at 300 dpi.") from None
        except Exception as error:
            raise UnreadableFile("The picture is truncated or damaged.", hint="Save or scan it again.") from error


def _too_many_pixels(width: int, height: int, limits: Limits) -> TooLarge:
    return TooLarge(
        f"A page has {width}×{height} pixels, and at most {limits.page_pixels / 1e6:.0f} million are read.",
        hint="Scan at 300 dpi.",
    )


def _grey(picture: Image.Image) -> GreyPage:
    """The current frame: upright, on white paper, grey, uint8."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I") or upright.mode == "F":
        return _eight_bits(np.asarray(upright))
    if upright.has_transparency_data:
        paper = Image.new("RGBA", upright.size, (255, 255, 255, 255))
        upright = Image.alpha_composite(paper, upright.convert("RGBA"))
    elif upright.mode not in ("1", "L"):
        upright = upright.convert("RGB")
    return np.array(upright.convert("L"), np.uint8)


def _eight_bits(samples: npt.NDArray[Any]) -> GreyPage:
    """Samples of 16 bits, or of any range as 32-bit and float pictures have it, as 8 bits."""
    values = np.nan_to_num(samples.astype(np.float32), posinf=MAXIMUM_16_BIT, neginf=0)
    if samples.dtype in (np.uint16, np.int32) and values.max(initial=0) <= MAXIMUM_16_BIT:
        full = MAXIMUM_16_BIT if samples.dtype == np.uint16 or values.max(initial=0) > 255 else 255
    else:
        full = values.max(initial=1) or 1
    return np.clip(values / full * 255 + 0.5, 0, 255).astype(np.uint8)


def _resolution(picture: Image.Image) -> float | None:
    try:
        across, down = (float(value) for value in picture.info.get("dpi", (0.0, 0.0)))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    plausible = PLAUSIBLE_DPI[0] <= across <= PLAUSIBLE_DPI[1] and abs(across - down) < 0.01 * across
    return across if plausible else None
