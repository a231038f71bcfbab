"""Floor 2: a street of pretended neighbours over real sockets; speaks to the relay only over sockets."""
