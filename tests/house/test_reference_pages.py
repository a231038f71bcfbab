"""Checks that docs/reference/cli.md has every command and option, and docs/reference/apis.md every API."""

import re

import click
import pytest

from relay.domain.ids import INDUSTRIES
from relay.runtime.cli import main
from relay.standard.catalogue import load_catalogue


def find_commands(command, context):
    """Yields the path, command and context of each command that runs something."""
    if not isinstance(command, click.Group):
        yield context.command_path, command, context
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        yield from find_commands(child, click.Context(child, info_name=name, parent=context))


COMMANDS = {
    path: (command, context) for path, command, context in find_commands(main, click.Context(main, None, "relay"))
}
APIS = load_catalogue().apis.values()


def read_sections(root):
    """Returns the text of each chapter of cli.md by its title."""
    parts = re.split(r"^##+ ", (root / "docs" / "reference" / "cli.md").read_text(), flags=re.MULTILINE)
    return dict(part.split("\n", 1) for part in parts[1:])


def read_rows(text):
    """Returns the cells of all table rows but heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [[cell.replace("\\|", "|").strip("`") for cell in row] for row in rows if row[0] not in {"option", "api_id"}]


def find_groups():
    context = click.Context(main, None, "relay")
    names = main.list_commands(context)
    return {f"relay {name}" for name in names if isinstance(main.get_command(context, name), click.Group)}


def test_the_page_of_commands_has_every_command_and_no_other(root):
    assert set(read_sections(root)) == set(COMMANDS) | find_groups()


@pytest.mark.parametrize("path", COMMANDS)
def test_the_page_of_commands_has_usage_and_options(root, path):
    command, context = COMMANDS[path]
    section = read_sections(root)[path]
    assert "\n".join(["```", " ".join([path, *command.collect_usage_pieces(context)]), "```"]) in section
    records = [option.get_help_record(context)[0] for option in command.params if isinstance(option, click.Option)]
    assert [row[0] for row in read_rows(section)] == records


@pytest.mark.parametrize("path", COMMANDS)
def test_the_page_of_commands_has_the_defaults(root, path):
    command, context = COMMANDS[path]
    documented = {row[0]: row[1] for row in read_rows(read_sections(root)[path])}
    for option in command.params:
        if isinstance(option, click.Option):
            names, words = option.get_help_record(context)
            default = re.search(r"\[(?:default: )?(required|[^;\]]+)", words)
            assert documented[names] == (default[1] if default else "")


def describe_industries(api):
    names = ["all"] if api.industries == INDUSTRIES else list(api.industries)
    return " ".join([*names, *(f"{industry} (later)" for industry in api.later)])


def describe_path(api):
    return api.path_for(api.industries[0]) if len(api.industries + api.later) == 1 else api.path


def test_the_page_of_apis_has_every_api_of_the_catalogue(root):
    rows = read_rows((root / "docs" / "reference" / "apis.md").read_text())
    expected = [
        [
            api.api_id,
            api.api_code,
            api.name,
            api.method,
            describe_path(api),
            describe_industries(api),
            api.cycle,
            api.scope,
        ]
        for api in APIS
    ]
    assert sorted(rows) == sorted([cell or "-" for cell in row] for row in expected)
