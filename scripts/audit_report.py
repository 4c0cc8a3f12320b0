"""Judge what pip-audit said, as JSON on standard input: exit status 0, 1 or 2 of scripts/audit."""

import json
import sys


def main() -> int:
    """A pin that was skipped was not audited, whatever pip-audit's own exit status says."""
    try:
        pins = json.load(sys.stdin)["dependencies"]
    except ValueError:
        print("scripts/audit: no vulnerability service answers; NOTHING was audited.")
        return 2
    skipped = [pin["name"] for pin in pins if "skip_reason" in pin]
    found = [pin for pin in pins if pin.get("vulns")]
    for pin in found:
        ids = ", ".join(fault["id"] for fault in pin["vulns"])
        print(f"{pin['name']} {pin['version']}: {ids}")
    print(f"scripts/audit: {len(pins) - len(skipped)} of {len(pins)} pins compared", end="; ")
    print(f"{len(found)} vulnerable; not compared: {', '.join(skipped[:5]) or 'none'}", end="")
    print(f" and {len(skipped) - 5} more" if len(skipped) > 5 else "")
    if found:
        return 1
    return 2 if skipped or not pins else 0


if __name__ == "__main__":
    sys.exit(main())
