"""Every benchmark by its name: `python -m bench http --help`."""

import importlib
import inspect
import json
import signal
import sys
from pathlib import Path

import typer

from bench.reporting import RESULTS, say

BENCHMARKS = {
    "serve": "bare Serve against our path: CPU-ms per request by process",
    "embed": "the Embedding deployment against a bare ORT loop and the GEMM ceiling",
    "retrieve": "retrieval against a bare asyncpg loop, and how its cost grows",
    "http": "the whole service: unique, repeated and mixed texts, 1 to 256 callers",
    "profiles": "what a ranking profile costs one caller, by memories in scope",
    "ingest": "bulk writes per second against the embedding rate",
    "step": "1 to 64 callers and back: how Embedding scales",
    "overload": "four times the sustainable rate: who is served, who is refused",
    "limits": "the check of a key and the rate limits: CPU-ms per request",
    "tenants": "one tenant against ten thousand: search p50, start-up time, indexes",
    "precision": "fp32, int8 and bf16: speed, cosine, recall",
    "profile": "where the deployments' Python spends its time, by py-spy",
    "quality": "recall of an independent ranking, to hold the service against",
}


def main() -> int:
    """Hand the rest of the command line to the benchmark's own `main`."""
    # Ended by SIGTERM, too, a benchmark stops what it has started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name == "plots":
        return _redraw(RESULTS)
    if name not in BENCHMARKS:
        print(_describe())
        return 0 if name in {"--help", "-h"} else 2
    sys.argv = [f"python -m bench {name}", *sys.argv[2:]]
    command = importlib.import_module(f"bench.{name}").main
    # A benchmark without parameters reads its command line by itself.
    if inspect.signature(command).parameters:
        typer.run(command)
    else:
        command()
    return 0


def _describe() -> str:
    names = [f"  {name:10} {what}" for name, what in BENCHMARKS.items()]
    head = "usage: python -m bench NAME [options]   (NAME --help tells the options)"
    return "\n".join([head, "", *names, "  plots      redraws the plots from bench/results/*.json"])


def _redraw(folder: Path) -> int:
    """Draw every result again whose benchmark has a `draw`."""
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        name = result.get("benchmark", path.stem) if isinstance(result, dict) else path.stem
        draw = None
        if name in BENCHMARKS:
            draw = getattr(importlib.import_module(f"bench.{name}"), "draw", None)
        if draw is None:
            say(f"{path.name}: nothing to draw")
            continue
        draw(result, folder)
        say(f"{path.name}: drawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
