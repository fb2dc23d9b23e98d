"""The unified model reads score images: pages, PDFs and photographs into notation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.engines.base import Availability, Context, Engine, Measurement
from model_runtime.errors import InvalidValue, UnreadableFile
from model_runtime.modality import Modality, Notation, ScoreImage, Value
from model_runtime.options import Options
from model_runtime.unified.inference import DECODER, ENCODER, weights_folder

if TYPE_CHECKING:
    from model_runtime.unified.image_reader import ImageReader
    from model_runtime.unified.inference import TrunkRuntime

_BENCHMARK = "python -m benchmarks.omr --data DIR --json FILE --lines 80"


class UnifiedImage(Engine):
    """Finds staves and glyphs with the image reader, and writes them as music with the trunk."""

    name = "unified-image"
    source = Modality.SCORE_IMAGE
    target = Modality.NOTATION
    summary = "Reads printed piano music and melodies: staves, notes and signs, then voices and rhythm."
    quality = 0.85
    measurements = (
        Measurement("symbol error rate, per cent", "80 OLiMPiC lines engraved by MuseScore 3", 10.8, _BENCHMARK),
        Measurement(
            "note F1 (pitch, onset in measure, duration)", "119 systems of printed editions", 0.900, _BENCHMARK
        ),
        Measurement("the same", "24 pages of them", 0.911, _BENCHMARK),
    )

    def __init__(self) -> None:
        self._reader: ImageReader | None = None
        self._trunk: TrunkRuntime | None = None

    def availability(self) -> Availability:
        """Whether its weights are there."""
        from model_runtime.unified.image_reader import ATTRIBUTES, BACKBONE

        missing = [name for name in (BACKBONE, ATTRIBUTES, ENCODER, DECODER) if not (weights_folder() / name).is_file()]
        if missing:
            return Availability(
                False, f"The unified model's weights are not there: {missing[0]}.", "Install ScoreBridge again."
            )
        return Availability(True)

    def load(self) -> None:
        """Read the weights."""
        if self._trunk is None:
            self.require()
            from model_runtime.unified.image_reader import ImageReader
            from model_runtime.unified.inference import TrunkRuntime

            self._reader, self._trunk = ImageReader(), TrunkRuntime()

    def translate(self, value: Value, options: Options, context: Context) -> Notation:
        """Read all pages as one score.

        Raises:
            InvalidValue: `value` is not a score image.
            UnreadableFile: no music is found on it.
        """
        from model_runtime.unified.page_reading import read_score

        if not isinstance(value, ScoreImage):
            raise InvalidValue("The unified image reader reads score images only.")
        self.load()
        if self._reader is None or self._trunk is None:
            raise AssertionError("loaded")
        read = read_score(value.pages, self._reader, self._trunk, context.progress)
        if read is None:
            raise UnreadableFile(
                "No music was found in the image.",
                hint="See that staves run across the page, upright and at least 8 pixels between their lines.",
            )
        context.warn("Score images are read by a model that is still learning: compare the notes with the page.")
        for sentence in read.warnings:
            context.warn(sentence)
        return read.notation

    def close(self) -> None:
        """Give the weights back."""
        self._reader = self._trunk = None
