"""Simulated certifiers (통합인증기관)."""
