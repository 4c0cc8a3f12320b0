"""A Ray of one machine, with the application on it: `python -m deployments.local`.

`fleetmem up` starts this as a child, in an environment that Ray reads at import, and stops it with
SIGTERM. It writes one JSON line to standard output: the service answers, or why it can't start.
"""

import argparse
import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.serve import Application

from deployments.app import build_local_app
from serve_app.local.processes import descendants, end_processes
from serve_app.settings import load_settings

PR_SET_PDEATHSIG = 1
MEBIBYTE = 2**20
AGENT_SECONDS = 1.0


def main(build: Callable[[int], Application] = build_local_app) -> int:
    """Run until SIGTERM, or until the parent is gone; 1 when the start failed.

    `build` makes the application for a number of ingress replicas.
    """
    options = _parse_arguments()
    stop = threading.Event()
    _set_on_signals(stop)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        _start(options, build)
        # Ray has put a handler of its own there, which ends the process at once.
        _set_on_signals(stop)
        _tell({"ready": True})
        stop.wait()
    except Exception as error:
        _tell({"ready": False, "error": f"{type(error).__name__}: {error}"})
        return 1
    finally:
        _stop()
    return 0


def _set_on_signals(stop: threading.Event) -> None:
    def request_stop(number: int, frame: object) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, request_stop)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--run-directory", type=Path, required=True)
    return parser.parse_args()


def _start(options: argparse.Namespace, build: Callable[[int], Application]) -> None:
    ingress_replicas = load_settings().up_ingress_replicas
    ray.init(
        address="local",
        _node_ip_address="127.0.0.1" if "FLEETMEM_LOOPBACK_ONLY" in os.environ else None,
        # Logical cores: replicas reserve shares of them, and an autoscaled one must still fit.
        num_cpus=max(4, len(os.sched_getaffinity(0))) + ingress_replicas - 1,
        include_dashboard=False,
        object_store_memory=100 * MEBIBYTE,
        log_to_driver=False,
        _temp_dir=str(options.run_directory),
    )
    logging_config: dict[str, Any] = {
        "encoding": "JSON",
        "log_level": "WARNING",
        "enable_access_log": False,
    }
    serve.start(
        http_options={"host": options.host, "port": options.port}, logging_config=logging_config
    )
    serve.run(build(ingress_replicas), name="fleetmem", logging_config=logging_config)


def _stop() -> None:
    """Stop Serve and Ray, and the agents that Ray leaves behind, also when our parent is gone."""
    family = descendants(os.getpid())
    if ray.is_initialized():
        serve.shutdown()
        ray.shutdown()
    end_processes(family, AGENT_SECONDS)


def _tell(message: dict[str, Any]) -> None:
    """Write one line to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
