"""Nothing of ours or Ray's listens beyond loopback, read from the kernel's own tables."""

from pathlib import Path

from tests.service.running import RunningService, descendants

LISTEN = "0A"
LOOPBACK = {
    "0100007F",
    "00000000000000000000000001000000",
    "0000000000000000FFFF00000100007F",
}


def sockets_of(pids: set[int]) -> set[str]:
    inodes: set[str] = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = str(link.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    return inodes


def bound_sockets(table: str) -> list[tuple[str, str, str]]:
    """(address, state, inode) of each row of /proc/net/`table`."""
    rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return [(row[1], row[3], row[9]) for row in rows]


def open_to_others(service: RunningService, tables: dict[str, str | None]) -> list[str]:
    assert service.process is not None
    inodes = sockets_of({service.process.pid, *descendants(service.process.pid)})
    return [
        f"{table} {address}"
        for table, wanted in tables.items()
        for address, state, inode in bound_sockets(table)
        if inode in inodes
        and (wanted is None or state == wanted)
        and address.split(":")[0] not in LOOPBACK
    ]


def test_every_listening_tcp_socket_is_on_loopback(service: RunningService) -> None:
    assert open_to_others(service, {"tcp": LISTEN, "tcp6": LISTEN}) == []


def test_no_udp_socket_is_open_to_others(service: RunningService) -> None:
    assert open_to_others(service, {"udp": None, "udp6": None}) == []


def test_the_service_does_listen(service: RunningService) -> None:
    """The test above would pass on an empty table: here the API's own port is found by it."""
    assert service.process is not None
    inodes = sockets_of(set(descendants(service.process.pid)))
    ours = [a for a, state, inode in bound_sockets("tcp") if state == LISTEN and inode in inodes]
    assert f"0100007F:{service.port:04X}" in ours
