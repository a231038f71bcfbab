"""Floor 1: pure decisions. What they need (`now`, the plan) is an argument."""
