"""`fleetmem up`: everything that one machine needs, started, watched and stopped together.

The order: checks that cost nothing, model, Postgres, schema, Ray. The reverse on the way down.
"""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from serve_app.core.errors import PortTaken
from serve_app.embedding.devices import prepare_for_device
from serve_app.embedding.registry import find_model
from serve_app.embedding.reranking import prepare_reranker
from serve_app.local.postgres import EmbeddedPostgres
from serve_app.local.ray_process import RayProcess
from serve_app.local.serving import is_loopback
from serve_app.settings import Settings
from serve_app.storage.keys import require_keys_of
from serve_app.storage.languages import require_language_of
from serve_app.storage.migrate import list_models, prepare_database

WATCH_SECONDS = 0.5

Progress = Callable[[str], None]
"""Takes one line that says what is being done."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """Where the service listens and where its data lies; no `database_url` embeds Postgres."""

    host: str
    port: int
    data_directory: Path
    database_url: str | None


def run(
    options: UpOptions, settings: Settings, progress: Progress, ready: Callable[[bool], None]
) -> int:
    """Start, call `ready`, watch until SIGINT or SIGTERM, stop. Returns the exit status.

    `ready` is told whether every request needs a key. Raises ConfigurationError when the service
    cannot start; nothing is left running then either.
    """
    stop = _stop_on_signals()
    with ExitStack() as started:
        require_free_port(options.host, options.port)
        model = find_model(settings.stored_model)
        progress(f"Preparing the model {model.name}")
        prepare_for_device(model, settings, progress)
        if settings.reranker_model:
            prepare_reranker(settings.reranker_model, settings, progress)
        postgres = None if options.database_url else _start_postgres(options, progress, started)
        database_url = options.database_url or _dsn(postgres)
        progress("Migrating the database")
        owner = settings.owner_database_url
        owner_url = database_url if owner is None else owner.get_secret_value()
        asyncio.run(prepare_database(owner_url, model.name, model.dimension))
        for name in asyncio.run(list_models(owner_url)):
            prepare_for_device(find_model(name), settings, progress)
        # Before Ray starts: it would take its time to say the same.
        open_allowed = is_loopback(options.host) or settings.insecure_open
        needs_key = asyncio.run(require_keys_of(owner_url, open_allowed))
        asyncio.run(require_language_of(owner_url, settings.search_language))
        progress("Starting Ray and the application (10 to 30 seconds)")
        ray = RayProcess(options.host, options.port, options.data_directory / "ray.log")
        started.callback(ray.stop)
        ray.start(database_url, stop)
        if not stop.is_set():
            ready(needs_key)
        status = _watch(ray, postgres, stop, progress)
        progress("Stopping")
    return status


def require_free_port(host: str, port: int) -> None:
    """Raise PortTaken when somebody listens there."""
    try:
        with socket.create_server((host, port)):
            return
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {host}:{port} ({error.strerror}); "
            "stop what listens there, or choose another port with --port"
        ) from error


def _stop_on_signals() -> threading.Event:
    """An event that the first SIGINT or SIGTERM sets."""
    stop = threading.Event()

    def request_stop(number: int, frame: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, request_stop)
    return stop


def _start_postgres(options: UpOptions, progress: Progress, started: ExitStack) -> EmbeddedPostgres:
    progress(f"Starting Postgres in {options.data_directory}")
    postgres = EmbeddedPostgres(options.data_directory)
    started.callback(postgres.stop)
    postgres.start()
    progress(f"Postgres answers at {postgres.dsn}")
    return postgres


def _dsn(postgres: EmbeddedPostgres | None) -> str:
    assert postgres is not None
    return postgres.dsn


def _watch(
    ray: RayProcess, postgres: EmbeddedPostgres | None, stop: threading.Event, progress: Progress
) -> int:
    """Restart Postgres when it dies; end when a signal comes, or with Ray."""
    while not stop.wait(WATCH_SECONDS):
        if postgres is not None and postgres.restart_if_dead():
            progress("Postgres had died and was started again")
        if not ray.is_running():
            progress(f"Ray ended by itself; its log is {ray.log}")
            return 1
    return 0
