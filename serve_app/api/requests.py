"""What is asked over HTTP: memex's bodies to the letter, and ours beside them."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, field_validator, model_validator
from pydantic_core import PydanticCustomError

from serve_app.api.fields import (
    IMPORTANCE_SCALE,
    Content,
    Cursor,
    Flag,
    Importance,
    LifeStatus,
    MemoryType,
    Moment,
    Name,
    Question,
    Text,
    TopK,
    Weight,
)
from serve_app.core.memory import Kind, MemoryChanges, MemoryDraft, Scope, Status
from serve_app.core.page import MemoryFilter
from serve_app.core.principal import Principal
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import SearchQuery
from serve_app.settings import Settings


class MemoryCreate(BaseModel):
    """A memory to store. Unknown fields are ignored, as memex does."""

    agent_id: Name
    user_id: Name
    content: Content
    importance: Importance = Field(1.0, description="0 to 2; 1 is ordinary")
    memory_type: MemoryType = "episodic"
    occurred_at: Moment | None = Field(None, description="when it happened; now, if not given")

    def to_draft(self, principal: Principal) -> MemoryDraft:
        """The draft in the words of the core; importance goes from 0..2 to 0..1."""
        return MemoryDraft(
            scope=Scope(principal.tenant_id, self.agent_id, self.user_id),
            content=self.content,
            kind=Kind(self.memory_type),
            importance=self.importance / IMPORTANCE_SCALE,
            occurred_at=self.occurred_at,
        )


class BatchItem(MemoryCreate):
    """One memory of a batch; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class BatchRequest(BaseModel):
    """Memories to store; each is judged on its own."""

    model_config = ConfigDict(extra="forbid")

    memories: list[SkipValidation[BatchItem]] = Field(min_length=1, max_length=1000)


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

    def to_query(self, principal: Principal, settings: Settings) -> SearchQuery:
        """The query in the words of the core; the settings fill what was not sent."""
        sent = self.model_fields_set
        alpha = self.alpha if "alpha" in sent else settings.default_alpha
        return SearchQuery(
            scope=Scope(principal.tenant_id, self.agent_id, self.user_id),
            text=self.query,
            top_k=self.top_k if "top_k" in sent else settings.default_top_k,
            policy=RankingPolicy.from_alpha(
                alpha, settings.recency_half_life_days, self.importance_weight
            ),
            kind=Kind(self.memory_type) if self.memory_type else None,
            as_of=self.as_of,
        )


def _hide_nulls(schema: dict[str, Any]) -> None:
    """Null stands for `not sent` in Python alone."""
    for field in schema["properties"].values():
        field |= field.pop("anyOf")[0]
        del field["default"]


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
