"""What makes a class the twin of a port; a Protocol does not compare signatures itself."""

import inspect


def check_calls(port: type, twin: type) -> None:
    """Fail unless `twin` answers the very calls of `port`: names, order, defaults and types."""
    calls = [name for name, value in vars(port).items() if inspect.isfunction(value)]
    calls = [name for name in calls if not name.startswith("_")]
    assert calls, f"{port.__name__} has no calls"
    for name in calls:
        assert inspect.signature(getattr(twin, name)) == inspect.signature(getattr(port, name))
