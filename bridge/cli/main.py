"""Puts the commands together and turns expected errors into one sentence and a hint."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bridge.cli import demo, doctor, jobs, live, mailbox, models, page, plugins, serve, train, translate

app = typer.Typer(
    name="scorebridge",
    help="Translate music between score image, notation, performance and audio.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(serve.app, name="serve")
app.command(name="translate")(translate.translate)
app.command(name="live")(live.live)
app.add_typer(jobs.app, name="jobs")
app.command(name="page")(page.page)
app.add_typer(models.app, name="models")
app.add_typer(plugins.app, name="plugins")
app.add_typer(train.app, name="train")
app.command(name="mailbox", hidden=True)(mailbox.mailbox)
app.command(name="doctor")(doctor.doctor)
app.command(name="demo")(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"scorebridge {version('scorebridge')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Translate music between score image, notation, performance and audio."""


def main() -> None:
    """Entry point of the `scorebridge` command: exits with 0, 1 (it failed), 2 (wrong usage) or 130 (interrupted)."""
    import signal

    from pydantic import ValidationError

    from bridge.validation import sentence_of
    from model_runtime.errors import Cancelled, MusicError
    from protocol.errors import ProtocolError

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: jobs and files are cleared away
    try:
        app()
    except Cancelled as error:
        _say(error.message, "")
        sys.exit(130)
    except (MusicError, ProtocolError) as error:
        _say(error.message, error.hint)
        sys.exit(1)
    except KeyboardInterrupt:
        _say("Stopped.", "")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:  # a disk that is full, a folder that cannot be made
        _say(
            f"{error.filename or 'A temporary file'}: {error.strerror or error}.",
            "Make room, or see: scorebridge doctor",
        )
        sys.exit(1)
    except ValidationError as error:
        _say(
            f"ScoreBridge's settings are not valid. {sentence_of(error, 'setting')}", "Mend SCOREBRIDGE_… or the file."
        )
        sys.exit(1)


def _say(sentence: str, hint: str) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    console.print(sentence, style="bold red", markup=False)
    if hint:
        console.print(hint, markup=False)
