"""Our BM25 against bm25s on the same tokens; whatever a caller writes is a question."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import asyncpg
import bm25s
import numpy as np
import pytest
from pydantic import SecretStr

from serve_app.core.memory import Memory, MemoryChanges, Scope, Status
from serve_app.core.profiles import FusionWeights
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import FusedSearch, QuestionTime, VectorSearch
from serve_app.settings import Settings
from serve_app.storage.connection import Pool, acquired, open_pool
from serve_app.storage.memories import PostgresMemories
from tests.contracts.samples import EMBEDDER, SCOPE, START, sample, store
from tests.storage.owner import ask, execute

WORDS = ["train", "rain", "tea", "cat", "order", "seven", "running", "runs"]
WORDS += ["happily", "4000", "mail.example.org", "Zürich"]
SYNTAX = [
    "'",
    '"',
    "\\",
    "&",
    "|",
    "!",
    "<->",
    ":*",
    "(",
    ")",
    "%s",
    "$1",
    "--",
    ";",
    "{",
    "}",
    ",",
]
SYNTAX += ["\n", "http://a/b?c=d", "-1e309", "train", "seven", "the", "x:1A"]
ASKED = ("the train", "rain tea cat", "running orders 4000", "Zürich mail.example.org")
QUESTIONS = 10_000
SEARCHED = 500


@pytest.fixture
async def pool(fresh_dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(settings_for(fresh_dsn))
    yield pool
    await pool.close()


@pytest.fixture
def memories(pool: Pool, fresh_dsn: str) -> PostgresMemories:
    return PostgresMemories(pool, settings_for(fresh_dsn))


def settings_for(dsn: str, **knobs: object) -> Settings:
    return Settings(database_url=SecretStr(dsn), db_min_pool_size=1, **knobs)


def question(text: str, scope: Scope = SCOPE) -> FusedSearch:
    vector = EMBEDDER.vector("x")
    nearest = VectorSearch(scope, vector, 50, RankingPolicy(0.0, 0.0, 0.0), START)
    return FusedSearch(nearest, text, FusionWeights(words=1.0))


async def tokens_of(dsn: str, texts: Sequence[str]) -> list[list[str]]:
    """The words of each text as Postgres sees them, as often as they stand there."""
    statement = "select to_tsvector('english', $1)::text"
    connection = await asyncpg.connect(dsn)
    try:
        vectors = [await connection.fetchval(statement, text) for text in texts]
    finally:
        await connection.close()
    return [
        [word.strip("'") for word, places in split_vector(vector) for _ in places.split(",")]
        for vector in vectors
    ]


def split_vector(vector: str) -> list[tuple[str, str]]:
    return [tuple(entry.rsplit(":", 1)) for entry in vector.split(" ") if entry]


async def test_the_words_score_as_in_bm25s(memories: PostgresMemories, fresh_dsn: str) -> None:
    random = np.random.default_rng(3)
    scopes = [SCOPE, Scope(1, "agent", "other")]
    texts = {
        scope: [
            " ".join(random.choice(WORDS, random.integers(1, 40))) for _ in range(30 + 15 * place)
        ]
        for place, scope in enumerate(scopes)
    }
    archived: list[Memory] = []
    for scope, contents in texts.items():
        await store(memories, [sample(content, scope) for content in contents])
        archived += await store(memories, [sample(f"train {WORDS[0]} tea", scope)] * 1)
    for memory in archived:
        await memories.revise(memory, MemoryChanges(status=Status.ARCHIVED), START, None)
    for scope, contents in texts.items():
        corpus = await tokens_of(fresh_dsn, contents)
        reference = bm25s.BM25(k1=0.9, b=0.4, method="lucene")
        reference.index(corpus, show_progress=False)
        for asked in (
            "the train",
            "rain tea cat",
            "running orders 4000",
            "Zürich mail.example.org",
        ):
            [words] = await tokens_of(fresh_dsn, [asked])
            expected = reference.get_scores(sorted(set(words)))
            best = float(expected.max())
            [hits] = await memories.recall_many([question(asked, scope)])
            assert len(hits) == len(contents)
            found = {hit.memory.content: hit.signals.words for hit in hits if hit.signals}
            for content, score in zip(contents, expected, strict=True):
                assert found[content] * best == pytest.approx(float(score), abs=1e-3)


async def test_whatever_is_asked_is_answered(memories: PostgresMemories, fresh_dsn: str) -> None:
    await store(memories, [sample("The train came at seven.")])
    random = np.random.default_rng(1)
    asked = [draw_text(random) for _ in range(QUESTIONS)]
    assert len(set(asked)) > QUESTIONS * 0.9
    assert all(
        len(hits) == 1 for hits in await memories.recall_many(list(map(question, asked[:SEARCHED])))
    )
    # All of them to the part that reads text: the rest of a search is the same for every question.
    found = """select count(*) from unnest($1::text[]) q cross join lateral
        score_words(1, tsvector_to_array(to_tsvector('english', q)))"""
    connection = await asyncpg.connect(fresh_dsn)
    try:
        assert 0 < await connection.fetchval(found, asked) < QUESTIONS
    finally:
        await connection.close()


def draw_text(random: np.random.Generator) -> str:
    """Operators of query languages, words, and any characters that are text, in any order."""
    parts = list(random.choice(SYNTAX, random.integers(0, 8)))
    parts += [draw_characters(random) for _ in range(random.integers(0, 4))]
    random.shuffle(parts)
    return random.choice(["", " "]).join(parts)


def draw_characters(random: np.random.Generator) -> str:
    """Characters of a random plane; neither NUL nor surrogates, which no door lets in."""
    top = random.choice([0x7F, 0x7FF, 0xFFFF, 0x10FFFF])
    codes = random.integers(1, top, random.integers(1, 30))
    return "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)


async def test_a_question_without_words_scores_nothing(memories: PostgresMemories) -> None:
    await store(memories, [sample("The train came at seven."), sample("rain")])
    for asked in ("", "the of and", "?!", "'" * 50):
        [hits] = await memories.recall_many([question(asked)])
        assert [hit.signals.words for hit in hits if hit.signals] == [0, 0]


async def test_a_scope_is_read_in_its_own_language(
    memories: PostgresMemories, fresh_dsn: str
) -> None:
    await store(memories, [sample("Die Züge fuhren ab."), sample("Es regnet.")])

    async def words(asked: str) -> float:
        [hits] = await memories.recall_many([question(asked)])
        return max(hit.signals.words for hit in hits if hit.signals)

    assert await words("Zug") == 0
    await execute(fresh_dsn, "update scopes set language = 'german'")
    assert await words("des Zuges") == 1
    assert await words("Mond") == 0
    german = Scope(1, "agent", "german")
    pool = await open_pool(settings_for(fresh_dsn, search_language="german"))
    await store(PostgresMemories(pool, settings_for(fresh_dsn)), [sample("Häuser", german)])
    await pool.close()
    assert await ask(fresh_dsn, "select language from scopes order by 1") == ["german"] * 2
    [[hit]] = await memories.recall_many([question("Haus", german)])
    assert hit.signals is not None
    assert hit.signals.words == 1


async def test_nothing_of_a_forgotten_memory_stays(
    memories: PostgresMemories, fresh_dsn: str
) -> None:
    gone, kept = await store(memories, [sample("quokka zebra"), sample("zebra")])
    await memories.forget(1, gone.id, None)
    left = await ask(fresh_dsn, "select memory_id::text || ' ' || lexeme from memory_words")
    assert sorted(left) == [f"{kept.id} ", f"{kept.id} zebra"]


async def test_words_of_time_are_read_from_lists_while_the_tables_are_not_analyzed(
    memories: PostgresMemories, pool: Pool, fresh_dsn: str
) -> None:
    await store(memories, [sample(f"Parcel {n} left last week, on monday") for n in range(60)])
    time = QuestionTime((), ("monday", "week"))
    assert len(await memories.recall(replace(question("parcel"), time=time))) == 50
    async with acquired(pool) as connection:
        await connection.execute("select pg_stat_force_next_flush()")
    by_index = "select idx_scan from pg_stat_user_indexes where indexrelname = "
    assert await ask(fresh_dsn, by_index + "'memory_words_of_memory'") == [0]
    [scans] = await ask(fresh_dsn, by_index + "'memory_words_pkey'")
    assert int(scans) > 0
