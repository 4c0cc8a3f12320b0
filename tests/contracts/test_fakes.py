"""The fakes keep the contract, so what is tested with them holds for the real things."""

import pytest

from tests.contracts.keys_contract import KeysContract
from tests.contracts.memories_contract import MemoriesContract
from tests.contracts.samples import START
from tests.contracts.summaries_contract import SummariesContract
from tests.fakes.keys import InMemoryKeys
from tests.fakes.memories import InMemoryMemories
from tests.fakes.summaries import InMemorySummaries


@pytest.fixture
def memories() -> InMemoryMemories:
    return InMemoryMemories()


@pytest.fixture
def summaries(memories: InMemoryMemories) -> InMemorySummaries:
    return InMemorySummaries(memories, lambda: START)


@pytest.fixture
def keys() -> InMemoryKeys:
    return InMemoryKeys()


class TestInMemoryMemories(MemoriesContract):
    """Memories in a dictionary."""


class TestInMemorySummaries(SummariesContract):
    """Summaries over that dictionary."""


class TestInMemoryKeys(KeysContract):
    """Keys in a dictionary."""
