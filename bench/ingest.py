"""Bulk writes per second, against what the Embedding deployment embeds in the same run.

The same kind of contents goes through both: first the service takes batches of memories, from
embedding to commit; then the deployment alone embeds as many texts, driven through its handle.
Both take turns, with fresh contents each time, and both are loaded until they have scaled out.
"""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated

import httpx
import matplotlib as mpl
import typer

from bench.applications import open_application
from bench.client import Load, LoadClient, Request, open_client
from bench.embed import ask_deployment
from bench.processes import watch_processes
from bench.reporting import RESULTS, Result, name_variant, say, tabulate, write_result
from bench.running import Service, SettingOption, open_service, parse_settings
from bench.sizes import measure_bytes_each
from bench.texts import memories
from bench.workload import AGENTS, BATCH, USERS

TARGET_SHARE = 0.8
REQUEST_SECONDS = 300.0
FIRST_SEED = 200
SEEDS_APART = 10_000
WARM_UP_SECONDS = 25.0
"""Embedding is scaled out within 12 seconds of load, and its new replica must have warmed up."""


def batches(seed: int) -> Iterator[Request]:
    """Batches of a thousand new memories, spread over all scopes."""
    contents = memories(seed)
    while items := list(islice(contents, BATCH)):
        bodies = [
            {
                "agent_id": f"agent-{number % AGENTS}",
                "user_id": f"user-{number // AGENTS % USERS}",
                "content": content,
            }
            for number, content in enumerate(items)
        ]
        yield Request("POST", "/v1/memories/batch", json.dumps({"memories": bodies}).encode())


def main(
    seconds: Annotated[float, typer.Option(help="Length of each bulk load.")] = 15.0,
    rounds: Annotated[int, typer.Option(help="Loads and passes; medians are told.")] = 3,
    callers: Annotated[int, typer.Option(help="Batches that are out at a time.")] = 2,
    setting: SettingOption = None,
) -> None:
    """Compare writes/s with embeddings/s; example: python -m bench ingest --rounds 1."""
    settings = parse_settings(setting)
    rows: list[Result] = []
    sizes: dict[str, float] = {}
    with open_client() as client:
        for number in range(rounds):
            seed = FIRST_SEED + 2 * number
            with open_service(None, **settings) as service:
                writing = measure_writes(service, client, seconds, seed, callers)
                if service.database_url is not None:
                    sizes = measure_bytes_each(service.database_url)
            with open_application("bench.scaled_probe", **settings) as probe:
                embedding = measure_embedding(probe, seconds, seed + 1, callers)
            share = writing["writes/s"] / embedding["embeddings/s"]
            rows.append({"round": number + 1, **writing, **embedding, "share": round(share, 3)})
            say(f"round {number + 1}: {share:.0%} of the embedding rate")
    print(tabulate([{k: v for k, v in row.items() if k != "CPU-ms by process"} for row in rows]))
    shares = [row["share"] for row in rows]
    result: Result = {"settings": settings, "seconds": seconds, "callers": callers, "rows": rows}
    result |= {"share": median(shares), "target_share": TARGET_SHARE, "bytes_each": sizes}
    result |= {"benchmark": "ingest", "name": name_variant("ingest", settings)}
    write_result(result["name"], result)
    draw(result, RESULTS)


def measure_writes(
    service: Service, client: LoadClient, seconds: float, seed: int, callers: int
) -> Result:
    """Memories that were committed, per second of the load and of its last answers."""
    client.run(Load(service.url, batches, WARM_UP_SECONDS, callers, seed=seed + 1000))
    before = count_memories(service.url)
    with watch_processes(service.pid) as usage:
        measured = client.run(Load(service.url, batches, seconds, callers, seed=seed))
    written = count_memories(service.url) - before
    elapsed = float((measured.due + measured.latencies).max())
    say(f"{written:,} memories in {elapsed:.1f} s, {measured.errors} errors")
    return {
        "writes/s": round(written / elapsed, 1),
        "batch p50 ms": round(measured.milliseconds(50), 0),
        "errors": measured.errors,
        "CPU-ms per write": usage.milliseconds_each(written)["total"],
        "CPU-ms by process": usage.milliseconds_each(written),
        "others' cores": usage.neighbour_cores,
    }


def measure_embedding(probe: Service, seconds: float, seed: int, callers: int) -> Result:
    """Texts per second of the deployment alone, on contents like those that were written."""
    with httpx.Client(base_url=probe.url, timeout=REQUEST_SECONDS) as client:
        contents = [memories(seed + SEEDS_APART * number) for number in range(callers)]
        _embed(client, contents, WARM_UP_SECONDS)
        rate = _embed(client, contents, seconds)
    return {"embeddings/s": round(rate, 1)}


def _embed(client: httpx.Client, contents: Sequence[Iterator[str]], seconds: float) -> float:
    """Texts per second, in lists of a batch's size, as many at a time as the service gets."""
    started = time.perf_counter()

    def ask(mine: Iterator[str]) -> int:
        texts = 0
        while time.perf_counter() - started < seconds:
            ask_deployment(client, list(islice(mine, BATCH)))
            texts += BATCH
        return texts

    with ThreadPoolExecutor(len(contents)) as pool:
        texts = sum(pool.map(ask, contents))
    return texts / (time.perf_counter() - started)


def count_memories(url: str) -> int:
    """Memories of all scopes, as the service counts them."""
    with httpx.Client(base_url=url, timeout=REQUEST_SECONDS) as client:
        total = 0
        for agent in range(AGENTS):
            for user in range(USERS):
                scope = {"agent_id": f"agent-{agent}", "user_id": f"user-{user}"}
                answer = client.get("/v1/memories/count", params=scope).raise_for_status()
                total += int(answer.json()["count"])
    return total


def draw(result: Result, folder: Path) -> None:
    """Two bars for each round."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = result["rows"]
    figure, plane = plt.subplots(figsize=(8, 5))
    for place, key in enumerate(("writes/s", "embeddings/s")):
        across = [number + 0.4 * (place - 0.5) for number in range(len(rows))]
        plane.bar(across, [row[key] for row in rows], width=0.38, label=key)
    plane.set_xticks(range(len(rows)), [f"round {row['round']}" for row in rows])
    plane.set(title="Bulk ingestion", ylabel="memories/s")
    plane.legend()
    figure.savefig(folder / f"{result['name']}.png", dpi=100, bbox_inches="tight")
    plt.close(figure)


if __name__ == "__main__":
    typer.run(main)
