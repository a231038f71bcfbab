"""Pages of documents: whole, safe, without network."""

import json
import re

from relay.policy.documents.openapi import build_openapi
from relay.policy.documents.page import SCRIPT, build_index, build_page, build_pages
from relay.policy.documents.source import GROUPS


def test_a_page_contains_its_document(source):
    document = build_openapi(source, ["bank"])
    text = build_page(document)
    inside = re.search(r'<script type="application/json" id="openapi">(.*?)</script>', text, re.DOTALL)[1]
    assert json.loads(inside) == document


def test_no_text_of_a_document_ends_the_script(source):
    document = build_openapi(source, ["bank"])
    document["info"]["description"] = "</script><script>alert(1)</script>"
    document["info"]["title"] = "<b>"
    text = build_page(document)
    assert text.count("</script>") == 3
    assert "<title>&lt;b&gt;</title>" in text


def test_a_page_loads_only_the_script_beside_it(source):
    for text in build_pages(source).values():
        assert re.findall(r'(?:src|href)="([^"]*)"', text) in (["index.html", SCRIPT], [f"{g}.html" for g in GROUPS])
        assert "default-src 'none'" in text


def test_every_group_has_a_page_and_the_index_links_to_it(source):
    pages = build_pages(source)
    assert list(pages) == ["index.html", *(f"{group}.html" for group in GROUPS)]
    assert all(f'href="{group}.html"' in pages["index.html"] for group in GROUPS)


def test_the_index_escapes_titles():
    assert "&lt;" in build_index([("a.html", "<", 1)])
