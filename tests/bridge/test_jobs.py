"""The life of a job, with real workers."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import mido
import pytest
from house import LONG, Build, House, midi, midi_bytes

from bridge.service import Client
from protocol.messages import (
    Accepted,
    Cancel,
    Cancelled,
    Done,
    Error,
    Failed,
    JobList,
    Jobs,
    NotesSource,
    PathSource,
    Rejected,
    Result,
    ResultData,
    State,
    Status,
    Submit,
)


async def test_a_job_is_accepted_reports_progress_and_ends_once(house: House) -> None:
    assert isinstance(await house.submit("a"), Accepted)
    done = await house.end_of("a")
    assert isinstance(done, Done)
    assert [type(e).__name__ for e in house.events_of("a")][-1] == "Done"
    assert "Progress" in {type(e).__name__ for e in house.events_of("a")}
    assert set(done.timing) >= {"queued", "read", "write", "total"}
    await asyncio.sleep(0.2)
    assert len(house.ends_of("a")) == 1


async def test_events_name_the_request_and_the_session_that_they_belong_to(house: House) -> None:
    source, buffers = midi()
    from protocol.messages import Message

    request = Message.of(Submit(job="a", source=source, target=["mid"]), session="s 1")
    await house.send(request, buffers)
    await house.end_of("a")
    assert {(m.parent, m.session) for m in house.heard} == {(request.id, "s 1")}


async def test_the_result_is_a_midi_file_with_the_digest_that_was_told(house: House) -> None:
    await house.submit("a", notes=3)
    artefact = (await house.end_of("a")).artefacts[0]
    content = Path(artefact.path).read_bytes()
    assert hashlib.sha256(content).hexdigest() == artefact.sha256
    assert len(content) == artefact.size
    onsets = [m for m in mido.MidiFile(artefact.path) if m.type == "note_on" and m.velocity]
    assert [m.note for m in onsets] == [40, 41, 42]


async def test_a_result_can_be_fetched_by_name_and_without(house: House) -> None:
    await house.submit("a", target=["mid", "events"])
    done = await house.end_of("a")
    assert [a.format for a in done.artefacts] == ["mid", "events"]
    for artefact in done.artefacts:
        answer = await house.ask(Result(job="a", name=artefact.name))
        assert isinstance(answer, ResultData)
        assert answer.artefact == artefact
    assert (await house.ask(Result(job="a"))).artefact == done.artefacts[0]
    missing = await house.ask(Result(job="a", name="other.mid"))
    assert isinstance(missing, Error)
    assert missing.code == "not_found"


async def test_work_folders_are_empty_when_nothing_is_done(house: House) -> None:
    await house.submit("a")
    await house.end_of("a")
    await house.until(lambda: not [f for f in house.settings.work_folder.iterdir() if f.name[:6] != "worker"])


async def test_the_same_job_sent_again_answers_with_its_state(house: House) -> None:
    await house.submit("a")
    done = await house.end_of("a")
    again = await house.submit("a")
    assert isinstance(again, State)
    assert again.phase == "done"
    assert again.artefacts == done.artefacts
    assert len(house.ends_of("a")) == 1


async def test_the_same_job_sent_twice_at_once_is_done_once(house: House) -> None:
    answers = await asyncio.gather(*(house.submit("a", notes=2000) for _ in range(5)))
    assert sorted(type(a).__name__ for a in answers) == ["Accepted", *["State"] * 4]
    await house.end_of("a")
    assert len(house.ends_of("a")) == 1
    assert len(list(house.settings.results_folder.iterdir())) == 1


@pytest.mark.parametrize("change", [{"notes": 2}, {"target": ["events"]}, {"options": {"seed": 1}}])
async def test_another_job_under_the_same_id_is_refused(house: House, change: dict[str, Any]) -> None:
    await house.submit("a")
    refused = await house.submit("a", **change)
    assert isinstance(refused, Rejected)
    assert refused.code == "job_exists"
    await house.end_of("a")
    assert (await house.submit("a", **change)).code == "job_exists"


async def test_ids_that_differ_in_case_are_two_jobs(house: House) -> None:
    await house.submit("job")
    await house.submit("JOB", notes=2)
    first, second = await house.end_of("job"), await house.end_of("JOB")
    assert Path(first.artefacts[0].path).parent != Path(second.artefacts[0].path).parent


async def test_an_unreadable_file_fails_with_a_sentence(house: House) -> None:
    source, _ = midi()
    await house.ask(Submit(job="a", source=source, target=["mid"]), (b"MThd, but then nothing",))
    failed = await house.end_of("a")
    assert isinstance(failed, Failed)
    assert failed.code == "unreadable_file"
    assert failed.message.endswith(".")
    assert "Traceback" not in failed.message
    state = await house.state("a")
    assert (state.phase, state.code, state.message) == ("failed", failed.code, failed.message)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"swing": 2.0}, "swing"),
        ({"tempo_map": {"meters": [{"numerator": 0}]}}, "tempo_map.meters.0.numerator"),
        ({"pedal": "sideways"}, "pedal"),
    ],
)
async def test_an_option_out_of_range_is_refused_by_name(house: House, options: dict[str, Any], named: str) -> None:
    refused = await house.submit("a", options=options)
    assert isinstance(refused, Rejected)
    assert refused.code == "invalid_options"
    assert f"'{named}'" in refused.message
    assert (await house.ask(Status(job="a"))).code == "unknown_job"


async def test_an_unknown_option_is_ignored_and_said_to_be(house: House) -> None:
    await house.submit("a", options={"colour": "blue"})
    assert any("'colour'" in warning for warning in (await house.end_of("a")).warnings)


async def test_bytes_may_come_as_base64(house: House) -> None:
    import base64

    source, buffers = midi()
    inline = source.model_copy(update={"data": base64.b64encode(buffers[0]).decode()})
    await house.ask(Submit(job="a", source=inline, target=["mid"]))
    assert isinstance(await house.end_of("a"), Done)
    broken = source.model_copy(update={"data": "not base64!"})
    refused = await house.ask(Submit(job="b", source=broken, target=["mid"]))
    assert refused.code == "invalid_source"


async def test_content_that_is_missing_empty_or_too_large_is_refused(build: Build) -> None:
    house = await build(max_inline_bytes=100)
    source, _ = midi()
    submit = Submit(job="a", source=source, target=["mid"])
    assert (await house.ask(submit)).code == "invalid_source"
    assert (await house.ask(submit, (b"",))).code == "unreadable_file"
    assert (await house.ask(submit, (bytes(101),))).code == "too_large"


async def test_a_notes_document_that_says_nothing_fails_with_a_sentence(house: House) -> None:
    await house.ask(Submit(job="a", source=NotesSource(document={"nothing": "of use"}), target=["musicxml"]))
    failed = await house.end_of("a")
    assert isinstance(failed, Failed)
    assert failed.code != "internal_error"


@pytest.mark.parametrize(
    "name",
    ["two words.mid", 'it\'s "quoted".mid', "Nocturne 🎹 ♭.mid", "-rf.mid", "$(echo).mid", "a;b&c.mid", "é\u0301.mid"],
)
async def test_files_may_have_any_name(house: House, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(midi_bytes())
    await house.ask(Submit(job="a", source=PathSource(path=str(path)), target=["mid"]))
    done = await house.end_of("a")
    assert isinstance(done, Done), done
    assert mido.MidiFile(done.artefacts[0].path).length > 0
    assert (await house.ask(Result(job="a", name=done.artefacts[0].name))).artefact == done.artefacts[0]


async def test_a_file_that_became_a_link_to_elsewhere_while_its_job_waited_is_not_read(
    build: Build, tmp_path: Path
) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    secret = tmp_path / "secret.mid"
    secret.write_bytes(midi_bytes(5))
    house = await build(roots=(allowed,))
    await house.submit("long", LONG)
    path = allowed / "a.mid"
    path.write_bytes(midi_bytes())
    assert isinstance(await house.ask(Submit(job="a", source=PathSource(path=str(path)), target=["mid"])), Accepted)
    path.unlink()
    path.symlink_to(secret)
    await house.ask(Cancel(job="long"))
    failed = await house.end_of("a")
    assert isinstance(failed, Failed)
    assert failed.code == "not_allowed"


async def test_the_newest_jobs_are_listed_first(house: House) -> None:
    for job in ("a", "b", "c"):
        await house.submit(job)
        await house.end_of(job)
    await house.submit("d", LONG)
    await house.running("d")
    listed = await house.ask(Jobs(limit=3))
    assert isinstance(listed, JobList)
    assert [(s.job, s.phase) for s in listed.jobs] == [("d", "running"), ("c", "done"), ("b", "done")]
    active = await house.ask(Jobs(active=True))
    assert [s.job for s in active.jobs] == ["d"]


async def test_a_job_without_end_has_no_result_yet(house: House) -> None:
    await house.submit("a", LONG)
    refused = await house.ask(Result(job="a"))
    assert isinstance(refused, Error)
    assert refused.code == "not_done"


# ---- cancelling ----------------------------------------------------------------------------------------------------


async def test_a_waiting_job_is_cancelled_at_once(house: House) -> None:
    await house.submit("long", LONG)
    await house.submit("a")
    answer = await house.ask(Cancel(job="a"))
    assert isinstance(answer, State)
    assert answer.phase == "cancelled"
    assert isinstance(await house.end_of("a"), Cancelled)
    assert (await house.state("long")).phase in ("queued", "running")


async def test_cancelling_a_job_that_ended_answers_how_it_ended(house: House) -> None:
    await house.submit("a")
    await house.end_of("a")
    answer = await house.ask(Cancel(job="a"))
    assert answer.phase == "done"
    assert len(house.ends_of("a")) == 1


async def test_a_cancelled_job_ends_once_and_leaves_no_result(house: House) -> None:
    await house.submit("a", LONG)
    await house.running("a")
    await house.ask(Cancel(job="a"))
    await house.ask(Cancel(job="a"))
    await house.submit("b")
    assert isinstance(await house.end_of("b"), Done)
    assert [m.type for m in house.ends_of("a")] == ["cancelled"]
    assert (await house.state("a")).phase == "cancelled"
    assert len(list(house.settings.results_folder.iterdir())) == 1


async def test_questions_about_unknown_jobs_are_answered(house: House) -> None:
    for question in (Status(job="nobody"), Cancel(job="nobody"), Result(job="nobody")):
        answer = await house.ask(question)
        assert isinstance(answer, Error)
        assert answer.code == "unknown_job"
        assert "'nobody'" in answer.message


# ---- leases and clocks ---------------------------------------------------------------------------------------------


async def test_a_job_that_nobody_asks_about_is_cancelled_when_its_lease_is_over(house: House) -> None:
    await house.submit("a", LONG, lease=0.5)
    cancelled = await house.end_of("a")
    assert isinstance(cancelled, Cancelled)
    assert "nobody asked" in cancelled.message


async def test_asking_renews_the_lease(house: House) -> None:
    await house.submit("a", LONG, lease=0.5)
    for _ in range(10):
        await asyncio.sleep(0.1)
        assert (await house.state("a")).phase in ("queued", "running")


async def test_a_client_that_vanished_leaves_no_leased_job_behind(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.jobs.ABANDONED_LEASE_S", 0.3)
    await house.submit("leased", LONG, client="gone", lease=3600)
    await house.submit("kept", client="gone")
    await house.submit("another", client="here", lease=3600)
    house.core.disconnected(Client("gone", "osc"))
    assert isinstance(await house.end_of("leased"), Cancelled)
    assert isinstance(await house.end_of("kept"), Done)
    assert isinstance(await house.end_of("another"), Done)


async def test_a_jump_of_the_wall_clock_neither_ends_a_lease_nor_spoils_a_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    real = time.time
    await house.submit("a", 60_000, lease=30)
    await house.running("a")
    monkeypatch.setattr(time, "time", lambda: real() + 365 * 86400)
    await asyncio.sleep(0.3)
    assert (await house.state("a")).phase == "running"
    monkeypatch.setattr(time, "time", lambda: real() - 365 * 86400)
    done = await house.end_of("a")
    assert isinstance(done, Done)
    assert all(0 <= seconds < 60 for seconds in done.timing.values())


# ---- turns and limits ----------------------------------------------------------------------------------------------


async def test_clients_take_turns(house: House) -> None:
    await house.submit("long", LONG, client="first")
    for i in range(4):
        await house.submit(f"first-{i}", client="first")
    assert (await house.submit("second-0", client="second")).position <= 2
    await house.ask(Cancel(job="long"))
    await house.end_of("first-3")
    order = [m.content["job"] for m in house.heard if m.type == "done"]
    assert order.index("second-0") <= 1
    assert [job for job in order if job.startswith("first")] == [f"first-{i}" for i in range(4)]


async def test_a_full_queue_is_said_to_be_full(build: Build) -> None:
    house = await build(queue_length=3, queue_per_client=2)
    await house.submit("long", LONG)
    await house.running("long")
    await house.submit("a")
    await house.submit("b")
    refused = await house.submit("c")
    assert isinstance(refused, Rejected)
    assert (refused.code, bool(refused.hint)) == ("queue_full", True)
    assert isinstance(await house.submit("d", client="other"), Accepted)
    assert (await house.submit("e", client="third")).code == "queue_full"
    assert (await house.ask(Status(job="c"))).code == "unknown_job"


async def test_jobs_of_two_workers_run_side_by_side(build: Build) -> None:
    house = await build(workers=2, warm_workers=2)
    await house.submit("a", LONG)
    await house.submit("b", LONG)
    first, second = await house.running("a"), await house.running("b")
    assert first != second


async def test_a_closing_daemon_takes_no_more_jobs_and_waits_for_those_it_has(house: House) -> None:
    await house.submit("a", 20_000)
    house.jobs.stop_taking()
    assert (await house.submit("b")).code == "shutting_down"
    assert (await house.submit("a", 20_000)).phase in ("queued", "running")
    await house.jobs.wait_idle()
    assert (await house.state("a")).phase == "done"
