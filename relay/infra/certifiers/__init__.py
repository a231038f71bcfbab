"""통합인증: verifies signed consents by signatures, certificate chains and the certifiers' answers (통합인증-002)."""
