"""The stage of the scenarios: callers, institutions and a relay between them, all over real sockets."""
