"""Spectral lints the OpenAPI document (npm, pinned by package-lock.json)."""

import json
import subprocess
from pathlib import Path

import pytest

from relay.policy.documents.openapi import build_openapi
from relay.runtime.commands.apis.document_source import load_document_source

RULES = Path(__file__).parent / "spectral.yaml"


@pytest.fixture(scope="module")
def lint(npm_packages, tmp_path_factory):
    """Returns a function that lints a document: all results, also hints."""

    def run(document):
        file = tmp_path_factory.mktemp("spectral") / "openapi.json"
        file.write_text(json.dumps(document, ensure_ascii=False))
        program = npm_packages / "@stoplight" / "spectral-cli" / "dist" / "index.js"
        command = ["node", program, "lint", "--fail-severity", "hint", "--format", "json", "--ruleset", RULES, file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.stderr == ""
        results, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("[") :])
        assert done.returncode == (1 if results else 0)
        return [(result["code"], ".".join(map(str, result["path"]))) for result in results]

    return run


def test_spectral_has_no_remark_about_tokens_and_bank(lint):
    assert lint(build_openapi(load_document_source(), ["oauth", "bank"])) == []


@pytest.mark.full
def test_spectral_has_no_remark_about_all_apis(lint):
    assert lint(build_openapi(load_document_source())) == []


def test_spectral_sees_an_operation_without_a_description(lint):
    document = build_openapi(load_document_source(), ["oauth"])
    del document["paths"]["/oauth/2.0/token"]["post"]["description"]
    assert lint(document) == [("operation-description", "paths./oauth/2.0/token.post")]
