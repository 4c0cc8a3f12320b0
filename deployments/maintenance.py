"""Maintenance: the cron actor. It folds old memories, tends the vector indexes, and fills vectors.

Any number of them may run: scopes are leased, and all else is guarded by advisory locks.
"""

import logging
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.metrics import RayMeter
from deployments.schedule import Schedule
from deployments.world import open_ports
from serve_app.core.summary import SummaryRules
from serve_app.language.sentences import Sentences
from serve_app.operations.fill_vectors import fill
from serve_app.operations.summarise import summarise
from serve_app.settings import load_settings
from serve_app.storage.ann_index import tend_indexes
from serve_app.storage.connection import acquired, open_pool, owner_connection
from serve_app.storage.once import purge_outcomes
from serve_app.storage.owed_vectors import PostgresOwed
from serve_app.storage.roles import owns_tables
from serve_app.storage.summaries import PostgresSummaries
from serve_app.storage.tokens import PostgresTokens

FILL_SECONDS = 1.0

logger = logging.getLogger("fleetmem.maintenance")

PURGE_SECONDS = 600.0
"""Between two looks for idempotency keys that are old enough to go."""


WINDOWS_SECONDS = 300.0
"""Between two looks for windows of rate limits that nobody needs."""


@serve.deployment(
    name="Maintenance",
    num_replicas=1,
    max_ongoing_requests=4,
    ray_actor_options={"num_cpus": 0.1, "memory": 200 * 2**20},
    graceful_shutdown_timeout_s=5,
    health_check_period_s=5,
)
class Maintenance:
    """Wakes at the settings' intervals; each waking is a tick."""

    async def __init__(
        self, config: str | None, embedding: DeploymentHandle[Any], retrieval: DeploymentHandle[Any]
    ) -> None:
        self._settings = load_settings(config)
        self._pool = await open_pool(
            self._settings.model_copy(update={"db_min_pool_size": 1, "db_max_pool_size": 3}),
            "fleetmem_maintenance",
        )
        self._meter = RayMeter()
        self._ports = open_ports(embedding, retrieval, self._settings, self._meter)
        self._rules = SummaryRules(
            threshold=self._settings.summarization_threshold,
            batch_size=self._settings.summarization_batch_size,
        )
        self._schedule = Schedule()
        self._schedule.every(FILL_SECONDS, self._fill_vectors)
        if self._settings.summarization_enabled:
            self._schedule.every(self._settings.summarization_interval_seconds, self._summarise)
        self._schedule.every(WINDOWS_SECONDS, PostgresTokens(self._pool).forget_idle)
        self._schedule.every(PURGE_SECONDS, self._purge_outcomes)
        async with owner_connection(self._settings) as connection:
            may_build = await owns_tables(connection)
        if may_build:
            self._schedule.every(self._settings.index_tend_seconds, self._tend_index)
        else:
            logger.warning(
                "no index is tended: the database's user owns no table; set "
                "FLEETMEM_OWNER_DATABASE_URL, or run `fleetmem index` where it is set"
            )

    def check_health(self) -> None:
        """Serve's health check: every job's loop lives."""
        self._schedule.check()

    async def _summarise(self) -> None:
        await summarise(
            self._ports,
            PostgresSummaries(self._pool),
            Sentences(),
            self._rules,
            self._settings.summarization_lease_seconds,
        )

    async def _fill_vectors(self) -> None:
        async with acquired(self._pool) as connection:
            owed = PostgresOwed(connection)
            async with owed.only_filler() as alone:
                model = await owed.other_model() if alone else None
                if model is not None:
                    await fill(owed, self._ports.models.find(model), self._meter)

    async def _purge_outcomes(self) -> None:
        await purge_outcomes(self._pool, self._settings.idempotency_hours)

    async def _tend_index(self) -> None:
        async with owner_connection(self._settings) as connection:
            await tend_indexes(
                connection,
                self._settings.index,
                self._settings.index_min_rows,
                self._settings.exact_scope_rows,
            )
