"""Calls to institutions while a customer waits on the pages."""
