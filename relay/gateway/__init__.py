"""Floor 2: the data plane: the life of one call, from head to record."""
