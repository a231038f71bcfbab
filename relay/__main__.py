"""Runs `relay` as `python -m relay`."""

import sys

from relay.infra.output.standard_streams import open_missing_descriptors
from relay.infra.process.start_signals import block_signals

if sys.argv[1:2] in (["serve"], ["worker"]):
    block_signals()  # before the slow imports below; they are allowed when they can be handled
    open_missing_descriptors()

from relay.runtime.cli import main

if __name__ == "__main__":
    main()
