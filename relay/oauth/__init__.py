"""인가서버, the authority: individual and integrated authentication, tokens (규격 3장, RFC 6749)."""
