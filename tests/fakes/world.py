"""A whole world in memory: ports with a clock that a test sets and ids that count up."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha512
from uuid import UUID

from serve_app.core.identity import uuid7
from serve_app.core.memory import EmbeddedMemory, Memory, MemoryDraft, Scope
from serve_app.core.rate_limits import LimitRules
from serve_app.language.dates import QuestionDates
from serve_app.operations.default_book import DefaultBook
from serve_app.operations.key_ring import KeyRing
from serve_app.operations.limit import Limiter
from serve_app.operations.limit_rules import RuleBook
from serve_app.operations.ports import Ports
from serve_app.operations.registry import Registry
from serve_app.operations.remember import remember
from serve_app.operations.service import Service
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.keys import InMemoryKeys
from tests.fakes.limits import InMemoryLimits
from tests.fakes.memories import InMemoryMemories
from tests.fakes.meter import RecordingMeter
from tests.fakes.models import OneModel
from tests.fakes.once import InMemoryOnce
from tests.fakes.ranking_defaults import InMemoryRankingDefaults
from tests.fakes.reranker import FakeReranker
from tests.fakes.summaries import InMemorySummaries
from tests.fakes.tokens import InMemoryTokens

SCOPE = Scope(1, "agent", "user")
CALENDAR = QuestionDates()


@dataclass
class World:
    """`World().service` serves; `now` is set by the test, in aware UTC."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    memories: InMemoryMemories = field(default_factory=InMemoryMemories)
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    meter: RecordingMeter = field(default_factory=RecordingMeter)
    keys: InMemoryKeys = field(default_factory=InMemoryKeys)
    open_allowed: bool = True
    rules: LimitRules = field(default_factory=LimitRules)
    reranker: FakeReranker | None = None
    ids_given: int = 0

    def __post_init__(self) -> None:
        self.summaries = InMemorySummaries(self.memories, lambda: self.now)
        self.limits = InMemoryLimits(self.memories)
        self.defaults = InMemoryRankingDefaults()
        self.once = InMemoryOnce(self.memories)
        self.ports = Ports(
            memories=self.memories,
            models=OneModel(self.embedder),
            once=self.once,
            limits=self.limits,
            meter=self.meter,
            clock=lambda: self.now,
            new_id=self.new_id,
            calendar=CALENDAR,
            reranker=self.reranker,
        )
        self.tokens = InMemoryTokens(self.seconds)
        rules = RuleBook(self.rules, self.limits, self.seconds)
        self.limiter = Limiter(rules, self.tokens, self.meter, self.seconds)
        registry = Registry(self.keys, lambda: self.now, self.new_entropy)
        self.key_ring = KeyRing(self.keys, lambda: self.now, self.monotonic, self.open_allowed)
        defaults = DefaultBook(self.defaults, self.seconds)
        self.service = Service(self.ports, registry, self.key_ring, defaults, self.limiter)

    def seconds(self) -> float:
        """The time as a limiter tells it."""
        return self.now.timestamp()

    def advance(self, **duration: float) -> None:
        """Let time pass: `advance(days=3)`."""
        self.now += timedelta(**duration)

    def new_id(self) -> UUID:
        """The next id; later ones are greater."""
        self.ids_given += 1
        return uuid7(self.now, self.ids_given.to_bytes(10))

    def new_entropy(self, count: int) -> bytes:
        """The next bytes, which are anything but random."""
        self.ids_given += 1
        return sha512(self.ids_given.to_bytes(10)).digest()[:count]

    def monotonic(self) -> float:
        """Seconds, in step with `now`."""
        return self.now.timestamp()

    async def remember(self, content: str, scope: Scope = SCOPE, **fields: object) -> Memory:
        """Store one memory, and let a second pass."""
        written = await remember(self.ports, MemoryDraft(scope, content, **fields))
        self.advance(seconds=1)
        return written.memory

    def embedded(self, memory: Memory) -> EmbeddedMemory:
        """The memory with the vectors of its content."""
        return EmbeddedMemory(memory, self.embedder.chunks(memory.content), self.embedder.model)
