"""`scorebridge translate` does what was typed, says what it did, and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile
from terminal import SCALE, Terminal

from model_runtime import files
from model_runtime.modality import Audio, Notation, Performance


def pitches(path: Path) -> list[int]:
    performance = files.read(path)
    assert isinstance(performance, Performance)
    return [note.pitch for note in performance.notes]


def test_midi_becomes_a_score_without_any_daemon(terminal: Terminal, scale: Path):
    done = terminal.type("translate", scale, "scale.musicxml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "scale.musicxml"
    assert "unified-notation" in done.stderr and "by this process" in done.stderr
    notation = files.read(terminal.folder / "scale.musicxml")
    assert isinstance(notation, Notation)
    assert len(notation.root.findall(".//pitch")) == len(SCALE)


def test_the_daemon_does_it_where_one_runs(terminal: Terminal, scale: Path):
    assert terminal.type("serve", "--detach").returncode == 0
    done = terminal.type("translate", scale, "copy.mid")
    assert done.returncode == 0, done.stderr
    assert "by the daemon" in done.stderr
    assert pitches(terminal.folder / "copy.mid") == list(SCALE)
    assert "by this process" in terminal.type("translate", scale, "other.mid", "--local").stderr


def test_many_files_and_many_formats_at_once(terminal: Terminal, scale: Path):
    (terminal.folder / "takes").mkdir()
    for name in ("one.mid", "two two.mid", "drei 'drei' 🎹.mid"):
        (terminal.folder / "takes" / name).write_bytes(scale.read_bytes())
    done = terminal.type("translate", "takes/*.mid", "out", "--to", "musicxml,events,mid")
    assert done.returncode == 0, done.stderr
    stems = ("one", "two two", "drei 'drei' 🎹")
    expected = {f"{stem}.{ending}" for stem in stems for ending in ("musicxml", "events.json", "mid")}
    assert {path.name for path in (terminal.folder / "out").iterdir()} == expected


def test_one_bad_file_does_not_stop_the_others(terminal: Terminal, scale: Path):
    (terminal.folder / "bad.mid").write_bytes(b"MThd and then nothing")
    done = terminal.type("translate", "bad.mid", scale, "out", "--to", "events")
    assert done.returncode == 1
    assert "1 of 2 translated" in done.stderr
    assert "bad.mid" in done.stderr and "Traceback" not in done.stderr
    assert (terminal.folder / "out" / "scale.events.json").exists()


def test_a_file_that_exists_is_kept_unless_forced(terminal: Terminal, scale: Path):
    precious = terminal.folder / "precious.musicxml"
    precious.write_text("mine")
    refused = terminal.type("translate", scale, precious)
    assert refused.returncode == 1 and "--force" in refused.stderr
    assert precious.read_text() == "mine"
    assert terminal.type("translate", scale, precious, "--force").returncode == 0
    assert precious.read_bytes().startswith(b"<?xml")


def test_what_cannot_be_meant_gets_a_sentence_and_a_hint(terminal: Terminal, scale: Path):
    for words, sentence in (
        (("scale.mid",), "Name what to translate"),
        (("scale.mid", "out"), "What should be written"),
        (("scale.mid", "out", "--to", "mp7"), "cannot write 'mp7'"),
        (("missing.mid", "out.musicxml"), "missing.mid"),
        (("takes/*.wav", "out.mid"), "No file matches"),
        (("scale.mid", "scale.mid", "one.musicxml"), "cannot all become"),
        (("scale.mid", "x.musicxml", "--engine", "nonesuch"), "no engine called 'nonesuch'"),
        (("scale.mid", "x.musicxml", "--split-point", "200"), "split_point"),
        (("scale.mid", "x.musicxml", "--tempo-map", "nowhere.json"), "nowhere.json"),
    ):
        done = terminal.type("translate", *words)
        assert done.returncode == 1, words
        assert sentence in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_a_score_image_is_read_and_the_musician_is_told_to_compare(terminal: Terminal, scale: Path):
    drawn = terminal.type("translate", scale, "page.png")
    assert drawn.returncode == 0, drawn.stderr
    done = terminal.type("translate", "page.png", "read.musicxml")
    assert done.returncode == 0, done.stderr
    assert "compare the notes with the page" in " ".join(done.stderr.split())
    assert (terminal.folder / "read.musicxml").read_bytes().count(b"<pitch>") >= 4


def test_a_picture_without_music_is_refused_in_one_sentence(terminal: Terminal):
    from PIL import Image

    Image.new("L", (600, 400), 255).save(terminal.folder / "empty.png")
    done = terminal.type("translate", "empty.png", "read.musicxml")
    assert done.returncode == 1
    assert "No music was found in the image." in done.stderr
    assert "Traceback" not in done.stderr


def test_explain_says_which_engines_and_why(terminal: Terminal, scale: Path):
    done = terminal.type("translate", scale, "scale.svg", "--explain")
    assert "performance → image: unified-notation → verovio" in done.stderr


def test_the_tempo_map_may_be_a_number_a_json_file_or_a_midi_file(terminal: Terminal, scale: Path):
    (terminal.folder / "map.json").write_text(json.dumps({"bpm": 60, "meters": [{"numerator": 3}]}))
    for option, value, beats in (("--tempo-map", "map.json", "3"), ("--tempo-map", "scale.mid", "4")):
        done = terminal.type("translate", scale, "out.musicxml", option, value, "--force")
        assert done.returncode == 0, done.stderr
        notation = files.read(terminal.folder / "out.musicxml")
        assert isinstance(notation, Notation)
        assert notation.root.findtext(".//time/beats") == beats
    assert terminal.type("translate", scale, "out.musicxml", "--tempo", "240", "--force").returncode == 0


def test_a_clip_is_cut_out_of_a_recording(terminal: Terminal):
    tone = np.sin(np.arange(3 * 8000) * 2 * np.pi * 440 / 8000).astype(np.float32)
    soundfile.write(terminal.folder / "tone.wav", tone, 8000)
    done = terminal.type("translate", "tone.wav", "clip.flac", "--offset", "0.5", "--duration", "1.25")
    assert done.returncode == 0, done.stderr
    clip = files.read(terminal.folder / "clip.flac")
    assert isinstance(clip, Audio)
    assert clip.duration_s == 1.25


def test_formats_go_by_their_other_names_too(terminal: Terminal, scale: Path):
    done = terminal.type("translate", scale, "out", "--to", "midi,xml,notes.json")
    assert done.returncode == 0, done.stderr
    assert {path.suffix for path in (terminal.folder / "out").iterdir()} == {".mid", ".musicxml", ".json"}
    assert not done.stderr.startswith("\n")  # no bar, and no line for it, where nobody looks


def test_a_name_that_is_not_unicode_goes_through_the_daemon(terminal: Terminal, scale: Path):
    terminal.type("serve", "--detach")
    odd = scale.with_name(os.fsdecode(b"odd\xff.mid"))
    odd.write_bytes(scale.read_bytes())
    done = terminal.type("translate", odd, "odd.musicxml")
    assert done.returncode == 0 and "by the daemon" in done.stderr, done.stderr


def test_a_device_is_not_sent_to_the_daemon(terminal: Terminal):
    terminal.type("serve", "--detach")
    refused = terminal.type("translate", "/dev/zero", "zero.mid", timeout_s=20)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr


def test_a_terminated_command_leaves_neither_job_nor_file(terminal: Terminal, tmp_path: Path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    terminal.environment["TMPDIR"] = str(scratch)
    long = tmp_path / "long.wav"
    soundfile.write(long, np.zeros(44100 * 600, np.float32), 44100)
    command = [str(Path(sys.executable).with_name("scorebridge")), "translate", "--local", str(long), "long.flac"]
    with subprocess.Popen(command, cwd=tmp_path, env=terminal.environment, stderr=subprocess.PIPE) as process:
        while not any(scratch.iterdir()) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 130
    assert not any(scratch.iterdir())
