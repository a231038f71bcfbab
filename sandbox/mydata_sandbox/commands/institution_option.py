"""The option `--institution`: an institution under development in place of a simulated one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mydata_sandbox.environment.own_institution import InvalidInstitution, OwnInstitution

F = TypeVar("F", bound=Callable[..., Any])


def institution_option(command: F) -> F:
    """Adds `--institution` to a command; its value is an OwnInstitution or None."""
    return click.option(
        "--institution",
        "own",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=_load,
        help="Put your institution in place of the simulated one of its industry: its settings file.",
    )(command)


def _load(_: click.Context, __: click.Parameter, file: Path | None) -> OwnInstitution | None:
    if file is None:
        return None
    try:
        return OwnInstitution.load(file)
    except InvalidInstitution as error:
        raise click.BadParameter(str(error)) from error
