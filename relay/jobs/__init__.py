"""Jobs that one leader among many instances runs by itself: registry, statistics, retention."""
