"""How Ray runs fleetmem; the only place that imports ray."""

from deployments.loopback import confine_replica_servers

confine_replica_servers()
