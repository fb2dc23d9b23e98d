"""Reading and writing the four values: one file a format family.

value = read("take.wav", clip=Clip(offset_s=3.0))
write(performance, "take.mid")
"""

from model_runtime.files.dispatch import read, write
from model_runtime.files.formats import FORMATS, Format, format_named, readable_formats, writable_formats
from model_runtime.files.limits import Limits
from model_runtime.files.storing import UnwritableFile

__all__ = [
    "FORMATS",
    "Format",
    "Limits",
    "UnwritableFile",
    "format_named",
    "read",
    "readable_formats",
    "writable_formats",
    "write",
]
