"""Every command that reads the settings has the same --config, and every list the same --json."""

import click
import pytest

from relay.runtime.cli import main
from relay.runtime.commands.options import CONFIG


def list_options(command, context, name):
    """Yields the option `name` of a command and of its subcommands."""
    yield from (option for option in command.params if name in option.opts)
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            yield from list_options(command.get_command(context, word), context, name)


@pytest.fixture
def options():
    return lambda name: list(list_options(main, click.Context(main), name))


def test_the_settings_file_is_one_option_of_all_commands(options):
    found = options("--config")
    assert len(found) > 10
    assert {(option.name, tuple(option.opts), option.default, option.help) for option in found} == {
        ("path", ("-c", "--config"), CONFIG, "The relay's settings; other files are relative to it.")
    }


def test_json_is_a_flag_of_all_commands_that_print_it(options):
    found = options("--json")
    assert len(found) > 10
    assert all(option.is_flag and option.name == "as_json" and option.help for option in found)
