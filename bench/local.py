"""`deployments.local` with another application: `python -m bench.local bench.bare --port ...`.

Only for benchmarks of the serving path: the same Ray, the same options, other deployments.
"""

import importlib
import sys

from deployments import local


def main() -> int:
    """Run the application of the module that comes first on the command line, until SIGTERM."""
    module = importlib.import_module(sys.argv.pop(1))
    return local.main(lambda _: module.build_app(None))


if __name__ == "__main__":
    sys.exit(main())
