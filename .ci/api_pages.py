"""usage: .venv/bin/python .ci/api_pages.py - writes the pages of docs/reference/apis from the catalogue."""

from pathlib import Path

from relay.policy.documents.page import build_pages
from relay.runtime.commands.apis.document_source import load_document_source

FOLDER = Path(__file__).parents[1] / "docs" / "reference" / "apis"

for name, text in build_pages(load_document_source()).items():
    (FOLDER / name).write_text(text, encoding="utf-8")
