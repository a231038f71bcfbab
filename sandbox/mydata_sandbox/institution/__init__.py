"""Simulated institutions (정보제공자)."""
