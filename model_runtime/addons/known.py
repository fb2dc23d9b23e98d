"""The add-ons there are, with the digests of what they are made of."""

from __future__ import annotations

from model_runtime.addons.environment import OwnEnvironment
from model_runtime.addons.pip import Wheel
from model_runtime.addons.soundfonts import ADDON_SOUNDFONT
from model_runtime.addons.wheel_files import WheelFiles

NETWORK_FILE = "nmp.onnx"

BASIC_PITCH = WheelFiles(
    name="basic-pitch",
    summary="Spotify's network that transcribes recordings of any instrument (0.3 MB).",
    licence="Apache-2.0 (Spotify AB)",
    size_mb=0.3,
    wheel=Wheel("basic-pitch", "0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0"),
    files={
        "basic_pitch/saved_models/icassp_2022/nmp.onnx": NETWORK_FILE,
        "basic_pitch-0.4.0.dist-info/LICENSE": "LICENSE",
        "basic_pitch-0.4.0.dist-info/NOTICE": "NOTICE",
    },
)

TRANSKUN = OwnEnvironment(
    name="transkun",
    summary=(
        "Yan and Duan's piano transcriber, notes and pedal, in an environment of its own with PyTorch: about 1 GB "
        "where pip finds PyTorch's build without CUDA, as on macOS and Windows, and several GB on most Linux machines."
    ),
    licence="MIT (Yujia Yan); PyTorch: BSD-3-Clause",
    size_mb=1000,
    wheel=Wheel("transkun", "2.0.1", "7d7f5bf88b0d21f7da0415b089cff3bcbcbdda04e1a3c9719964947942c859fe"),
    requirements=("torch==2.13.0", "numpy>=2,<3"),
    modules=("torch", "numpy", "transkun"),
)

SOUNDFONT = WheelFiles(
    name="soundfont",
    summary="Tim Brechbill's small General MIDI SoundFont, for systems that bring none (6 MB).",
    licence="GPL-2.0 (TimGM6mb, Tim Brechbill)",
    size_mb=6.0,
    wheel=Wheel("pretty_midi", "0.2.11.post0", "a3e2321736245a9c92259716d85a4762f16b7bde2f591fb0dba95bdb6e793d8a"),
    files={"pretty_midi/TimGM6mb.sf2": ADDON_SOUNDFONT},
)
