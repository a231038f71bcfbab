"""통합인증: signed consents proven by signatures, certificate chains and the certifiers' own word (통합인증-002)."""
