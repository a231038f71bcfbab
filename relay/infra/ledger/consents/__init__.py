"""Tables of consents, requests, codes and tokens."""
