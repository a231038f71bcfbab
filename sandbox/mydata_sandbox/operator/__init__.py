"""Simulated operators (마이데이터사업자)."""
