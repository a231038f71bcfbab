"""Decisions about one data call: who may call, what it asks for, where it goes."""
