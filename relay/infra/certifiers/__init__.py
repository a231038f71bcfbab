"""통합인증: verifies signed consents by signatures, certificate chains and the certifiers' responses (통합인증-002)."""
