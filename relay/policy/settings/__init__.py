"""Models of relay.yaml, of institution files and of the directory."""
