"""Live transcription from REAPER: what was played lies at its project time, in one undo step."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_daemon import RunningDaemon
from running_reaper import APART_S
from studio import Studio, described_roots

from protocol.live_score import LiveScore

LIVE = Path(__file__).parents[1] / "bridge" / "live"
sys.path.append(str(LIVE))

from band import Ears, Sending, free_port, packets, plucked  # noqa: E402  # the tests of sessions have a band

START, STOP = "Live transcription - start", "Live transcription - stop"
KEEP = "Live transcription - keep the last 30 seconds"
MELODY = [(0.4 + 0.4 * i, pitch, 0.3) for i, pitch in enumerate((60, 64, 67, 72))]
SECONDS = 2.4
NEAR_S = 0.12  # the listener's grid, the reading of the clocks, and a loaded machine


@pytest.fixture(scope="module")
def daemon(desk: Path) -> Iterator[RunningDaemon]:
    """A daemon whose live sessions hear with the tests' own listener."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(LIVE), os.environ.get("PYTHONPATH", "")])))
        made = RunningDaemon(desk, ROOTS=described_roots(desk), LIVE_READER="tone_listener:open_listener").start()
    yield made
    made.close()


class Gig:
    """A studio in which a band plays to a live session."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.port, self.ears = studio, free_port(), Ears()
        studio.choose(live_source=f"reastream:band@{self.port}", osc_port=self.ears.port, transport="files")
        studio.open()

    def begin(self) -> None:
        self.studio.start(START)
        self.studio.reaper.until(lambda: "listens to ReaStream: band" in self.said)

    def roll(self) -> tuple[float, float]:
        """Start the transport at 32.5 s; returns when, in seconds since 1970, and how much earlier it may have been."""
        asked = time.time()
        self.studio.reaper.call("play", 1, 32.5, 1.0)
        return time.time(), time.time() - asked

    def play(self) -> float:
        """Play the melody; returns when it began, in seconds since 1970."""
        sending, begun = Sending(self.port, packets(plucked(MELODY, SECONDS))), time.time()
        self.studio.reaper.until(lambda: time.time() > begun + SECONDS + 0.3)
        sending.wait()
        return begun

    def ask(self, action: str) -> None:
        self.studio.start(action)

    @property
    def said(self) -> str:
        return str(self.studio.reaper.report()["console"])

    @property
    def dialogs(self) -> list[str]:
        return [dialog["text"] for dialog in self.studio.reaper.report()["dialogs"]]

    def until_items(self, count: int) -> None:
        self.studio.reaper.until(lambda: len(self.studio.new_items()) >= count)


@pytest.fixture
def gig(studio: Studio) -> Iterator[Gig]:
    made = Gig(studio)
    yield made
    made.ears.close()


def test_at_stop_the_notes_lie_where_the_transport_was_when_they_sounded(gig: Gig) -> None:
    gig.begin()
    started, slack_s = gig.roll()
    begun = gig.play()
    gig.ask(STOP)
    gig.until_items(1)
    gig.studio.reaper.finish()
    found = gig.studio.notes()
    assert [pitch for *_, pitch in found] == [pitch for _, pitch, _ in MELODY]
    for (onset_s, offset_s, _), (played_s, _, length_s) in zip(found, MELODY, strict=True):
        assert onset_s == pytest.approx(32.5 + begun - started + played_s, abs=NEAR_S + slack_s)
        assert offset_s - onset_s == pytest.approx(length_s, abs=0.15)
    assert len(gig.studio.reaper.project()["undo_points"]) == 1
    assert gig.ears.pressed == [pitch for _, pitch, _ in MELODY]
    assert not gig.ears.down
    assert gig.studio.daemon.connected.live.sessions()[0].phase == "ended"


def test_bars_lie_on_the_projects_grid_while_the_transport_plays(gig: Gig) -> None:
    gig.begin()
    gig.studio.reaper.tick(round(2.2 / APART_S))  # the script sees two seconds begin: it knows the time
    started, slack_s = gig.roll()
    live = gig.studio.daemon.connected.live
    session = live.sessions()[0].live
    look = LiveScore(live=session)
    live.score(look)  # from now on somebody looks
    gig.play()
    gig.studio.reaper.until(lambda: live.score(look).last > 0)
    bar, state = live.score(look), live.status(session)
    # 120 to the minute in 4/4, as the project has it: what was played, 150 to the minute, would say otherwise.
    assert (bar.numerator, bar.denominator, bar.tempo) == (4, 4, 120.0)
    barline_s = 32.5 + state.started + bar.seconds - started
    assert barline_s == pytest.approx(2.0 * round(barline_s / 2.0), abs=NEAR_S + slack_s)
    gig.ask(STOP)
    gig.studio.reaper.finish()


def test_the_last_half_minute_is_kept_while_the_transcription_goes_on(gig: Gig) -> None:
    gig.begin()
    gig.play()
    gig.ask(KEEP)
    gig.until_items(1)
    assert gig.studio.daemon.connected.live.sessions()[0].phase == "listening"
    gig.play()
    gig.ask(STOP)
    gig.until_items(2)
    gig.studio.reaper.finish()
    first, second = gig.studio.new_items()
    assert len(first["takes"][0]["notes"]) == len(MELODY)
    assert len(second["takes"][0]["notes"]) >= 2 * len(MELODY)
    assert len(gig.studio.reaper.project()["undo_points"]) == 2


def test_stopping_what_does_not_run_gets_a_sentence(gig: Gig) -> None:
    gig.ask(STOP)
    assert "No live transcription runs." in gig.dialogs[0]
    assert gig.studio.new_items() == []


def test_a_second_start_is_refused_and_the_first_goes_on(gig: Gig) -> None:
    gig.begin()
    gig.ask(START)
    assert "runs already" in gig.dialogs[0]
    assert gig.studio.daemon.connected.live.sessions()[0].phase == "listening"
    gig.ask(STOP)
    gig.studio.reaper.finish()
    assert "No notes were heard." in gig.said


def test_what_cannot_be_listened_to_gets_the_daemons_sentence(gig: Gig) -> None:
    gig.studio.choose(live_source="recording:/nowhere/take.wav")
    gig.studio.start(START)
    gig.studio.reaper.finish()
    assert "There is no file '/nowhere/take.wav'" in gig.said


def test_when_the_script_is_stopped_the_session_ends(gig: Gig) -> None:
    gig.begin()
    gig.studio.reaper.call("terminate", 1)
    live = gig.studio.daemon.connected.live
    end_s = time.monotonic() + 30
    while live.sessions()[0].phase != "ended":
        assert time.monotonic() < end_s, "the session was left running"
        time.sleep(0.1)
