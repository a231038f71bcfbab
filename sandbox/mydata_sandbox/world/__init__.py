"""The data of the sandbox institutions: a few customers, their products and transactions. All of it is fictitious."""
