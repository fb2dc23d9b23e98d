"""Pictures and PDF documents of scores."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from file_samples import pdf_bytes, picture, picture_bytes, write_file
from PIL import Image

from model_runtime import files
from model_runtime.errors import TooLarge, UnreadableFile, UnsupportedFormat
from model_runtime.files.image import read_image
from model_runtime.files.limits import Limits
from model_runtime.modality import ScoreImage

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="200px" height="100px">'
    '<rect x="0" y="0" width="100" height="25" fill="black"/>'
    '<svg x="100" y="50" width="100" height="50" viewBox="0 0 10 5"><rect width="5" height="5" fill="black"/></svg>'
    '<text x="10" y="80" font-size="30px" font-family="Times, serif">Adagio</text></svg>'
)


def read(path: Path, limits: Limits | None = None) -> ScoreImage:
    value = files.read(path, limits=limits)
    assert isinstance(value, ScoreImage)
    return value


def page(tmp_path: Path, name: str, content: bytes) -> np.ndarray:
    return read(write_file(tmp_path, name, content)).pages[0]


# ---- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_every_kind_of_picture_shows_the_same_page(tmp_path: Path, format: str) -> None:
    shown = page(tmp_path, f"a.{format.lower()}", picture_bytes(format))
    assert shown.shape == (40, 60)
    assert np.abs(shown.astype(int) - np.asarray(picture()).astype(int)).mean() < 8


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_every_colour_mode_becomes_grey(tmp_path: Path, mode: str) -> None:
    image = picture()
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(image).astype(np.float32) / 255)
    else:
        image = image.convert(mode)
    shown = page(tmp_path, "a.tiff", picture_bytes("TIFF" if mode != "P" else "PNG", image))
    assert np.array_equal(shown, np.asarray(picture()))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_paper(tmp_path: Path, mode: str) -> None:
    image = picture().convert("RGBA")
    image.putalpha(Image.fromarray(255 - np.asarray(picture())))
    black = Image.new("RGBA", image.size, (0, 0, 0, 0))
    black.paste(image, mask=image.getchannel("A"))
    shown = page(tmp_path, "a.png", picture_bytes("PNG", black if mode == "RGBA" else black.convert(mode)))
    assert np.array_equal(shown, np.asarray(picture()))


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    sideways = picture().transpose(Image.Transpose.ROTATE_90)
    shown = page(tmp_path, "a.png", picture_bytes("PNG", sideways, exif=exif))
    assert np.array_equal(shown, np.asarray(picture()))


def test_all_pages_of_a_tiff_are_read_with_their_resolution(tmp_path: Path) -> None:
    pages = [picture(60 + i, 40) for i in range(3)]
    content = picture_bytes("TIFF", pages[0], save_all=True, append_images=pages[1:], dpi=(300, 300))
    image = read(write_file(tmp_path, "a.tif", content))
    assert [p.shape[1] for p in image.pages] == [60, 61, 62]
    assert image.dots_per_inch == pytest.approx(300)


def test_a_pdf_is_drawn_page_by_page_at_the_resolution_asked_for(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.pdf", pdf_bytes(pages=3))
    image = read_image(path, "pdf", dots_per_inch=100)
    assert [p.shape for p in image.pages] == [(200, 100)] * 3
    assert image.dots_per_inch == 100
    assert image.pages[2][150:, :50].max() == 0
    assert image.pages[2][:149].min() == 255
    assert read(path).pages[0].shape == (600, 300)


# ---- refusing ------------------------------------------------------------------------------------------------------


def test_an_encrypted_pdf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="encrypted") as caught:
        read(write_file(tmp_path, "a.pdf", pdf_bytes(encrypted=True)))
    assert "password" in caught.value.hint


def test_a_truncated_or_broken_pdf_is_refused(tmp_path: Path) -> None:
    whole = pdf_bytes()
    for content in (whole[:-30], whole[: len(whole) // 2], b"%PDF-1.4\nnothing\n%%EOF\n"):
        with pytest.raises(UnreadableFile):
            read(write_file(tmp_path, "a.pdf", content))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_a_truncated_picture_is_refused(tmp_path: Path, format: str) -> None:
    noisy = Image.fromarray(np.random.default_rng(1).integers(0, 255, (80, 80), dtype=np.uint8))
    whole = picture_bytes(format, noisy)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(UnreadableFile, match="truncated or damaged"):
            read(write_file(tmp_path, f"a.{format.lower()}", whole[: int(len(whole) * share)]))


def test_too_many_pixels_or_pages_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    bomb = write_file(tmp_path, "a.png", picture_bytes("PNG", Image.new("1", (12000, 12000))))
    huge = write_file(tmp_path, "b.png", picture_bytes("PNG", Image.new("1", (20000, 20000))))
    poster = write_file(tmp_path, "c.pdf", pdf_bytes(size=(4000.0, 4000.0)))
    book = write_file(tmp_path, "d.pdf", pdf_bytes(pages=300))
    for path in (bomb, huge, poster, book):
        with pytest.raises(TooLarge):
            read(path)
    frames = [picture()] * 5
    many = picture_bytes("TIFF", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(TooLarge, match="5 pages"):
        read(write_file(tmp_path, "e.tif", many), Limits(pages=4))


# ---- writing -------------------------------------------------------------------------------------------------------


def test_a_single_page_keeps_the_name_and_several_are_numbered(tmp_path: Path) -> None:
    pages = tuple(np.asarray(picture(60 + i)) for i in range(3))
    assert files.write(ScoreImage(pages[:1]), tmp_path / "my score.png") == [tmp_path / "my score.png"]
    several = files.write(ScoreImage(pages, dots_per_inch=200.0), tmp_path / "s.png")
    assert [p.name for p in several] == ["s-1.png", "s-2.png", "s-3.png"]
    back = read(several[2])
    assert np.array_equal(back.pages[0], pages[2])
    assert back.dots_per_inch == pytest.approx(200, abs=0.1)
    assert len(list(tmp_path.iterdir())) == 4


def test_an_engraved_page_is_written_as_svg_and_a_scanned_one_is_not(tmp_path: Path) -> None:
    engraved = ScoreImage((np.asarray(picture()),), svg=(SVG,))
    assert files.write(engraved, tmp_path / "a.svg")[0].read_text() == SVG
    with pytest.raises(UnsupportedFormat, match="made of pixels"):
        files.write(ScoreImage((np.asarray(picture()),)), tmp_path / "b.svg")
    assert not (tmp_path / "b.svg").exists()


def test_a_scanned_page_goes_into_a_pdf_and_comes_back_without_loss(tmp_path: Path) -> None:
    noisy = np.random.default_rng(2).integers(0, 255, (90, 120), dtype=np.uint8)
    files.write(ScoreImage((noisy, noisy[:60]), dots_per_inch=150.0), tmp_path / "a.pdf")
    back = read_image(tmp_path / "a.pdf", "pdf", dots_per_inch=150)
    assert [p.shape for p in back.pages] == [(90, 120), (60, 120)]
    with pypdfium2.PdfDocument(tmp_path / "a.pdf") as document:
        held = next(document[0].get_objects()).get_bitmap().to_numpy()
        assert np.array_equal(held.reshape(90, 120, -1)[:, :, 0], noisy)
    assert np.corrcoef(back.pages[0].ravel(), noisy.ravel())[0, 1] > 0.99


def test_an_engraved_page_goes_into_a_pdf_as_vectors_and_text_of_the_right_size(tmp_path: Path) -> None:
    pixels = np.full((100, 200), 255, np.uint8)
    files.write(ScoreImage((pixels, pixels), svg=(SVG, SVG), dots_per_inch=100.0), tmp_path / "a.pdf")
    with pypdfium2.PdfDocument(tmp_path / "a.pdf") as document:
        assert len(document) == 2
        assert document[1].get_size() == pytest.approx((144.0, 72.0), abs=0.1)
        text = document[0].get_textpage()
        assert "Adagio" in text.get_text_range()
        text.close()
    drawn = read_image(tmp_path / "a.pdf", "pdf", dots_per_inch=100).pages[0]
    assert drawn.shape == (100, 200)
    assert drawn[2:23, 2:98].max() == 0
    assert drawn[2:23, 104:].min() == 255
    assert drawn[52:98, 102:148].max() == 0  # the nested picture, scaled by its own view box
    assert drawn[60:90, 10:90].min() < 128  # the letters


def test_writing_a_page_that_cannot_be_replaced_leaves_none_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "s-2.png").mkdir()
    (tmp_path / "s-2.png" / "x").touch()
    pages = tuple(np.asarray(picture()) for _ in range(2))
    with pytest.raises(files.UnwritableFile):
        files.write(ScoreImage(pages), tmp_path / "s.png")
    assert [p.name for p in tmp_path.iterdir()] == ["s-2.png"]


def test_a_picture_in_memory_keeps_its_grey_levels(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    files.write(ScoreImage((ramp,)), tmp_path / "a.png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO((tmp_path / "a.png").read_bytes()))), ramp)
