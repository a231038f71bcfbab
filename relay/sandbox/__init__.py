"""Floor 2: simulated institutions, operators, certifiers and portal. They reach the relay only over sockets."""
