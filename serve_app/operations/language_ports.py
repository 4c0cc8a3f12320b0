"""The ports of whatever knows human languages; a part of ports.py."""

from datetime import datetime
from typing import Protocol

from serve_app.core.search import QuestionTime


class SentenceSplitter(Protocol):
    """Splits text of any language into sentences, and knows its stop words."""

    def sentences(self, text: str) -> list[str]:
        """The sentences in order; joined they hold every visible character of the text."""
        ...

    def stop_words(self, text: str) -> frozenset[str]:
        """Case-folded stop words of the language the text seems to be in."""
        ...


class Calendar(Protocol):
    """Reads the time that a question speaks of."""

    def read(self, question: str, now: datetime) -> QuestionTime:
        """The dates in it, relative ones as said at `now`; time words if it asks for a time."""
        ...
