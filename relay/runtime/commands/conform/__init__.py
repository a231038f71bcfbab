"""`relay conform`: tests an institution against the standard."""

from relay.runtime.commands.conform.conform import command

__all__ = ["command"]
