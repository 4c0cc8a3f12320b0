"""A second session of a model with more threads, for a text that comes alone while cores idle."""

from pathlib import Path

from onnxruntime import (
    InferenceSession,
    SessionOptions,  # pyright: ignore[reportAttributeAccessIssue]  # of a binary module
)


def open_lone_session(model: Path, threads: int) -> InferenceSession:
    """The model with so many threads, which stop turning when a run has ended.

    While it runs they turn: waking one takes longer than most steps of a short text. Its numbers
    are those of a session with one thread, to the bit. Raises what ONNX Runtime raises.
    """
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
