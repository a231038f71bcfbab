"""`relay telegram`: the group of commands."""

import click

from relay.runtime.commands.telegram.decode import decode
from relay.runtime.commands.telegram.encode import encode
from relay.runtime.commands.telegram.record import record
from relay.runtime.commands.telegram.show import show
from relay.runtime.commands.telegram.testing import test
from relay.runtime.commands.telegram.trying import try_


@click.group(
    "telegram",
    epilog="""\b
Examples:
  relay telegram record --core 10.20.0.5:9100 -o drafts
  relay telegram show config/providers/NAME/telegrams/BA04.yaml
  relay telegram decode ZBAC000001 captured.hex
  relay telegram try ZBAC000001 BA02 account_num=110200300400
  relay telegram test
\b
docs/start/telegrams.md leads from the bank's specification to a
connected core.""",
)
def command() -> None:
    """Layouts and telegrams (전문) of institutions that speak no API of the standard."""


for _command in (decode, encode, record, show, test, try_):
    command.add_command(_command)
