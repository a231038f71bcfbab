"""What one leader among many instances does without being asked: registry, statistics, retention."""
