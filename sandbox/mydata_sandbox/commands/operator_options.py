"""The options of `authorize` and `sign`: whose token it is, and whether the steps are run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from mydata_sandbox.commands.control_client import read_facts
from mydata_sandbox.commands.relay_option import DEFAULT_FOLDER
from mydata_sandbox.environment.operator_access import OperatorAccess, UnknownName
from mydata_sandbox.parties import OPERATORS

DEFAULT_SERVICE: Final = OPERATORS[0][2][1][0]
"""The second service: a consent to the first revokes the token that `mydata-sandbox run` printed."""

_HOSTED: Final = "hosted"

F = TypeVar("F", bound=Callable[..., Any])


def operator_options(command: F) -> F:
    """Adds `--dir`, `--org-code`, `--client-id`, `--customer`, `--run` and `--json` to a command."""
    path = click.Path(path_type=Path)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the steps as JSON."),
        click.option(
            "--run", "is_run", is_flag=True, help="Run the steps (needs bash and curl) and print the answers."
        ),
        click.option("--customer", type=click.IntRange(1, 3), default=1, show_default=True, help="Who consents."),
        click.option("--client-id", default=DEFAULT_SERVICE, show_default=True, help="The operator's service."),
        click.option("--org-code", help="The institution the token is for.  [default: the first one, a bank]"),
        click.option("--dir", "folder", type=path, default=DEFAULT_FOLDER, show_default=True),
    ):
        command = option(command)
    return command


def load_access(folder: Path, org_code: str | None, client_id: str, *, is_individual: bool = False) -> OperatorAccess:
    """Returns the access of a service. Raises UsageError for an unknown institution or service.

    `is_individual` selects institutions with individual authentication (개별인증); others raise UsageError.
    """
    facts = read_facts(folder)
    methods = {code: facts["authentication"][code] if is_individual else _HOSTED for code in facts["institutions"]}
    default = next(code for code, method in methods.items() if method == _HOSTED)
    if org_code is not None and methods.get(org_code) == "none":
        raise click.UsageError(
            f"{org_code} has no individual authentication (개별인증): use `mydata-sandbox sign` for it, "
            f"or --org-code {default}"
        )
    try:
        return OperatorAccess.load(folder, org_code or default, client_id)
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
