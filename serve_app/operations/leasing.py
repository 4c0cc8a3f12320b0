"""The blocks of tokens that one process has leased: asked for, spent, and given back."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from serve_app.core.errors import Unavailable
from serve_app.core.rate_limits import RateLimit
from serve_app.core.token_account import CLOSED, TokenAccount
from serve_app.core.token_window import TokenGrant, TokenRequest, TokenWindow
from serve_app.operations.ports import TokenStore
from serve_app.telemetry import Meter

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 0.25
SWEPT_AT_ONCE = 500
"""Accounts looked at in one sweep: a tenth of a millisecond of the event loop."""

DOWN_SECONDS = 5.0
"""How long a store that failed is not asked again."""

Key = tuple[int, str, str]
Waiting = list[tuple[int, asyncio.Future[bool]]]


class Leases:
    """Every account of this process. While the store is down, each process counts alone."""

    def __init__(self, store: TokenStore, meter: Meter, clock: Callable[[], float]) -> None:
        self._store = store
        self._meter = meter
        self._clock = clock
        self._accounts: dict[Key, TokenAccount] = {}
        self._turns: deque[Key] = deque()
        self._waiting: dict[TokenAccount, Waiting] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._alone: dict[tuple[int, bytes], TokenWindow] = {}
        self._down_until = 0.0

    def __len__(self) -> int:
        return len(self._accounts)

    def find_account(self, tenant_id: int, name: str, whose: str, limit: RateLimit) -> TokenAccount:
        """The account of one limit of one tenant, key or agent; another limit opens another."""
        key = (tenant_id, name, whose)
        account = self._accounts.get(key)
        if account is None:
            if not self._accounts:
                asyncio.get_running_loop().call_later(SWEEP_SECONDS, self.sweep)
            self._turns.append(key)
        if account is None or account.limit != limit:
            account = self._accounts[key] = TokenAccount(tenant_id, name, whose, limit)
        return account

    async def take(self, account: TokenAccount, cost: int) -> bool:
        """Spend from the account, after a word with the store when it holds too little."""
        now = self._clock()
        if account.holds(cost, now):
            account.spend(cost, now)
            return True
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(account)
        if waiting is not None:
            waiting.append((cost, answer))
        else:
            self._waiting[account] = [(cost, answer)]
            self._start(self._refill(account))
        return await answer

    async def _refill(self, account: TokenAccount) -> None:
        """Ask as long as calls wait that have got no answer."""
        while waiting := [pair for pair in self._waiting[account] if not pair[1].done()]:
            self._waiting[account] = []
            asked_at = self._clock()
            request = account.ask([cost for cost, _ in waiting], asked_at)
            try:
                grant = await self._lease(request)
            except BaseException as error:
                for _, answer in [*waiting, *self._waiting.pop(account)]:
                    if not answer.done():
                        answer.set_exception(error)
                if isinstance(error, Exception):
                    return
                raise
            account.accept(grant, request, asked_at)
            missed = self._deliver(account, waiting, grant)
            self._waiting[account] = missed + self._waiting[account]
        del self._waiting[account]

    def _deliver(self, account: TokenAccount, waiting: Waiting, grant: TokenGrant) -> Waiting:
        """Give every call its answer in order; returns those that a part of the grant missed."""
        now = self._clock()
        missed: Waiting = []
        for cost, answer in waiting:
            if answer.done():
                continue
            if account.tokens >= cost:
                account.spend(cost, now)
                answer.set_result(True)
            elif grant.granted:
                missed.append((cost, answer))
            else:
                answer.set_result(False)
        return missed

    async def _settle(self, account: TokenAccount) -> None:
        asked_at = self._clock()
        request = account.ask([], asked_at)
        account.accept(await self._lease(request), request, asked_at)

    async def _lease(self, request: TokenRequest) -> TokenGrant:
        """What the store grants; what this process alone would, while the store is down."""
        if self._clock() < self._down_until:
            return self._lease_alone(request)
        try:
            return await self._store.lease(request)
        except Unavailable as error:
            self._meter.count("rate_limit_store_errors", error=error.code)
            logger.warning("rate limits are counted by each process alone: %s", error.code)
            self._down_until = self._clock() + DOWN_SECONDS
            return self._lease_alone(request)

    def _lease_alone(self, request: TokenRequest) -> TokenGrant:
        subject = request.tenant_id, request.subject
        window = self._alone.setdefault(subject, TokenWindow(request.limit))
        # Another count of the same span is no other subject.
        window.limit = request.limit
        # Blocks of two stores must not be settled with one another: these are spent at once.
        grant = window.lease(replace(request, ahead=0, settlement=None), self._clock())
        return replace(grant, slot=CLOSED)

    def sweep(self) -> None:
        """Settle blocks that have ended, and forget accounts that say nothing any more."""
        now = self._clock()
        for _ in range(min(SWEPT_AT_ONCE, len(self._turns))):
            key = self._turns.popleft()
            account = self._accounts[key]
            if account.is_idle(now) and account not in self._waiting:
                del self._accounts[key]
                self._alone.pop((account.tenant_id, account.subject), None)
                continue
            if account.is_due_for_settlement(now) and account not in self._waiting:
                self._start(self._settle(account))
            self._turns.append(key)
        if self._accounts:
            asyncio.get_running_loop().call_later(SWEEP_SECONDS, self.sweep)
        else:
            self._alone.clear()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
