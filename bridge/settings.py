"""What a user may set about the daemon: environment variables (`SCOREBRIDGE_…`) and a TOML file.

An environment variable wins over the file `config.toml` in the user's configuration folder; lists are written with
the system's path separator (`SCOREBRIDGE_ROOTS=/home/me:/media/music`).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_config_path, user_data_path
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import TomlConfigSettingsSource as TomlSource

from protocol.connection import connection_path

APPLICATION = "scorebridge"
MEBIBYTE = 1 << 20


def config_file() -> Path:
    """The settings file: `SCOREBRIDGE_CONFIG`, or `config.toml` in the user's configuration folder."""
    named = os.environ.get("SCOREBRIDGE_CONFIG")
    return Path(named) if named else user_config_path(APPLICATION) / "config.toml"


def _default_roots() -> tuple[Path, ...]:
    shared_temp = (Path("/tmp"),) if sys.platform != "win32" else ()
    return tuple(dict.fromkeys((Path.home(), Path(tempfile.gettempdir()), *shared_temp)))


def _three_quarters_of_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total * 0.75)


class Settings(BaseSettings):
    """The daemon's settings.

    Attributes:
        data: Folder of the journal and the results.
        bind: Address that the doors listen on.
        zeromq_port, control_port, events_port, heartbeat_port, osc_udp_port, osc_tcp_port, http_port: 0 takes a free
            port; the connection file says which.
        notify: "host:port" that receives every event as OSC over UDP without asking; empty is nobody.
        roots: Folders that files may be read from.
        max_file_bytes: Largest file that is read where it lies.
        max_inline_bytes: Largest content that is sent with a request.
        workers: Most worker processes at a time.
        warm_workers: Of these, how many are kept started while nothing is to be done.
        queue_length: Jobs that may wait in all.
        queue_per_client: Jobs of one client that may wait.
        worker_memory_bytes: Resident memory of a worker and its children, above which its job fails.
        worker_time_s: Longest time of one job.
        worker_jobs: Jobs after which a worker is replaced by a fresh one.
        worker_idle_s: Seconds without work after which a worker is replaced by a fresh, small one.
        worker_start_s: Longest time that a worker may take to start.
        live_sessions: Most live sessions at a time; more are refused.
        live_reader: What hears the notes of live sessions: a name of `bridge.live.readers`, or MODULE:FUNCTION.
        keep_days: Results older than this are removed.
        keep_bytes: Oldest results are removed while all together are larger.
        keep_jobs: Most ended jobs that are remembered.
        keep_least_s: Seconds for which a result stays whatever its size.
        sweep_s: Seconds between two looks at what is too old.
        log_level: "DEBUG", "INFO", "WARNING" or "ERROR".
    """

    model_config = SettingsConfigDict(env_prefix="SCOREBRIDGE_", extra="ignore", frozen=True)

    data: Path = Field(default_factory=lambda: user_data_path(APPLICATION))

    bind: str = "127.0.0.1"
    zeromq_port: Annotated[int, Field(ge=0, le=65535)] = 0
    control_port: Annotated[int, Field(ge=0, le=65535)] = 0
    events_port: Annotated[int, Field(ge=0, le=65535)] = 0
    heartbeat_port: Annotated[int, Field(ge=0, le=65535)] = 0
    osc_udp_port: Annotated[int, Field(ge=0, le=65535)] = 0
    osc_tcp_port: Annotated[int, Field(ge=0, le=65535)] = 0
    http_port: Annotated[int, Field(ge=0, le=65535)] = 0
    notify: str = ""

    roots: Annotated[tuple[Path, ...], NoDecode] = Field(default_factory=_default_roots)
    max_file_bytes: Annotated[int, Field(gt=0)] = 4096 * MEBIBYTE
    max_inline_bytes: Annotated[int, Field(gt=0)] = 256 * MEBIBYTE

    workers: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=lambda: min(2, os.cpu_count() or 1))
    warm_workers: Annotated[int, Field(ge=0, le=64)] = 1
    queue_length: Annotated[int, Field(ge=1)] = 2000
    queue_per_client: Annotated[int, Field(ge=1)] = 500
    worker_memory_bytes: Annotated[int, Field(gt=0)] = Field(default_factory=_three_quarters_of_memory)
    worker_time_s: Annotated[float, Field(gt=0)] = 4 * 3600.0
    worker_jobs: Annotated[int, Field(ge=1)] = 500
    worker_idle_s: Annotated[float, Field(gt=0)] = 900.0
    worker_start_s: Annotated[float, Field(gt=0)] = 60.0

    live_sessions: Annotated[int, Field(ge=0, le=64)] = Field(default_factory=lambda: 4 * (os.cpu_count() or 1))
    live_reader: str = "unified"

    keep_days: Annotated[float, Field(ge=0)] = 14.0
    keep_bytes: Annotated[int, Field(ge=0)] = 5 * 1024 * MEBIBYTE
    keep_jobs: Annotated[int, Field(ge=1)] = 20_000
    keep_least_s: Annotated[float, Field(ge=0)] = 900.0
    sweep_s: Annotated[float, Field(gt=0)] = 300.0

    log_level: str = "INFO"

    @field_validator("roots", mode="before")
    @classmethod
    def _separated(cls, value: Any) -> Any:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("roots")
    @classmethod
    def _resolved(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(root.expanduser().resolve() for root in value)

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def runtime(self) -> Path:
        """Folder of the lock and the connection file; `SCOREBRIDGE_RUNTIME` names another."""
        return connection_path().parent

    @property
    def journal_file(self) -> Path:
        """The SQLite file that remembers every job."""
        return self.data / "journal.sqlite3"

    @property
    def work_folder(self) -> Path:
        """Where jobs work; emptied when the daemon starts."""
        return self.data / "work"

    @property
    def live_folder(self) -> Path:
        """What live sessions heard, as they heard it."""
        return self.data / "live"

    @property
    def results_folder(self) -> Path:
        """Where finished results lie, one folder a job."""
        return self.data / "results"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the settings file."""
        return init_settings, env_settings, TomlSource(settings_cls, config_file())
