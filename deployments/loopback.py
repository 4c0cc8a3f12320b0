"""Keep a laptop's Ray off the network.

Ray binds loopback when its node lives there (serve_app/local/serving.py sees to that), with one
exception: Serve's gRPC server between replicas always asks for `[::]:0`. Where
FLEETMEM_LOOPBACK_ONLY is set, every replica that imports `deployments` asks for loopback instead.
"""

import os
from importlib import import_module

LOOPBACK_ONLY = "FLEETMEM_LOOPBACK_ONLY"


def confine_replica_servers() -> None:
    """Make replica servers of this process bind 127.0.0.1; does nothing on a cluster."""
    if os.environ.get(LOOPBACK_ONLY) != "1":
        return
    replica = import_module("ray.serve._private.replica")
    add_port = replica.add_port_to_grpc_server

    def add_loopback_port(server: object, address: str) -> int:
        return add_port(server, address.replace("[::]:", "127.0.0.1:"))

    replica.__dict__["add_port_to_grpc_server"] = add_loopback_port
