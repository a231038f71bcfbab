"""인가서버, the authority (OAuth authorization server): 개별인증, 통합인증, tokens (규격 3장, RFC 6749)."""
