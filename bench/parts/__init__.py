"""The parts of `bench/run.py`: each measures one thing on the same machine, in the same session."""
