"""The way back to the operator: its callback with what the answer adds to the query (RFC 6749 4.1.2)."""

from urllib.parse import quote, urlencode, urlsplit, urlunsplit


def way_back(redirect_uri: str, **answer: str) -> str:
    """`redirect_uri` with `answer` behind whatever query it has; blanks as %20, which every reader understands."""
    parts = urlsplit(redirect_uri)
    added = urlencode(answer, quote_via=quote)
    query = f"{parts.query}&{added}" if parts.query else added
    return urlunsplit(parts._replace(query=query, fragment=""))
