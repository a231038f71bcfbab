import pytest

NAMES = ("decode", "encode", "record", "show", "test", "try")


def test_the_group_lists_its_commands(run):
    output = run("--help").output
    assert all(f"\n  {name} " in output for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_help_has_examples_and_exit_codes(run, name):
    output = run(name, "--help").output
    assert f"\n    relay telegram {name} " in output.replace("\n  relay", "\n    relay")
    assert "xit code" in output
    assert max(map(len, output.splitlines())) <= 80
