"""Simulated institutions, operators, certifiers and portal. They reach the relay only over sockets."""

from typing import Final

__version__: Final = "0.1.0"
