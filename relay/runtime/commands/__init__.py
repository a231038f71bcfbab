"""The commands of `relay`: one module each, with a function `command`."""
