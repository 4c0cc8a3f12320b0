"""How much of the GPU's memory is free, asked of its driver: CUDA driver API, cuMemGetInfo."""

import ctypes
from collections.abc import Callable
from typing import Any

from serve_app.core.errors import ConfigurationError

DRIVER = "libcuda.so.1"

OpenLibrary = Callable[[str], Any]
"""Loads a shared library by name; raises OSError."""


def read_free_bytes(open_library: OpenLibrary = ctypes.CDLL) -> int:
    """Free bytes of the first GPU that this process may see; raises ConfigurationError.

    The context that it looks through is the one that ONNX Runtime uses, too, so the difference
    of two readings is what was loaded between them, by this process or a neighbour.
    """
    try:
        driver = open_library(DRIVER)
    except OSError as error:
        raise ConfigurationError(
            f"embedding_device is cuda, but there is no NVIDIA driver here ({error}); run on a "
            "machine with a GPU (num_gpus in serve_config.yaml), or set embedding_device to cpu"
        ) from error
    device, context = ctypes.c_int(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _require(driver.cuInit(0))
    _require(driver.cuDeviceGet(ctypes.byref(device), 0))
    _require(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
    _require(driver.cuCtxPushCurrent_v2(context))
    _require(driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)))
    _require(driver.cuCtxPopCurrent_v2(ctypes.byref(context)))
    return free.value


def _require(status: int) -> None:
    if status != 0:
        raise ConfigurationError(
            f"embedding_device is cuda, but the NVIDIA driver answers with error {status}: "
            "no GPU is visible to this process; check num_gpus and CUDA_VISIBLE_DEVICES, or set "
            "embedding_device to cpu"
        )
