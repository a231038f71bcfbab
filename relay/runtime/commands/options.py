"""Options that several commands have."""

from pathlib import Path
from typing import Final

import click

CONFIG: Final = Path("config/relay.yaml")

config_option = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=CONFIG,
    show_default=True,
    help="The relay's settings; other files are relative to it.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
