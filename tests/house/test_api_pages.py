"""Checks that docs/reference/apis has the pages of the catalogue, and the script of Redoc that its licence names."""

import hashlib

import pytest

from relay.policy.documents.page import SCRIPT, build_pages
from relay.runtime.commands.apis.document_source import load_document_source

PAGES = build_pages(load_document_source())
REDOC = "2.5.4"
LICENCES = {"redoc.LICENSE.txt": "The MIT License (MIT)", f"{SCRIPT}.LICENSE.txt": "@license DOMPurify"}
SHA256 = "dcaf76612bc4a3fbcc923a8966dee2f6146a5f32e5ce1b6f02dd60cbbf89500b"
"""Of bundles/redoc.standalone.js in the npm package redoc, version REDOC."""


@pytest.fixture(scope="module")
def folder(root):
    return root / "docs" / "reference" / "apis"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_make_api_pages_writes(folder, name):
    assert (folder / name).read_text() == PAGES[name]


def test_the_folder_has_no_other_files(folder):
    assert {file.name for file in folder.iterdir()} == {*PAGES, *LICENCES, SCRIPT}


def test_the_script_is_the_published_one(folder):
    assert hashlib.sha256((folder / SCRIPT).read_bytes()).hexdigest() == SHA256


def test_the_licences_of_the_script_are_beside_it(folder):
    for name, words in LICENCES.items():
        assert words in (folder / name).read_text()


def test_the_page_of_apis_links_to_the_pages_and_names_redoc(root):
    text = (root / "docs" / "reference" / "apis.md").read_text()
    assert "apis/index.html" in text
    assert f"Redoc {REDOC}" in text
