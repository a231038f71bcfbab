"""원장, the ledger: consents, tokens and requests in SQL, behind `domain.ledger`."""
