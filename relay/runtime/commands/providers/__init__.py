"""`relay providers`: the institutions and how their answers are."""

from relay.runtime.commands.providers.providers import command

__all__ = ["command"]
