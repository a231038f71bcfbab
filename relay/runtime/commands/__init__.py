"""One module per command of `relay`; each holds `command`."""
