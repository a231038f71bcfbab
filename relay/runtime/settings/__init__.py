"""Reading settings: files, environment, checks, messages."""
