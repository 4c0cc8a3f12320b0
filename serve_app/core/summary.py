"""Rules of folding: which sentences of many memories a summary must keep."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SummaryRules:
    """When to fold and how much; the defaults are memex's."""

    threshold: int = 100
    batch_size: int = 50
    max_sentences: int = 5
    max_characters: int = 8000
