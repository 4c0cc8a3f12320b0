from importlib.metadata import PackageNotFoundError

import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.embedding.runtime_package import require_one_runtime


def installed(*packages):
    def find_version(package):
        if package not in packages:
            raise PackageNotFoundError(package)
        return "1.31.1"

    return find_version


@pytest.mark.parametrize(
    ("device", "package"),
    [("cpu", "onnxruntime"), ("cuda", "onnxruntime-gpu"), ("cpu", "onnxruntime-gpu")],
)
def test_one_package_that_serves_the_device_is_enough(device, package):
    require_one_runtime(device, installed(package))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_both_are_refused_for_any_device(device):
    both = installed("onnxruntime", "onnxruntime-gpu")
    with pytest.raises(ConfigurationError, match="both installed and overwrite each other"):
        require_one_runtime(device, both)


def test_none_says_what_to_install():
    with pytest.raises(ConfigurationError, match=r"install fleetmem\[cpu\]"):
        require_one_runtime("cpu", installed())


def test_the_package_for_processors_is_refused_for_cuda():
    with pytest.raises(ConfigurationError, match="scripts/install gpu"):
        require_one_runtime("cuda", installed("onnxruntime"))


def test_what_is_installed_here_serves_the_processor():
    require_one_runtime("cpu")
