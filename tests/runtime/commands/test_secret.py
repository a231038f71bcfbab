"""Tests of `relay secret`."""

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from relay.infra.tokens.client_secrets import ClientSecrets
from relay.policy.settings.directory import DirectoryService
from relay.runtime.commands import secret
from relay.runtime.commands.secret import command


def run(typed):
    return CliRunner().invoke(command, input=typed)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
async def test_the_hash_of_a_line_fits_the_secret_and_the_directory(end):
    printed = run(f"Q7fG2k9Lm4Xc1Vb8{end}")
    assert printed.exit_code == 0
    service = DirectoryService(client_id="one1", name="One", client_secret_hash=printed.output.strip())
    secrets = ClientSecrets(lambda: 0.0, threads=1)
    assert await secrets.matches("", service.client_secret_hash, "Q7fG2k9Lm4Xc1Vb8")
    secrets.close()
    assert "Q7fG2k9Lm4Xc1Vb8" not in printed.output


@pytest.mark.parametrize("typed", ["", "\n", "x" * 51, "with-hyphen", "two\nlines", "비밀"])
def test_an_invalid_secret_is_refused_and_not_repeated(typed):
    refused = run(typed)
    assert refused.exit_code == 1
    assert "aN(50)" in refused.output
    assert not typed.strip() or typed not in refused.output


def test_a_terminal_prompts_twice_and_shows_nothing(monkeypatch):
    monkeypatch.setattr(secret, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    printed = run("Q7fG2k9Lm4Xc1Vb8\nQ7fG2k9Lm4Xc1Vb8\n")
    assert printed.exit_code == 0
    assert printed.stdout.startswith("$scrypt$")
    assert "Q7fG2k9Lm4Xc1Vb8" not in printed.output
    assert run("Q7fG2k9Lm4Xc1Vb8\nanother\n\n\n").exit_code == 1


def test_a_secret_is_not_accepted_as_argument():
    assert CliRunner().invoke(command, ["Q7fG2k9Lm4Xc1Vb8"]).exit_code == 2
