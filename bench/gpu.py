"""Embeddings per second on a GPU, shape by shape, against a bare loop over the same graph."""

import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from threading import Thread
from typing import Annotated, Any

import numpy as np
import typer
from onnxruntime import InferenceSession

from bench.reporting import RESULTS, say, tabulate, write_result
from serve_app.core.errors import ConfigurationError, FleetmemError
from serve_app.embedding.bucket_session import BoundShape, BucketSession, Device
from serve_app.embedding.cuda_engine import CudaEngine
from serve_app.embedding.half_preparation import prepare_half
from serve_app.embedding.preparation import prepare_model
from serve_app.embedding.registry import MINILM
from serve_app.embedding.shape_buckets import Bucket, list_buckets
from serve_app.embedding.verification import MODEL_FILE
from serve_app.settings import load_settings

SAMPLING = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=200")
WARM_UP_RUNS = 3
NOT_RUN = "not run"


def main(
    device: Annotated[str, typer.Option(help="cuda; cpu tries the command, slowly.")] = "cuda",
    seconds: Annotated[float, typer.Option(help="For each shape and loop.")] = 2.0,
    shapes: Annotated[str, typer.Option(help="Rows x tokens, as 1x16,64x32; or all.")] = "all",
    results: Annotated[Path, typer.Option(help="Folder of gpu.json.")] = RESULTS,
) -> None:
    """Measure every shape; prints a JSON line, then a table. Example: --shapes 1x16,64x32."""
    if device not in {"cpu", "cuda"}:
        raise typer.BadParameter(f"{device} is neither cuda nor cpu", param_hint="--device")
    chosen: Device = "cuda" if device == "cuda" else "cpu"
    try:
        session = open_shapes(chosen, choose_shapes(shapes))
    except FleetmemError as error:
        say(f"scripts/bench_gpu: {error}")
        raise typer.Exit(1) from error
    rows: list[dict[str, Any]] = []
    for bucket, shape in session.items():
        say(f"{bucket.batch} rows of {bucket.length} tokens on {chosen}")
        rows.append(measure_shape(bucket, shape, seconds, chosen))
    name = "gpu" if chosen == "cuda" else "gpu-tried-on-cpu"
    write_result(name, {"device": chosen, "seconds": seconds, "rows": rows}, results)
    print(tabulate(rows))


def choose_shapes(names: str) -> tuple[Bucket, ...]:
    """The shapes of that list; raises ConfigurationError for one that the engine does not have."""
    every = list_buckets(MINILM.max_tokens)
    known = {f"{bucket.batch}x{bucket.length}": bucket for bucket in every}
    if names == "all":
        return every
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise ConfigurationError(f"no such shape: {unknown[0]}; there are {', '.join(known)}")
    return tuple(known[name] for name in names.split(","))


def open_shapes(device: Device, buckets: Sequence[Bucket]) -> dict[Bucket, BoundShape]:
    """The bound shapes of the fp16 model; on cuda after every check that a replica makes."""
    directory = load_settings().model_directory.expanduser()
    if device == "cuda":
        # Before anything is prepared, so that a refusal comes at once.
        require_sampler()
    prepare_model(MINILM, directory, say)
    folder = prepare_half(MINILM, directory, say)
    if device == "cpu":
        session = InferenceSession(str(folder / MODEL_FILE), providers=["CPUExecutionProvider"])
        return BucketSession(session, buckets, MINILM.dimension, "cpu").shapes
    engine = CudaEngine(MINILM, directory)
    engine.warm_up()
    return {bucket: engine.shapes.shapes[bucket] for bucket in buckets}


def require_sampler() -> None:
    """Raise ConfigurationError where nvidia-smi, which tells how busy the GPU is, is missing."""
    if which("nvidia-smi") is None:
        raise ConfigurationError(
            "there is no NVIDIA GPU here (no nvidia-smi); nothing was run. Run it on a machine "
            "with one, or try the command itself with --device cpu"
        )


def measure_shape(
    bucket: Bucket, shape: BoundShape, seconds: float, device: Device
) -> dict[str, Any]:
    """One row: ours copies texts in and vectors out, bare only runs the graph again and again."""
    random = np.random.default_rng(bucket.tokens)
    texts = list(random.integers(1000, 20_000, (bucket.batch, bucket.length)))
    with sample_busy_share(device) as samples:
        ours = time_runs(lambda: shape.run(texts), seconds)
    bare = time_runs(shape.launch, seconds)
    ours_rate, bare_rate = (bucket.batch * len(runs) / runs.sum() for runs in (ours, bare))
    return {
        "shape": f"{bucket.batch}x{bucket.length}",
        "embeddings/s": float(ours_rate),
        "p50 ms": float(np.percentile(ours, 50) * 1e3),
        "p99 ms": float(np.percentile(ours, 99) * 1e3),
        "bare embeddings/s": float(bare_rate),
        "bare p50 ms": float(np.percentile(bare, 50) * 1e3),
        "of bare": float(ours_rate / bare_rate),
        "GPU busy %": float(np.mean(samples)) if samples else NOT_RUN,
    }


def time_runs(work: Callable[[], object], seconds: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds of each run, one after the other, until so much time has gone; at least one."""
    for _ in range(WARM_UP_RUNS):
        work()
    runs: list[float] = []
    start = time.perf_counter()
    end = start + seconds
    while not runs or start < end:
        work()
        now = time.perf_counter()
        runs.append(now - start)
        start = now
    return np.array(runs)


@contextmanager
def sample_busy_share(device: Device) -> Generator[list[float]]:
    """Percentages of time in which the GPU ran a kernel, as nvidia-smi tells; none on cpu."""
    samples: list[float] = []
    if device == "cpu":
        yield samples
        return
    with subprocess.Popen(["nvidia-smi", *SAMPLING], stdout=subprocess.PIPE, text=True) as sampler:
        reader = Thread(target=_read_samples, args=(sampler, samples))
        reader.start()
        try:
            yield samples
        finally:
            sampler.terminate()
            reader.join()


def _read_samples(sampler: subprocess.Popen[str], samples: list[float]) -> None:
    for line in sampler.stdout or ():
        if line.strip().isdigit():
            samples.append(float(line))


if __name__ == "__main__":
    typer.run(main)
