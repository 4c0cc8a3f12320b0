"""What tenants and agents chose, whatever keeps it."""

import pytest

from serve_app.core.errors import InvalidInput
from serve_app.core.ranking_default import WHOLE_TENANT, RankingDefault
from serve_app.operations.ports import RankingDefaults

WIDE = RankingDefault(WHOLE_TENANT, "hybrid", "german")
NARROW = RankingDefault("zoë", "conversation", None)


class RankingDefaultsContract:
    """Needs the fixture `defaults`, with the tenants 1 and 2."""

    async def test_at_first_nobody_chose(self, defaults: RankingDefaults) -> None:
        assert await defaults.profiles() == {}
        assert await defaults.list(1) == []
        await defaults.drop(1, "nobody")

    async def test_tenants_choose_apart(self, defaults: RankingDefaults) -> None:
        await defaults.put(1, NARROW)
        await defaults.put(1, WIDE)
        theirs = RankingDefault("zoë", "blend", "simple")
        await defaults.put(2, theirs)
        await defaults.put(2, RankingDefault("words", None, "simple"))
        assert await defaults.list(1) == [WIDE, NARROW]
        assert (await defaults.list(2))[-1] == theirs
        assert await defaults.profiles() == {
            (1, ""): "hybrid",
            (1, "zoë"): "conversation",
            (2, "zoë"): "blend",
        }
        await defaults.drop(1, "zoë")
        assert await defaults.list(1) == [WIDE]
        assert len(await defaults.list(2)) == 2

    async def test_a_choice_takes_the_place_of_the_one_before(
        self, defaults: RankingDefaults
    ) -> None:
        await defaults.put(1, WIDE)
        again = RankingDefault(WHOLE_TENANT, None, "english")
        await defaults.put(1, again)
        assert await defaults.list(1) == [again]
        assert await defaults.profiles() == {}

    @pytest.mark.parametrize("language", ["germn", "", "GERMAN", "'"])
    async def test_an_unknown_language_is_refused_with_the_known_ones(
        self, defaults: RankingDefaults, language: str
    ) -> None:
        with pytest.raises(InvalidInput, match=r"english.*, german.*, simple") as refusal:
            await defaults.put(1, RankingDefault("a", None, language))
        assert refusal.value.field == "language"
        assert await defaults.list(1) == []

    @pytest.mark.parametrize(("language", "field"), [("germn", "language"), ("german", "user_id")])
    async def test_no_language_is_given_to_a_scope_that_is_not(
        self, defaults: RankingDefaults, language: str, field: str
    ) -> None:
        with pytest.raises(InvalidInput) as refusal:
            await defaults.change_language(1, "a", "nobody", language)
        assert refusal.value.field == field

    async def test_a_tenant_keeps_no_more_than_can_be_read_again_and_again(
        self, defaults: RankingDefaults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serve_app.storage.ranking_defaults.MOST", 2)
        monkeypatch.setattr("tests.fakes.ranking_defaults.MOST", 2)
        for agent_id in ("a", "b", "b"):
            await defaults.put(1, RankingDefault(agent_id, "blend", None))
        with pytest.raises(InvalidInput):
            await defaults.put(1, RankingDefault("c", "blend", None))
        await defaults.put(2, NARROW)
        assert [one.agent_id for one in await defaults.list(1)] == ["a", "b"]
