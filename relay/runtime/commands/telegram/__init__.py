"""`relay telegram`: tools for engineers who bring an institution in that speaks telegrams."""

from relay.runtime.commands.telegram.telegram import command

__all__ = ["command"]
