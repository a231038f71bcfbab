"""The process itself: children, signals, limits."""
