"""`python -m serve_app` is `fleetmem`."""

from serve_app.cli import main

if __name__ == "__main__":
    main()
