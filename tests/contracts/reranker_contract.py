"""What every reranker does."""

import asyncio

import pytest

from serve_app.core.errors import DeadlineExceeded
from serve_app.core.reranking import RerankQuestion
from serve_app.operations.ports import Reranker

LONG = 60.0


class RerankerContract:
    """Needs the fixture `reranker`, whose score grows with the words that are shared."""

    async def test_each_text_has_its_score_in_order(self, reranker: Reranker) -> None:
        texts = ("nothing", "rain in spring", "a long text in which rain comes once", "spring")
        scores = await reranker.score(RerankQuestion("spring rain", texts, LONG))
        nothing, both, once, one = scores
        assert both > once == one > nothing

    async def test_many_texts_are_scored_as_each_alone(self, reranker: Reranker) -> None:
        texts = tuple("rain " * (number % 5) + "cloud " * (number % 7) for number in range(50))
        together = await reranker.score(RerankQuestion("rain", texts, LONG))
        for text, score in zip(texts[:8], together[:8], strict=True):
            assert await reranker.score(RerankQuestion("rain", (text,), LONG)) == [score]

    async def test_questions_at_once_get_their_own_scores(self, reranker: Reranker) -> None:
        words = ("rain", "sun", "snow")
        questions = [RerankQuestion(word, words, LONG) for word in words]
        scores = await asyncio.gather(*(reranker.score(one) for one in questions))
        assert [max(range(3), key=row.__getitem__) for row in scores] == [0, 1, 2]

    async def test_a_question_without_time_gets_none(self, reranker: Reranker) -> None:
        with pytest.raises(DeadlineExceeded):
            await reranker.score(RerankQuestion("rain", ("rain",), 0.0))

    async def test_says_what_it_may_be_given(self, reranker: Reranker) -> None:
        assert reranker.candidates >= 1
        assert reranker.seconds > 0
