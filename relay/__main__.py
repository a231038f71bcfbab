"""Runs `relay` as `python -m relay`."""

import sys

from relay.infra.output.standard_streams import open_missing_descriptors
from relay.infra.process.hangup_signal import block_hangups

if sys.argv[1:2] in (["serve"], ["worker"]):
    block_hangups()  # before the slow imports below; each role allows SIGHUP when it can handle it
    open_missing_descriptors()

from relay.runtime.cli import main

if __name__ == "__main__":
    main()
