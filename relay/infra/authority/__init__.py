"""The Unix socket of the authority: its owner, its liveness, and the fair sharing of its permits."""
