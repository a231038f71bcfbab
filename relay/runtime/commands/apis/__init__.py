"""`relay apis`: the APIs of the standard as a table and as documents."""

from relay.runtime.commands.apis.apis import command

__all__ = ["command"]
