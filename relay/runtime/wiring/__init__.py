"""Builds objects from settings: one module for each role."""
