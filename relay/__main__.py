"""`relay` and `python -m relay`."""

import sys

from relay.infra.hangups import block_hangups

if sys.argv[1:2] == ["serve"]:
    block_hangups()  # before the imports below, which take a while: each role lets SIGHUP through when it can take it

from relay.runtime.cli import main

if __name__ == "__main__":
    main()
