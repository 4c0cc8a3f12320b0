"""The README's walk, command by command, gives what the README shows."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.service.running import RunningService

README = Path(__file__).parent.parent.parent / "README.md"
STEP = re.compile(r"```sh\n(curl .*?)```\n+```json\n(.*?)```", re.S)
CHANGING = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z")


def steps() -> list[tuple[str, Any]]:
    found = STEP.findall(README.read_text(encoding="utf-8"))
    return [(command, json.loads(shown)) for command, shown in found]


def settle(value: Any) -> Any:
    """Without ids and times; numbers to two decimals."""
    if isinstance(value, dict):
        return {key: settle(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [settle(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 2)
    return CHANGING.sub("...", value) if isinstance(value, str) else value


def test_the_walk_gives_what_is_shown(service: RunningService) -> None:
    walk = steps()
    assert len(walk) >= 4
    for command, shown in walk:
        real = command.replace("http://localhost:8000", service.url)
        answer = subprocess.run(["bash", "-c", real], capture_output=True, text=True, check=True)
        assert settle(json.loads(answer.stdout)) == settle(shown), command
