"""Make up requests from the OpenAPI page of a running service, in three passes.

  all       with a key that has every scope
  nobody    without a key
  stranger  with the key of another tenant, who knows the ids of the first one's memories and keys

No pass may meet a 5xx, a status that the page does not name, or an answer that breaks its schema.
Nobody and the stranger must neither reach nor read nor change what the first tenant has.

Without --url it starts a service of its own on a free port of loopback, and removes it with its
data. With --url it makes the passes whose keys it is given: it stores, changes and DELETES
memories and keys there.

    scripts/fuzz_api
    scripts/fuzz_api --examples 200 --passes stranger
    scripts/fuzz_api --url http://127.0.0.1:8100 --key $OPERATOR --other-key $ADMIN_OF_ANOTHER
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.reporting import say
from bench.running import open_service
from serve_app.core.principal import OPERATOR, SCOPES

PASSES = ("all", "nobody", "stranger")
MEMORIES = 5
STRANGERS = sorted(SCOPES - {OPERATOR})
MARK = "only the first tenant has read of the onion dome"
"""The text of its memories, which no other may be told."""

OFF = "positive_data_acceptance,negative_data_rejection,unsupported_method"
"""Text that Postgres cannot hold is refused, and a schema cannot say so; a batch judges each item
on its own; /v1/memories/search is also a path of /v1/memories/{memory_id}: PATCH is 415 or 422."""


@dataclass(frozen=True)
class Target:
    """A service, a key of its first tenant that may do everything, and another tenant's."""

    url: str
    key: str | None
    other_key: str | None

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer to the first tenant, also one that refuses."""
        headers = {"authorization": f"Bearer {self.key}"}
        url = self.url + path
        return httpx.request(method, url, json=body, headers=headers, timeout=30).json()


def main() -> int:
    """Exit status 1 when a pass has found something."""
    options = _parse()
    with _open_target(options) as target:
        found = [name for name in options.passes if not _run(name, target, options)]
    say(f"Found something: {', '.join(found)}" if found else "Nothing was found")
    return 1 if found else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz_api",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--url", help="a running service, that may be spoilt")
    add("--key", default=os.environ.get("FLEETMEM_API_KEY"), help="with every scope, for --url")
    add("--other-key", help="of another tenant, for --url")
    add("--passes", nargs="+", choices=PASSES, default=PASSES)
    add("--examples", type=int, default=100, help="requests of each kind per operation")
    add("more", nargs="*", metavar="-- OPTION", help="options of `schemathesis run`")
    options = parser.parse_args()
    if options.url and not options.key:
        options.passes = ["nobody"]
    elif options.url and not options.other_key:
        options.passes = [name for name in options.passes if name != "stranger"]
    return options


@contextmanager
def _open_target(options: argparse.Namespace) -> Generator[Target]:
    if options.url:
        yield Target(options.url.rstrip("/"), options.key, options.other_key)
        return
    # Whoever sends a thousand bad keys a minute would be told 429 and nothing else.
    with open_service(failed_keys_per_minute="1000000") as service:
        assert service.database_url is not None
        where = ("--database-url", service.database_url)
        key = _tell("key", "create", "--operator", *where)
        _tell("tenant", "create", "stranger", *where)
        scopes = [word for scope in STRANGERS for word in ("--scope", scope)]
        other_key = _tell("key", "create", "--tenant", "stranger", *scopes, *where)
        yield Target(service.url, key, other_key)


def _tell(*command: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "serve_app", *command], check=True, stdout=subprocess.PIPE, text=True
    )
    return told.stdout.strip()


def _run(name: str, target: Target, options: argparse.Namespace) -> bool:
    """Whether the pass has found nothing."""
    say(f"\nPass {name}: up to {options.examples} requests of each kind per operation")
    ours = _store(target)
    before = _read(target, ours)
    told = _describe(name, target, ours)
    keys = {"all": target.key, "nobody": None, "stranger": target.other_key}
    key = keys[name]
    command = [str(Path(sys.executable).with_name("schemathesis")), "run"]
    command += [f"{target.url}/openapi.json", "--max-examples", str(options.examples)]
    command += ["--exclude-checks", OFF, "--continue-on-failure", "--generation-database", "none"]
    command += ["--header", f"Authorization: Bearer {key}"] if key else []
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "scripts/fuzz_checks.py",
        "FLEETMEM_FUZZ_PASS": json.dumps(told),
    }
    passed = subprocess.run([*command, *options.more], env=environment).returncode == 0
    if target.key and name != "all" and _read(target, ours) != before:
        say(f"Pass {name} has CHANGED what the first tenant has")
        return False
    return passed


def _store(target: Target) -> list[str]:
    """Ids of memories that the first tenant has, and that no other may see."""
    if target.key is None:
        return []
    body = {"agent_id": "first", "user_id": "u", "content": MARK}
    return [target.ask("POST", "/v1/memories", body)["id"] for _ in range(MEMORIES)]


def _read(target: Target, memories: list[str]) -> list[object]:
    """All that the first tenant has under these ids, and its keys but for their last uses."""
    if target.key is None:
        return []
    found: list[object] = [target.ask("GET", f"/v1/memories/{id_}") for id_ in memories]
    keys = target.ask("GET", "/v1/keys")["keys"]
    # A refusal is told with the id of its request, so two of them are a difference, too.
    return [*found, [key | {"last_used_at": None} for key in keys]]


def _describe(name: str, target: Target, memories: list[str]) -> dict[str, object]:
    """What scripts/fuzz_checks.py must know of a pass."""
    known = {"memory_id": memories} if memories else {}
    spared = [key.split("_")[2] for key in (target.key, target.other_key) if key]
    if name != "all" and target.key:
        known["key_id"], spared = spared[:1], spared[1:]
    return {
        "known": known,
        "spared": spared,
        "mark": "" if name == "all" else MARK,
        "keyed": name != "nobody",
    }


if __name__ == "__main__":
    sys.exit(main())
