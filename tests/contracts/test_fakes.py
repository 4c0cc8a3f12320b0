"""The fakes keep the contract, so what is tested with them holds for the real things."""

from uuid import UUID

import pytest

from serve_app.core.usage import Quota
from tests.contracts.dedupe_contract import DedupeContract, DedupeOnceContract
from tests.contracts.keys_contract import KeysContract
from tests.contracts.limits_contract import LimitsContract, SetQuota
from tests.contracts.memories_contract import MemoriesContract
from tests.contracts.once_contract import OnceContract
from tests.contracts.owed_contract import Forget, OwedContract, Write
from tests.contracts.ranking_defaults_contract import RankingDefaultsContract
from tests.contracts.recall_contract import RecallContract
from tests.contracts.reranker_contract import RerankerContract
from tests.contracts.samples import SCOPE, START
from tests.contracts.summaries_contract import SummariesContract
from tests.contracts.tokens_contract import TokensContract
from tests.contracts.vectors_contract import VectorsContract
from tests.fakes.keys import InMemoryKeys
from tests.fakes.limits import InMemoryLimits
from tests.fakes.memories import InMemoryMemories
from tests.fakes.once import InMemoryOnce
from tests.fakes.owed import InMemoryOwed
from tests.fakes.ranking_defaults import InMemoryRankingDefaults
from tests.fakes.reranker import FakeReranker
from tests.fakes.summaries import InMemorySummaries
from tests.fakes.tokens import InMemoryTokens
from tests.fakes.vector_store import InMemoryVectorStore
from tests.operations.fleet import Clock


@pytest.fixture
def memories() -> InMemoryMemories:
    return InMemoryMemories()


@pytest.fixture
def summaries(memories: InMemoryMemories) -> InMemorySummaries:
    return InMemorySummaries(memories, lambda: START)


@pytest.fixture
def keys() -> InMemoryKeys:
    return InMemoryKeys()


@pytest.fixture
def limits(memories: InMemoryMemories) -> InMemoryLimits:
    return InMemoryLimits(memories)


@pytest.fixture
def defaults() -> InMemoryRankingDefaults:
    return InMemoryRankingDefaults()


@pytest.fixture
def set_quota(memories: InMemoryMemories) -> SetQuota:
    async def set_quota(quota: Quota) -> None:
        memories.quotas[SCOPE.tenant_id] = quota

    return set_quota


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> InMemoryTokens:
    return InMemoryTokens(clock)


@pytest.fixture
def vectors() -> InMemoryVectorStore:
    return InMemoryVectorStore()


class TestInMemoryMemories(MemoriesContract, DedupeContract, RecallContract):
    """Memories in a dictionary."""


@pytest.fixture
def once(memories: InMemoryMemories) -> InMemoryOnce:
    return InMemoryOnce(memories)


class TestInMemoryOnce(OnceContract, DedupeOnceContract):
    """Keys over that dictionary."""


class TestInMemorySummaries(SummariesContract):
    """Summaries over that dictionary."""


class TestInMemoryKeys(KeysContract):
    """Keys in a dictionary."""


class TestInMemoryTokens(TokensContract):
    """Windows in a dictionary."""


class TestInMemoryLimits(LimitsContract):
    """Quotas in a dictionary."""


class TestInMemoryRankingDefaults(RankingDefaultsContract):
    """Defaults in a dictionary."""


class TestInMemoryVectorStore(VectorsContract):
    """Shared vectors in a dictionary."""


@pytest.fixture
def reranker() -> FakeReranker:
    return FakeReranker()


class TestFakeReranker(RerankerContract):
    """The fake of ports.Reranker."""


@pytest.fixture
def owed() -> InMemoryOwed:
    return InMemoryOwed("old", "new")


@pytest.fixture
def write(owed: InMemoryOwed) -> Write:
    async def write(number: int, content: str, tenant_id: int) -> None:
        owed.write(number, content, tenant_id)

    return write


@pytest.fixture
def forget(owed: InMemoryOwed) -> Forget:
    async def forget(number: int, tenant_id: int) -> None:
        owed.forget((tenant_id, UUID(int=number)))

    return forget


class TestInMemoryOwed(OwedContract):
    """Owed vectors in dictionaries."""
