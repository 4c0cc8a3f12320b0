"""Embeddings per second of the deployment, against a bare ORT loop and against the matrix product.

Deployment and loop take turns on the same texts with the same graph, one thread of ONNX each. The
ceiling is the time that the model's matrix products alone would take at the rate of a bare product.
CPU-ms are those of the Embedding replica, tokenising and answering included, and of the loop: where
neighbours take the cores, they compare better than rates do.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated

import httpx
import matplotlib as mpl
import typer

from bench.applications import open_application
from bench.bare_loop import BareLoop, measure_matrix_product
from bench.processes import watch_processes
from bench.reporting import RESULTS, ROOT, Result, say, tabulate, write_result
from bench.running import Service
from bench.texts import memories, questions
from serve_app.evaluation.locomo import load_conversations

TARGET_SHARE = 0.85
LONGEST_SENTENCES = 11
CONVERSATIONS = ROOT.parent / "shared" / "data" / "locomo-0-4.json"
REQUEST_SECONDS = 300.0


def main(
    texts: Annotated[int, typer.Option(help="Texts of a pass (of mixed lengths: a third).")] = 1200,
    rounds: Annotated[int, typer.Option(help="Passes of each; medians are told.")] = 5,
    data: Annotated[Path, typer.Option(help="A file in LoCoMo's form.")] = CONVERSATIONS,
) -> None:
    """Compare embeddings/s; example: python -m bench embed --rounds 3 --texts 600."""
    corpora = gather_corpora(texts, data)
    loop = BareLoop()
    with open_application("bench.embedding_probe") as service:
        rows = [
            measure_corpus(name, corpus, rounds, service, loop) for name, corpus in corpora.items()
        ]
    print(tabulate(rows))
    result: Result = {"rounds": rounds, "rows": rows, "target_share": TARGET_SHARE}
    write_result("embed", result)
    draw(result, RESULTS)


def gather_corpora(texts: int, data: Path) -> dict[str, list[str]]:
    """Texts by name: questions, mixed lengths, and turns of conversations where they are there."""
    corpora = {
        "questions": list(islice(questions(90), texts)),
        "mixed lengths": list(_join_sentences(texts // 3)),
    }
    if data.exists():
        turns = [turn.text for talk in load_conversations(data) for turn in talk.items]
        corpora["LoCoMo turns"] = turns[:texts]
    else:
        say(f"No conversations at {data.name}: made texts only")
    return corpora


def measure_corpus(
    name: str, corpus: Sequence[str], rounds: int, service: Service, loop: BareLoop
) -> Result:
    """One row: medians over rounds in which everything takes its turn."""
    with httpx.Client(base_url=service.url, timeout=REQUEST_SECONDS) as client:
        ask_deployment(client, corpus[: len(corpus) // 4])
        loop.run(corpus[: len(corpus) // 4])
        served, bare, tokenised, product = [], [], [], []
        costs, bare_costs, neighbours = [], [], []
        for number in range(rounds):
            with watch_processes(service.pid) as usage:
                served.append(len(corpus) / ask_deployment(client, corpus))
            costs.append(usage.milliseconds_each(len(corpus))["Embedding"])
            neighbours.append(usage.neighbour_cores)
            once = loop.run(corpus)
            bare.append(len(corpus) / once.seconds)
            bare_costs.append(1000 * once.cpu_seconds / len(corpus))
            tokenised.append(len(corpus) / (once.seconds + once.tokenising))
            product.append(measure_matrix_product())
            say(
                f"{name}, round {number + 1}: {served[-1]:.0f}/s served, {bare[-1]:.0f}/s bare, "
                f"{product[-1] / 1e9:.0f} GFLOP/s"
            )
    ceiling = len(corpus) * median(product) / loop.count_operations(corpus)
    return {
        "texts": name,
        "count": len(corpus),
        "deployment/s": round(median(served), 1),
        "bare loop/s": round(median(bare), 1),
        "bare with tokenising/s": round(median(tokenised), 1),
        "GEMM ceiling/s": round(ceiling, 1),
        "share of bare": round(median(s / b for s, b in zip(served, bare, strict=True)), 3),
        "bare share of GEMM": round(median(bare) / ceiling, 3),
        "CPU-ms, deployment": round(median(costs), 3),
        "CPU-ms, bare": round(median(bare_costs), 3),
        "others' cores": round(median(neighbours), 2),
    }


def ask_deployment(client: httpx.Client, corpus: Sequence[str]) -> float:
    """Seconds that the deployment takes for one pass, as the caller in the cluster sees it."""
    answer = client.post("/measure", json={"texts": list(corpus)})
    answer.raise_for_status()
    return float(answer.json()["seconds"])


def draw(result: Result, folder: Path) -> None:
    """Three bars for each set of texts."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = result["rows"]
    figure, plane = plt.subplots(figsize=(8, 5))
    for place, key in enumerate(("deployment/s", "bare loop/s", "GEMM ceiling/s")):
        across = [number + 0.27 * (place - 1) for number in range(len(rows))]
        plane.bar(across, [row[key] for row in rows], width=0.25, label=key)
    plane.set_xticks(range(len(rows)), [row["texts"] for row in rows])
    plane.set(title="Embedding, one thread", ylabel="texts/s")
    plane.legend()
    figure.savefig(folder / "embed.png", dpi=100, bbox_inches="tight")
    plt.close(figure)


def _join_sentences(count: int) -> list[str]:
    """One to eleven sentences each: 20 to 230 tokens, so that none is cut into chunks."""
    sentences = memories(91)
    return [" ".join(islice(sentences, 1 + number % LONGEST_SENTENCES)) for number in range(count)]


if __name__ == "__main__":
    typer.run(main)
