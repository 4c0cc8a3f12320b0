import ctypes
import ctypes.util

import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.embedding.device_memory import DRIVER, read_free_bytes


class FakeDriver:
    """Answers as the CUDA driver does; `fails` names the call that gives an error."""

    def __init__(self, fails=None):
        self.fails = fails
        self.calls = []

    def __getattr__(self, name):
        def answer(*arguments):
            self.calls.append(name)
            if name == "cuMemGetInfo_v2":
                arguments[0]._obj.value = 7 * 2**30
                arguments[1]._obj.value = 8 * 2**30
            return 100 if name == self.fails else 0

        return answer


def test_reads_what_is_free():
    driver = FakeDriver()
    assert read_free_bytes(lambda name: driver) == 7 * 2**30
    assert driver.calls.count("cuCtxPushCurrent_v2") == driver.calls.count("cuCtxPopCurrent_v2")


def test_no_driver_says_what_to_do():
    def open_library(name):
        raise OSError(f"{name}: cannot open shared object file")

    with pytest.raises(ConfigurationError, match=r"no NVIDIA driver here.*num_gpus.*cpu"):
        read_free_bytes(open_library)


@pytest.mark.parametrize("call", ["cuInit", "cuDeviceGet", "cuMemGetInfo_v2"])
def test_a_driver_that_refuses_is_told(call):
    with pytest.raises(ConfigurationError, match=r"error 100.*CUDA_VISIBLE_DEVICES"):
        read_free_bytes(lambda name: FakeDriver(call))


@pytest.mark.skipif(ctypes.util.find_library("cuda") is not None, reason="a driver is here")
def test_this_machine_has_no_driver():
    with pytest.raises(ConfigurationError, match=DRIVER):
        read_free_bytes()
