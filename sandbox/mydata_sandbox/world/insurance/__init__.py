"""Data of insurers."""
