"""What is answered over HTTP: memex's bodies to the letter, our fields after its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from serve_app.api.fields import (
    IMPORTANCE_SCALE,
    LifeStatus,
    MemoryType,
    write_cursor,
)
from serve_app.api.problems import Problem, is_none
from serve_app.api.told_memory import tell_memory
from serve_app.core.memory import Memory, MemoryVersion
from serve_app.core.page import MemoryPage
from serve_app.core.profiles import Profile
from serve_app.core.ranking import Hit, Signals
from serve_app.core.reranking import Reranked, Skipped


class Weights(BaseModel):
    """What each signal counts in a score."""

    similarity: float
    recency: float
    importance: float


class SignalPart(BaseModel):
    """One signal of a hit, and what it adds to the score: `weighted` = weight times `raw`."""

    raw: float
    weighted: float


class Explanation(BaseModel):
    """score = the sum of what the `signals` add; importance here runs from 0 to 1."""

    similarity: float
    recency: float
    importance: float
    weights: Weights
    half_life_days: float
    span: tuple[int, int] = Field(description="characters of the content that matched best")
    profile: str = Field(description="the name and the version of the profile")
    signals: dict[str, SignalPart]

    @classmethod
    def of(cls, hit: Hit, profile: Profile) -> Self:
        """The signals of a hit, and the profile that weighed them."""
        policy = profile.policy
        return cls(
            similarity=hit.similarity,
            recency=hit.recency,
            importance=hit.importance,
            weights=Weights(
                similarity=policy.similarity_weight,
                recency=policy.recency_weight,
                importance=policy.importance_weight,
            ),
            half_life_days=policy.half_life_days,
            span=hit.span,
            profile=f"{profile.name}@{profile.version}",
            signals=_tell_signals(hit, profile),
        )


def _tell_signals(hit: Hit, profile: Profile) -> dict[str, SignalPart]:
    """Every signal that the search looked at."""
    weights = profile.weights
    raw = {name: getattr(hit, name) for name in ("similarity", "recency", "importance")}
    if hit.signals is not None:
        raw |= {name: getattr(hit.signals, name) for name in Signals.__slots__}
    return {
        name: SignalPart(raw=signal, weighted=weights[name] * signal)
        for name, signal in raw.items()
    }


class MemoryResponse(BaseModel):
    """A stored memory: memex's fields first, then ours."""

    id: UUID
    agent_id: str
    user_id: str
    content: str
    importance: float
    memory_type: MemoryType
    created_at: datetime
    score: float | None = Field(None, description="4 decimal places; null outside a search")
    occurred_at: datetime
    updated_at: datetime
    status: LifeStatus
    sources: list[UUID]
    superseded_by: UUID | None
    explanation: Explanation | SkipJsonSchema[None] = Field(default=None, exclude_if=is_none)
    session_id: str | SkipJsonSchema[None] = Field(default=None, exclude_if=is_none)
    context: list["MemoryResponse"] | SkipJsonSchema[None] = Field(
        default=None, exclude_if=is_none, description="what stands beside it, in the order of time"
    )
    rerank_score: float | SkipJsonSchema[None] = Field(
        default=None, exclude_if=is_none, description="the reranker's; higher is more relevant"
    )

    @classmethod
    def of(
        cls, memory: Memory, hit: Hit | None = None, explanation: Explanation | None = None
    ) -> Self:
        """The memory in memex's words."""
        told = tell_memory(memory, None if hit is None else hit.score)
        beside = None if hit is None else hit.context
        context = None if beside is None else [MemoryResponse.of(memory) for memory in beside]
        return cls(**told, explanation=explanation, context=context)


class SearchResponse(BaseModel):
    """The best memories, best first."""

    results: list[MemoryResponse]
    query: str
    total: int
    reranked: bool | SkipJsonSchema[None] = Field(
        default=None, exclude_if=is_none, description="told where `rerank` was asked for"
    )
    rerank_skipped: Skipped | SkipJsonSchema[None] = Field(
        default=None, exclude_if=is_none, description="why the first ranking was kept"
    )

    def tell_reranking(self, outcome: Reranked) -> Self:
        """This answer, with the reranker's scores or why there are none."""
        for result, score in zip(self.results, outcome.scores or (), strict=False):
            result.rerank_score = score
        self.reranked = outcome.scores is not None
        self.rerank_skipped = outcome.skipped
        return self


class CountResponse(BaseModel):
    """How many active memories a scope holds."""

    agent_id: str
    user_id: str
    count: int


class PageResponse(BaseModel):
    """One page of memories; `next_cursor` null ends the walk."""

    results: list[MemoryResponse]
    next_cursor: str | None

    @classmethod
    def of(cls, page: MemoryPage) -> Self:
        """The page in memex's words."""
        after = page.next_after
        return cls(
            results=[MemoryResponse.of(memory) for memory in page.memories],
            next_cursor=None if after is None else write_cursor(after),
        )


class VersionResponse(BaseModel):
    """What a memory was from `valid_from` to `valid_to`; null is now."""

    version: int
    content: str
    importance: float
    memory_type: MemoryType
    occurred_at: datetime
    status: LifeStatus
    superseded_by: UUID | None
    valid_from: datetime
    valid_to: datetime | None

    @classmethod
    def of(cls, version: MemoryVersion) -> Self:
        """The version in memex's words."""
        return cls(
            version=version.version,
            content=version.content,
            importance=version.importance * IMPORTANCE_SCALE,
            memory_type=version.kind.value,
            occurred_at=version.occurred_at,
            status=version.status.value,
            superseded_by=version.superseded_by,
            valid_from=version.valid_from,
            valid_to=version.valid_to,
        )


class VersionsResponse(BaseModel):
    """One page of versions; `next_cursor` null ends the walk."""

    results: list[VersionResponse]
    next_cursor: int | None

    @classmethod
    def of(cls, versions: Sequence[MemoryVersion]) -> Self:
        """Versions are counted from 1, newest first: above 1 there are older ones."""
        last = versions[-1].version if versions else 1
        return cls(
            results=[VersionResponse.of(version) for version in versions],
            next_cursor=last if last > 1 else None,
        )


class BatchOutcome(BaseModel):
    """What became of one memory of a batch."""

    status: int
    memory: MemoryResponse | SkipJsonSchema[None] = Field(default=None, exclude_if=is_none)
    error: Problem | SkipJsonSchema[None] = Field(default=None, exclude_if=is_none)


class BatchResponse(BaseModel):
    """The outcomes in the order of the request."""

    results: list[BatchOutcome]
    created: int
    failed: int
    deduplicated: int | SkipJsonSchema[None] = Field(
        default=None, exclude_if=is_none, description="how many were there already, where any were"
    )
