"""State that a process reads from the ledger: the registry, consents, jobs, the leader."""
