"""Models of which there is one, until a test changes it."""

from serve_app.operations.ports import Embedder


class OneModel:
    """Implements ports.Models: `embedder` is present, until `refresh` finds that `next` is."""

    def __init__(self, embedder: Embedder) -> None:
        self._first = self._present = embedder
        self.next = embedder

    def go_back(self) -> None:
        """The first one is present again."""
        self._present = self._first

    @property
    def present(self) -> Embedder:
        return self._present

    def find(self, model: str) -> Embedder:
        return next(e for e in (self._present, self.next) if e.model == model)

    async def refresh(self) -> None:
        self._present = self.next
