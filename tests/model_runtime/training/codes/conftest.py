"""The benchmark of codes against glyphs, run once on two small scores: everything that it makes lies in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def songs(scores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `data/lieder`."""
    folder = tmp_path_factory.mktemp("songs")
    (folder / "data").mkdir()
    (folder / "data" / "lieder").symlink_to(scores)
    return folder


@pytest.fixture(scope="session")
def work(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the benchmark made; its figures are in `figures.json`."""
    from benchmarks import image_codes

    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patched:
        arguments = ["--data", str(songs), "--work", str(folder), "--json", str(folder / "figures.json")]
        patched.setattr(
            "sys.argv",
            ["image_codes", *arguments, "--minutes", "0.01", "--autoencoder-minutes", "0.01", "--limit", "16"],
        )
        image_codes.main()
    return folder
