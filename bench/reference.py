"""An independent ranking to hold the service against: numpy and bm25s, everything in full.

It shares no code with the service's ranking. Scores are arrays of shape (items,), float64:

    hybrid       = 0.5 * minmax(cosine) + 0.5 * BM25 / max(BM25)
    conversation = hybrid + 0.3 * date + 0.2 * when * temporal, then + 0.4 * the better neighbour
                   in time, then + 0.4 * the mean of the session's three best
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import bm25s
import numpy as np
import Stemmer
from numpy.typing import NDArray

from serve_app.evaluation.corpora import Item, Question

Floats = NDArray[np.float64]

K1, B = 0.9, 0.4
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTH = "|".join(MONTHS)
FADE_DAYS = 7.0
DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
DATE = re.compile(rf"\b(?:{DAY}(?: of)? )?({MONTH})\b(?: {DAY}\b(?!\d))?(?:,? (\d{{4}}))?")
YEAR = re.compile(r"\bin (\d{4})\b")
WHEN = re.compile(
    r"\b(?:when|how long|how many (?:days|weeks|months|years)"
    r"|(?:what|which) (?:date|day|month|year|time))\b"
)
TEMPORAL = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|ago|recently|lately|week|weekend|month|year|morning"
    r"|evening|night|last|next|since|soon|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    rf"|{MONTH}|\d{{4}})\b"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Items in the order of time, their unit vectors of shape (n, dimension), and their words."""

    items: Sequence[Item]
    vectors: NDArray[np.float32]
    words: bm25s.BM25

    @classmethod
    def of(cls, items: Sequence[Item], vectors: NDArray[np.float32]) -> "Reference":
        """Index the words of the items."""
        words = bm25s.BM25(k1=K1, b=B, method="lucene")
        words.index(tokenize([item.text for item in items]), show_progress=False)
        return cls(items, vectors, words)

    def vector(self, question: Question, vector: NDArray[np.float32]) -> Floats:
        """Cosine alone."""
        return (self.vectors @ vector).astype(np.float64)

    def bm25(self, question: Question, vector: NDArray[np.float32]) -> Floats:
        """Words alone."""
        [tokens] = tokenize([question.text])
        known = [token for token in tokens if token in self.words.vocab_dict]
        return (
            self.words.get_scores(known).astype(np.float64) if known else np.zeros(len(self.items))
        )

    def hybrid(self, question: Question, vector: NDArray[np.float32]) -> Floats:
        """Both, half and half."""
        words = self.bm25(question, vector)
        best = words.max()
        return 0.5 * _stretch(self.vector(question, vector)) + 0.5 * (
            words / best if best else words
        )

    def conversation(self, question: Question, vector: NDArray[np.float32]) -> Floats:
        """Both, and what a dialogue says by its order, its sessions and its dates."""
        text = question.text.lower()
        scores = self.hybrid(question, vector) + 0.3 * self._match_dates(text)
        if WHEN.search(text):
            scores += 0.2 * np.array([bool(TEMPORAL.search(i.text.lower())) for i in self.items])
        padded = np.concatenate([[0.0], scores, [0.0]])
        scores = scores + 0.4 * np.maximum(padded[:-2], padded[2:])
        return scores + 0.4 * self._average_sessions(scores)

    def _average_sessions(self, scores: Floats) -> Floats:
        sessions = np.array([item.session or "" for item in self.items])
        means = np.zeros(len(scores))
        for session in np.unique(sessions):
            own = sessions == session
            means[own] = np.sort(scores[own])[-3:].mean()
        return means

    def _match_dates(self, text: str) -> Floats:
        """1 inside a span that the text names, fading within weeks after it, 0 elsewhere."""
        times = [item.occurred_at for item in self.items]
        known = [moment for moment in times if moment]
        if len(known) < len(times):
            return np.zeros(len(times))
        spans = find_spans(text, {moment.year for moment in known})
        return np.array(
            [max((_fade(moment, *span) for span in spans), default=0.0) for moment in known]
        )


METHODS: dict[str, Callable[[Reference, Question, NDArray[np.float32]], Floats]] = {
    "vector": Reference.vector,
    "bm25": Reference.bm25,
    "hybrid": Reference.hybrid,
    "conversation": Reference.conversation,
}


def order_items(reference: Reference, scores: Floats, top_k: int) -> list[str]:
    """The ids of the best, best first; of equals the later one first."""
    place = np.arange(len(scores))
    return [reference.items[n].id for n in np.lexsort((-place, -scores))[:top_k]]


def tokenize(texts: Sequence[str]) -> list[list[str]]:
    """Stems of the words of each text; without stop words, 179 of them (what, who, did, ...)."""
    stemmer = Stemmer.Stemmer("english")
    tokens = bm25s.tokenize(
        list(texts), stopwords="en_plus", stemmer=stemmer, return_ids=False, show_progress=False
    )
    assert isinstance(tokens, list), "return_ids=False gives words"
    return tokens


def find_spans(text: str, years: set[int]) -> list[tuple[datetime, datetime]]:
    """The days, months and years a lower-case text names; without a year, those of every year."""
    spans: list[tuple[datetime, datetime]] = []
    for before, month, after, year in DATE.findall(text):
        if month == "may" and not (before or after or year or "in may" in text):
            continue
        for number in [int(year)] if year else sorted(years):
            spans += _span(number, MONTHS.index(month) + 1, int(before or after or 0))
    if not spans:
        spans = [_year(int(year)) for year in YEAR.findall(text)]
    return spans


def _span(year: int, month: int, day: int) -> list[tuple[datetime, datetime]]:
    try:
        first = datetime(year, month, day or 1, tzinfo=UTC)
    except ValueError:
        return []
    if day:
        return [(first, first + timedelta(days=1))]
    return [(first, (first + timedelta(days=32)).replace(day=1))]


def _year(year: int) -> tuple[datetime, datetime]:
    return datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)


def _fade(moment: datetime, start: datetime, end: datetime) -> float:
    if moment < start:
        return 0.0
    return float(np.exp(-max(0.0, (moment - end).total_seconds()) / (FADE_DAYS * 86_400)))


def _stretch(values: Floats) -> Floats:
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread else np.zeros_like(values)
