"""Libraries that only an evaluation needs: loaded when asked for, named when missing."""

import importlib
from types import ModuleType

from serve_app.core.errors import ConfigurationError


def load_library(name: str) -> ModuleType:
    """The module; raises ConfigurationError that says how to get it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"an evaluation needs {name}, which is not installed: install fleetmem[eval]"
        ) from error
