"""`relay` and `python -m relay`."""

from relay.runtime.cli import main

if __name__ == "__main__":
    main()
