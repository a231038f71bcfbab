"""The sandbox's own rules of the standard, so that a mistake shared with the relay is seen."""
