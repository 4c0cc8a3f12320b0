"""What every store of shared vectors does."""

from serve_app.operations.ports import VectorStore


class VectorsContract:
    """Needs the fixture `vectors`, an empty store."""

    async def test_finds_what_was_kept_in_the_order_asked(self, vectors: VectorStore) -> None:
        await vectors.keep({"a:1": b"one", "b:2": bytes(range(256)), "c": b""})
        assert await vectors.find(["b:2", "unknown", "a:1", "c", "a:1"]) == [
            bytes(range(256)),
            None,
            b"one",
            b"",
            b"one",
        ]

    async def test_the_last_one_kept_counts(self, vectors: VectorStore) -> None:
        await vectors.keep({"a": b"old"})
        await vectors.keep({"a": b"new"})
        assert await vectors.find(["a"]) == [b"new"]

    async def test_is_there(self, vectors: VectorStore) -> None:
        await vectors.check_health()
