"""FastAPI without Serve, without work."""

from fastapi import FastAPI

api = FastAPI()


@api.get("/")
async def hello() -> dict[str, str]:
    """Greet."""
    return {"hello": "world"}
