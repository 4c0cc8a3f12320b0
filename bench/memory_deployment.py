"""The Retrieval deployment alone on a local Ray, asked as the ingress asks it.

Imported late: Ray reads its environment at import.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench.reporting import say
from serve_app.local.processes import descendants, end_processes
from serve_app.local.serving import free_ports, serving_environment
from serve_app.operations.ports import Memories

HOST = "127.0.0.1"
SECONDS = 30.0
LOGGING = {"log_level": "WARNING", "enable_access_log": False}


@contextmanager
def open_retrieval(dsn: str) -> Generator[Memories]:
    """The deployment on this database, until the end of the block; Ray and its files go, too."""
    # Unix sockets lie below it: their paths must stay under 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="fb-", dir="/tmp"))
    os.environ |= serving_environment(directory, HOST)
    os.environ["FLEETMEM_DATABASE_URL"] = dsn
    # What a handle does late must not start another Ray.
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    before = descendants(os.getpid())
    say("Starting Ray with the Retrieval deployment")
    try:
        yield _start(directory)
    finally:
        family = [process for process in descendants(os.getpid()) if process not in before]
        _stop()
        end_processes(family)
        shutil.rmtree(directory, ignore_errors=True)
        say("Ray has stopped")


def _start(directory: Path) -> Memories:
    import ray
    from ray import serve

    from deployments.direct_handle import DirectHandle
    from deployments.handles import RemoteMemories
    from deployments.metrics import RayMeter
    from deployments.retrieval import Retrieval

    ray.init(
        address="local",
        _node_ip_address=HOST,
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        log_to_driver=False,
        _temp_dir=str(directory),
    )
    [port] = free_ports(1)
    serve.start(http_options={"host": HOST, "port": port}, logging_config=LOGGING)
    handle = serve.run(Retrieval.bind(None), name="retrieval", logging_config=LOGGING)
    meter = RayMeter()
    return RemoteMemories(DirectHandle(handle, "Retrieval", meter), meter, SECONDS)


def _stop() -> None:
    import ray
    from ray import serve

    if ray.is_initialized():
        serve.shutdown()
        ray.shutdown()
