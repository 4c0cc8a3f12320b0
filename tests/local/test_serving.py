import socket
import stat
import subprocess
from pathlib import Path

import pytest

from serve_app.local.serving import (
    LOOPBACK_ENVIRONMENT,
    PORTS,
    free_ports,
    is_loopback,
    serving_environment,
)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.0.0.2", True), ("localhost", True), ("0.0.0.0", False)],
)
def test_loopback_hosts_confine_ray(tmp_path: Path, host: str, loopback: bool) -> None:
    environment = serving_environment(tmp_path, host)
    assert is_loopback(host) is loopback
    assert (LOOPBACK_ENVIRONMENT.items() <= environment.items()) is loopback


def test_the_token_is_new_and_for_its_owner_only(tmp_path: Path) -> None:
    first = Path(serving_environment(tmp_path, "127.0.0.1")["RAY_AUTH_TOKEN_PATH"])
    before = first.read_text()
    again = Path(serving_environment(tmp_path, "127.0.0.1")["RAY_AUTH_TOKEN_PATH"])
    assert again.read_text() != before
    assert stat.S_IMODE(again.stat().st_mode) == 0o600


def test_haproxy_binds_loopback_whatever_the_template_says(tmp_path: Path) -> None:
    wrapper = serving_environment(tmp_path, "127.0.0.1")["RAY_SERVE_HAPROXY_BINARY_PATH"]
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(
        "frontend metrics\n    bind :9101\nlisten stats\n  bind *:8404\nfrontend api\n"
        "    bind 127.0.0.1:8000\n"
    )
    subprocess.run([wrapper, "-c", "-f", str(configuration)], check=False, capture_output=True)
    binds = [line.split()[1] for line in configuration.read_text().splitlines() if "bind" in line]
    assert binds == ["127.0.0.1:9101", "127.0.0.1:8404", "127.0.0.1:8000"]


def test_haproxy_waits_for_no_slow_headers_however_often_it_is_reloaded(tmp_path: Path) -> None:
    wrapper = serving_environment(tmp_path, "127.0.0.1")["RAY_SERVE_HAPROXY_BINARY_PATH"]
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text("defaults\n    mode http\n    timeout client 60s\n")
    for _ in range(2):
        subprocess.run([wrapper, "-c", "-f", str(configuration)], check=False, capture_output=True)
    lines = [line.strip() for line in configuration.read_text().splitlines()]
    added = ["option http-ignore-probes", "timeout http-request 10s"]
    assert lines == ["defaults", *added, "mode http", "timeout client 60s"]


def test_the_wrapper_becomes_haproxy(tmp_path: Path) -> None:
    wrapper = serving_environment(tmp_path, "127.0.0.1")["RAY_SERVE_HAPROXY_BINARY_PATH"]
    said = subprocess.run([wrapper, "-v"], check=True, capture_output=True, text=True).stdout
    assert said.startswith("HAProxy version 2.8")


def test_free_ports_are_free_different_and_never_the_kernels() -> None:
    ports = free_ports(8)
    assert len(set(ports)) == 8
    assert set(ports) <= set(PORTS)
    first_of_the_kernel = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(PORTS) < first_of_the_kernel
    with socket.create_server(("127.0.0.1", ports[0])):
        assert ports[0] not in free_ports(50)
