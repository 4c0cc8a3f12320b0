"""What is asked over HTTP: memex's bodies to the letter, and ours beside them."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, field_validator, model_validator
from pydantic_core import PydanticCustomError

from serve_app.api.fields import (
    IMPORTANCE_SCALE,
    Content,
    Cursor,
    Flag,
    HalfLife,
    Importance,
    LifeStatus,
    MemoryType,
    Moment,
    Name,
    ProfileName,
    Question,
    Reach,
    Text,
    TopK,
    Weight,
)
from serve_app.api.problems import hint_unknown
from serve_app.core.memory import Kind, MemoryChanges, MemoryDraft, Scope, Status
from serve_app.core.page import MemoryFilter
from serve_app.core.principal import Principal
from serve_app.core.profiles import DECAY, PROFILES, Profile
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import SearchQuery
from serve_app.settings import Settings

MEMEX_WEIGHTS = {"alpha", "importance_weight"}
"""How memex weighs, and what we added to it."""


def _hide_nulls(schema: dict[str, Any]) -> None:
    """Null stands for `not sent` in Python alone."""
    for field in schema["properties"].values():
        field |= field.pop("anyOf")[0]
        del field["default"]


class MemoryCreate(BaseModel):
    """A memory to store. Unknown fields are ignored, as memex does."""

    agent_id: Name
    user_id: Name
    content: Content
    importance: Importance = Field(1.0, description="0 to 2; 1 is ordinary")
    memory_type: MemoryType = "episodic"
    occurred_at: Moment | None = Field(None, description="when it happened; now, if not given")
    session_id: Name | None = Field(None, description="what it was said in, within its scope")
    dedupe: Flag = Field(
        False,
        description="store nothing where an active memory has this agent, user, type and content: "
        "the answer is that one, with 200",
    )

    def to_draft(self, principal: Principal) -> MemoryDraft:
        """The draft in the words of the core; importance goes from 0..2 to 0..1."""
        return MemoryDraft(
            scope=Scope(principal.tenant_id, self.agent_id, self.user_id),
            content=self.content,
            kind=Kind(self.memory_type),
            importance=self.importance / IMPORTANCE_SCALE,
            occurred_at=self.occurred_at,
            session_id=self.session_id,
            dedupe=self.dedupe,
        )


class BatchItem(MemoryCreate):
    """One memory of a batch; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class BatchRequest(BaseModel):
    """Memories to store; each is judged on its own."""

    model_config = ConfigDict(extra="forbid")

    memories: list[SkipValidation[BatchItem]] = Field(min_length=1, max_length=1000)


class GivenWeights(BaseModel):
    """Weights in the place of the profile's own; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_hide_nulls)

    similarity: Weight | None = None
    recency: Weight | None = None
    importance: Weight | None = None
    words: Weight | None = Field(None, description="the question's words (BM25)")
    date: Weight | None = Field(None, description="a date that the question names")
    time_words: Weight | None = Field(None, description="a time, where the question asks for one")
    neighbour: Weight | None = Field(None, description="the memory before or after")
    far_neighbour: Weight | None = Field(None, description="the one before that, or after")
    session: Weight | None = Field(None, description="the best three of the session")
    half_life_days: HalfLife | None = Field(None, description="days until recency has halved")

    @model_validator(mode="before")
    @classmethod
    def name_nearest(cls, value: Any) -> Any:
        """Refuse an unknown name with the nearest known one, and a null."""
        if isinstance(value, dict):
            for name, weight in value.items():
                if name not in cls.model_fields:
                    hint = hint_unknown(name, list(cls.model_fields))
                    raise PydanticCustomError("unknown_weight", "{hint}", {"hint": hint})
                if weight is None:
                    raise PydanticCustomError(
                        "null", "null is no weight; leave {name} out", {"name": name}
                    )
        return value


class SearchRequest(BaseModel):
    """A question. Unknown fields are ignored, as memex does."""

    agent_id: Name
    user_id: Name
    query: Question
    top_k: TopK = 10
    alpha: Weight = Field(0.7, description="weight of similarity; the rest is recency's")
    memory_type: MemoryType | None = None
    as_of: Moment | None = Field(None, description="rank as of this moment; now, if not given")
    importance_weight: Weight = Field(0.0, description="weight of importance (0 to 1)")
    explain: Flag = Field(False, description="tell every signal of every score")
    profile: ProfileName | None = Field(
        None,
        description="how to rank; the agent's, else the tenant's, else the service's default",
    )
    weights: GivenWeights | None = Field(None, description="instead of the profile's own")
    include_context: Reach = Field(
        0, description="neighbours of each hit to tell in its `context`, on each side"
    )
    rerank: Flag = Field(
        False, description="let the service's reranker order the first hits, if it has the time"
    )

    @model_validator(mode="after")
    def refuse_two_ways(self) -> Self:
        """`alpha` and `importance_weight` are decay's, and `weights` say the same otherwise."""
        memex = self.model_fields_set & MEMEX_WEIGHTS
        if memex and self.profile not in (None, DECAY):
            raise PydanticCustomError(
                "conflicting",
                "{field} belongs to the profile decay; give weights instead",
                {"field": min(memex)},
            )
        if memex and self.weights:
            raise PydanticCustomError(
                "conflicting", "give {field} or weights, not both", {"field": min(memex)}
            )
        return self

    @property
    def leaves_profile(self) -> bool:
        """Whether somebody else chooses how to rank: the agent, its tenant or the settings."""
        return self.profile is None and not self.model_fields_set & MEMEX_WEIGHTS

    def to_query(
        self, principal: Principal, settings: Settings, usual_profile: str | None = None
    ) -> SearchQuery:
        """The query in the words of the core; what was not sent is the usual, or the settings'."""
        return SearchQuery(
            scope=Scope(principal.tenant_id, self.agent_id, self.user_id),
            text=self.query,
            top_k=self.top_k if "top_k" in self.model_fields_set else settings.default_top_k,
            profile=self._choose_profile(settings, usual_profile or settings.default_profile),
            kind=Kind(self.memory_type) if self.memory_type else None,
            as_of=self.as_of,
            context=self.include_context,
        )

    def _choose_profile(self, settings: Settings, usual: str) -> Profile:
        """The profile that was named; decay where only its weights were sent."""
        sent = self.model_fields_set
        name = self.profile or (usual if self.leaves_profile else DECAY)
        profile = PROFILES[name]
        if name == DECAY:
            alpha = self.alpha if "alpha" in sent else settings.default_alpha
            half_life = settings.recency_half_life_days
            policy = RankingPolicy.from_alpha(alpha, half_life, self.importance_weight)
            profile = Profile(name, profile.version, policy)
        return (
            profile.weigh(self.weights.model_dump(exclude_unset=True)) if self.weights else profile
        )


class MemoryPatch(BaseModel):
    """What to change; at least one field, and no nulls."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_hide_nulls)

    content: Content | None = None
    importance: Importance | None = None
    memory_type: MemoryType | None = None
    occurred_at: Moment | None = None
    status: LifeStatus | None = None

    @field_validator("*", mode="before")
    @classmethod
    def refuse_null(cls, value: Any) -> Any:
        """Null would read as `erase`, and nothing here can be erased."""
        if value is None:
            raise PydanticCustomError("null", "null is not allowed; leave the field out")
        return value

    @model_validator(mode="after")
    def require_change(self) -> Self:
        """An empty body is a mistake, not a wish."""
        if not self.model_fields_set:
            raise PydanticCustomError("no_change", "name at least one field to change")
        return self

    def to_changes(self) -> MemoryChanges:
        """The changes in the words of the core."""
        return MemoryChanges(
            content=self.content,
            kind=Kind(self.memory_type) if self.memory_type else None,
            importance=None if self.importance is None else self.importance / IMPORTANCE_SCALE,
            occurred_at=self.occurred_at,
            status=Status(self.status) if self.status else None,
        )


class ListQuery(BaseModel):
    """Which memories to list, newest first."""

    model_config = ConfigDict(extra="forbid")

    agent_id: Text | None = None
    user_id: Text | None = None
    memory_type: MemoryType | None = None
    status: Literal["active", "archived", "all"] = "active"
    occurred_from: Moment | None = Field(None, description="at or after this moment")
    occurred_before: Moment | None = Field(None, description="before this moment")
    limit: int = Field(50, ge=1, le=200)
    cursor: Cursor | None = Field(None, description="next_cursor of the page before")

    def to_filter(self, principal: Principal) -> MemoryFilter:
        """The filter in the words of the core."""
        return MemoryFilter(
            tenant_id=principal.tenant_id,
            agent_id=self.agent_id,
            user_id=self.user_id,
            kind=Kind(self.memory_type) if self.memory_type else None,
            status=None if self.status == "all" else Status(self.status),
            occurred_from=self.occurred_from,
            occurred_before=self.occurred_before,
        )
