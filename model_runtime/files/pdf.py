"""PDF documents: scores drawn to grey pages, and score images written as pages of vectors or of pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from lxml import etree

from model_runtime.engraving.raster import font_files
from model_runtime.errors import MusicError, TooLarge, UnreadableFile
from model_runtime.files.limits import Limits
from model_runtime.files.storing import content_of, store
from model_runtime.modality import GreyPage, ScoreImage

if TYPE_CHECKING:
    import pypdfium2

POINTS_PER_INCH = 72.0
SVG_DOTS_PER_INCH = 96.0  # CSS pixels, where nothing says how large a page is
PASSWORD_NEEDED = 4  # PDFium's FPDF_ERR_PASSWORD
UNKNOWN_SECURITY = 5  # PDFium's FPDF_ERR_SECURITY
ROUNDING = 1 - 1e-6  # PDFium rounds a page's pixels up, and would make 90.00001 a row too many
_TAIL_BYTES = 4096  # a PDF ends with %%EOF; some programs let a little garbage follow


def read_pdf(path: Path, limits: Limits, dots_per_inch: float = 300.0) -> ScoreImage:
    """Draw every page of a PDF document, grey.

    Raises:
        UnreadableFile: encrypted, truncated, damaged or without pages.
        TooLarge: too many pages, or a page of too many pixels.
    """
    import pypdfium2

    data = content_of(path)
    if b"%%EOF" not in data[-_TAIL_BYTES:]:
        raise UnreadableFile("The PDF is truncated.", hint="Copy or export it again.")
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in (PASSWORD_NEEDED, UNKNOWN_SECURITY):
            raise UnreadableFile("The PDF is encrypted.", hint="Save it without a password.") from error
        raise _damaged() from error
    try:
        if not 0 < len(document) <= limits.pages:
            raise _page_count(len(document), limits)
        pages = tuple(_drawn(document, number, limits, dots_per_inch) for number in range(len(document)))
    except pypdfium2.PdfiumError as error:
        raise _damaged() from error
    finally:
        document.close()
    return ScoreImage(pages, dots_per_inch=dots_per_inch)


def _drawn(document: pypdfium2.PdfDocument, number: int, limits: Limits, dots_per_inch: float) -> GreyPage:
    page = document[number]
    try:
        scale = dots_per_inch / POINTS_PER_INCH
        width, height = page.get_width() * scale, page.get_height() * scale
        if not 1 <= width * height <= limits.page_pixels or min(width, height) < 1:
            raise TooLarge(
                f"Page {number + 1} has {width:.0f}×{height:.0f} pixels at {dots_per_inch:.0f} dpi, "
                f"and at most {limits.page_pixels / 1e6:.0f} million are read."
            )
        bitmap = page.render(scale=scale * ROUNDING, grayscale=True, fill_color=(255, 255, 255, 255))
        drawn = np.asarray(bitmap.to_numpy(), np.uint8)
        return np.array(drawn.reshape(drawn.shape[0], drawn.shape[1], -1)[:, :, 0])  # a copy: the bitmap goes
    finally:
        page.close()


def write_pdf(image: ScoreImage, path: Path) -> None:
    """Write one document: vectors where an engraver drew the pages, else their pixels, without loss.

    Pages have the size that the image's resolution says.

    Raises:
        UnwritableFile: no room, no right or no folder.
    """
    import pypdfium2

    document = pypdfium2.PdfDocument.new()
    try:
        if image.svg:
            _add_vectors(document, image)
        else:
            for page in image.pages:
                _add_pixels(document, page, image.dots_per_inch or 300.0)
        buffer = io.BytesIO()  # PDFium's writer does not notice a full disk
        document.save(buffer)
    finally:
        document.close()
    store(path, buffer.getvalue())


def _add_vectors(document: pypdfium2.PdfDocument, image: ScoreImage) -> None:
    import pypdfium2
    import svg2pdf_py

    fonts = svg2pdf_py.FontDatabase.system()
    for font in font_files():  # what the engraver's pages name, there on every machine
        fonts.load_font_file(font)
    for i, svg in enumerate(image.svg):
        width_points = None
        if image.dots_per_inch and i < len(image.pages):
            width_points = image.pages[i].shape[1] / image.dots_per_inch * POINTS_PER_INCH
        try:
            pdf = svg2pdf_py.svg_to_pdf(_sized(svg, width_points), fonts)
        except (ValueError, RuntimeError) as error:
            raise MusicError("The engraved page cannot be turned into a PDF.", hint="Write a PNG.") from error
        with pypdfium2.PdfDocument(pdf) as page:
            document.import_pages(page)


def _sized(svg: str, width_points: float | None) -> str:
    """The SVG with a width and height in points; what it shows is scaled along."""
    root = etree.fromstring(svg.encode(), etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    box = [float(value) for value in (root.get("viewBox") or "").replace(",", " ").split()]
    if len(box) != 4:
        box = [0.0, 0.0, _pixels(root.get("width")), _pixels(root.get("height"))]
        root.set("viewBox", " ".join(f"{value:g}" for value in box))
    if width_points is None:
        width_points = (_pixels(root.get("width")) or box[2]) * POINTS_PER_INCH / SVG_DOTS_PER_INCH
    root.set("width", f"{width_points:.3f}")
    root.set("height", f"{width_points * box[3] / box[2]:.3f}")
    return etree.tostring(root, encoding="unicode")


def _pixels(length: str | None) -> float:
    try:
        return float((length or "0").removesuffix("px"))
    except ValueError:  # a length in per cent or centimetres: the view box tells
        return 0.0


def _add_pixels(document: pypdfium2.PdfDocument, page: GreyPage, dots_per_inch: float) -> None:
    import pypdfium2
    from PIL import Image

    width = page.shape[1] / dots_per_inch * POINTS_PER_INCH
    height = page.shape[0] / dots_per_inch * POINTS_PER_INCH
    picture = pypdfium2.PdfImage.new(document)
    bitmap = pypdfium2.PdfBitmap.from_pil(Image.fromarray(page))
    picture.set_bitmap(bitmap)
    # A hair smaller, because PDFium draws a picture that ends on a pixel's edge one pixel larger.
    picture.set_matrix(pypdfium2.PdfMatrix().scale(width * ROUNDING, height * ROUNDING))
    sheet = document.new_page(width, height)
    sheet.insert_obj(picture)
    sheet.gen_content()
    sheet.close()
    bitmap.close()


def _page_count(count: int, limits: Limits) -> MusicError:
    if count == 0:
        return UnreadableFile("The PDF has no pages.")
    return TooLarge(f"The PDF has {count} pages, and at most {limits.pages} are read.", hint="Send it in parts.")


def _damaged() -> UnreadableFile:
    return UnreadableFile("The PDF is damaged.", hint="Export it again.")
