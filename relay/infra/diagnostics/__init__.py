"""Why something failed, in words an operator of the relay can act on."""
