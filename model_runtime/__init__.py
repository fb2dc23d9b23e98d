"""Music in, music out: translate score images, notation, performances and audio into each other.

from model_runtime import translate
notation = translate("take.wav", "notation").value
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_runtime.modality import Audio, Clip, Modality, Notation, Performance, ScoreImage
    from model_runtime.options import Options
    from model_runtime.translation import Translation, translate, translate_files

__all__ = [
    "Audio",
    "Clip",
    "Modality",
    "Notation",
    "Options",
    "Performance",
    "ScoreImage",
    "Translation",
    "translate",
    "translate_files",
]

_HOMES = {
    "Options": "options",
    "Translation": "translation",
    "translate": "translation",
    "translate_files": "translation",
}


def __getattr__(name: str) -> Any:
    """Import public names when they are first asked for: programs that only want an error class stay light."""
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(f"model_runtime.{_HOMES.get(name, 'modality')}"), name)
    raise AttributeError(f"module 'model_runtime' has no attribute {name!r}")
