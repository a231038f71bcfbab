"""What a process knows from the ledger: the registry, consents, jobs, the leader."""
