"""Ranking profiles: named, versioned sets of weights, of which each may be given anew.

`decay` is memex's formula, `blend` memory mesh's. `hybrid` and `conversation` add words and, for
dialogue in the order of time, what stands around a memory (docs/retrieval.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from serve_app.core.errors import InvalidInput
from serve_app.core.ranking import RankingPolicy


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """What the signals beyond similarity, recency and importance count (core/fusion.py)."""

    words: float = 0.0
    date: float = 0.0
    time_words: float = 0.0
    neighbour: float = 0.0
    far_neighbour: float = 0.0
    session: float = 0.0

    def __bool__(self) -> bool:
        """Whether any of them counts at all."""
        return any((*self.of_memory, *self.of_context))

    @property
    def of_memory(self) -> tuple[float, float, float]:
        """Weights of what a memory says itself: words, date, time words."""
        return self.words, self.date, self.time_words

    @property
    def of_context(self) -> tuple[float, float, float]:
        """Weights of what stands around it: neighbour, far neighbour, session."""
        return self.neighbour, self.far_neighbour, self.session


@dataclass(frozen=True, slots=True)
class Profile:
    """A way of ranking. `version` grows when a weight of a named profile changes."""

    name: str
    version: int
    policy: RankingPolicy
    fusion: FusionWeights = FusionWeights()

    def weigh(self, given: Mapping[str, float]) -> "Profile":
        """This profile with the `given` weights in the place of its own; names as in `weights`.

        Raises InvalidInput for a name that there is not.
        """
        if unknown := set(given) - set(self.weights) - {HALF_LIFE}:
            raise InvalidInput(f"there is no weight {sorted(unknown)[0]}", "weights")
        of_policy = {field: given[name] for name, field in POLICY_FIELDS.items() if name in given}
        others = {name: weight for name, weight in given.items() if name not in POLICY_FIELDS}
        return replace(
            self,
            policy=replace(self.policy, **of_policy),
            fusion=replace(self.fusion, **others),
        )

    @property
    def weights(self) -> dict[str, float]:
        """Every weight by its name, in the order in which they are told."""
        policy = {
            name: getattr(self.policy, field)
            for name, field in POLICY_FIELDS.items()
            if name != HALF_LIFE
        }
        return policy | {name: getattr(self.fusion, name) for name in FusionWeights.__slots__}


HALF_LIFE = "half_life_days"

POLICY_FIELDS = {
    "similarity": "similarity_weight",
    "recency": "recency_weight",
    "importance": "importance_weight",
    HALF_LIFE: HALF_LIFE,
}
"""What the weights of a RankingPolicy are called by callers."""

DECAY = "decay"

PROFILES = {
    profile.name: profile
    for profile in (
        Profile(DECAY, 1, RankingPolicy.from_alpha(0.7, 30.0)),
        # exp(-age / 7 days) has halved after 7 * ln 2 days.
        Profile("blend", 1, RankingPolicy(0.6, 0.1, 0.3, 4.852030263919617)),
        Profile("hybrid", 1, RankingPolicy(0.7, 0.0, 0.0), FusionWeights(words=0.3)),
        Profile(
            "conversation",
            1,
            RankingPolicy(0.7, 0.0, 0.0),
            FusionWeights(
                words=0.3,
                date=0.2,
                time_words=0.2,
                neighbour=0.4,
                far_neighbour=0.2,
                session=0.4,
            ),
        ),
    )
}
"""The profiles by name."""
