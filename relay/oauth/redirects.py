"""Callback URLs (RFC 6749 4.1.2)."""

from urllib.parse import quote, urlencode, urlsplit, urlunsplit


def build_callback_url(redirect_uri: str, **parameters: str) -> str:
    """Returns `redirect_uri` with `parameters` added to its query. Blanks become %20."""
    parts = urlsplit(redirect_uri)
    added = urlencode(parameters, quote_via=quote)
    query = f"{parts.query}&{added}" if parts.query else added
    return urlunsplit(parts._replace(query=query, fragment=""))
