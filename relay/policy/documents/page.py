"""Pages that show OpenAPI documents in a browser: Redoc beside them, no other file and no network."""

import html
import json
from collections.abc import Iterable
from typing import Any, Final

from relay.policy.documents.openapi import build_openapi, get_group_title
from relay.policy.documents.source import GROUPS, DocumentSource

SCRIPT: Final = "redoc.standalone.js"
"""The file name of Redoc, in the folder of the pages."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' file:; style-src 'unsafe-inline'; img-src data:; "
    "worker-src blob:"
)
_OPTIONS: Final = {
    "disableSearch": False,
    "hideDownloadButtons": True,
    "hideHostname": False,
    "expandResponses": "200",
    "jsonSamplesExpandLevel": 3,
    "requiredPropsFirst": False,
    "sortTagsAlphabetically": False,
    "nativeScrollbars": True,
    "theme": {"typography": {"fontFamily": "sans-serif", "headings": {"fontFamily": "sans-serif"}}},
}
_PAGE: Final = """\
<!doctype html>
<html lang="ko">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>body {{ margin: 0 }} a.index {{ display: block; padding: 8px 20px; font-family: sans-serif }}</style>
</head>
<body>
<a class="index" href="index.html">&larr; 모든 업권</a>
<div id="document"></div>
<script type="application/json" id="openapi">
{document}
</script>
<script src="{script}"></script>
<script>
const openapi = JSON.parse(document.getElementById("openapi").textContent);
Redoc.init(openapi, {options}, document.getElementById("document"));
</script>
</body>
</html>
"""
_INDEX: Final = """\
<!doctype html>
<html lang="ko">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>마이데이터 표준 API</title>
<style>body {{ font-family: sans-serif; margin: 2em }} td, th {{ padding: 4px 16px 4px 0; text-align: left }}</style>
</head>
<body>
<h1>마이데이터 표준 API</h1>
<table>
<tr><th>API</th><th>개수</th></tr>
{rows}
</table>
</body>
</html>
"""


def build_pages(source: DocumentSource) -> dict[str, str]:
    """Returns the pages by file name: an index, and one page for each group of APIs."""
    pages = {f"{group}.html": build_page(build_openapi(source, [group])) for group in GROUPS}
    rows = [(f"{group}.html", get_group_title(source, group), len(source.list_apis(group))) for group in GROUPS]
    return {"index.html": build_index(rows), **pages}


def build_page(document: dict[str, Any]) -> str:
    """Returns the page of an OpenAPI document, which is inside it: one path of the document on each line."""
    return _PAGE.format(
        policy=_POLICY,
        title=html.escape(document["info"]["title"]),
        document=_write_lines(document),
        script=SCRIPT,
        options=json.dumps(_OPTIONS),
    )


def build_index(pages: Iterable[tuple[str, str, int]]) -> str:
    """Returns the page that links to the others: file name, title and number of APIs of each."""
    rows = (
        f'<tr><td><a href="{name}">{html.escape(title)}</a></td><td>{count}</td></tr>' for name, title, count in pages
    )
    return _INDEX.format(rows="\n".join(rows))


def _write_lines(document: dict[str, Any]) -> str:
    """Returns the document as JSON with a line for each path and component, so that differences can be read.

    `<` is escaped: no text of the document can end the script.
    """
    components = {name: _write_members(parts) for name, parts in document["components"].items()}
    members = {name: json.dumps(value, ensure_ascii=False) for name, value in document.items()}
    members["paths"] = _write_members(document["paths"])
    members["components"] = _join(components)
    return _join(members).replace("<", "\\u003c")


def _write_members(parts: dict[str, Any]) -> str:
    return _join({name: json.dumps(value, ensure_ascii=False) for name, value in parts.items()})


def _join(members: dict[str, str]) -> str:
    return "{" + ",\n".join(f"{json.dumps(name)}: {text}" for name, text in members.items()) + "}"
