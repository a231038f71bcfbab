"""What the pretended institutions know: a few customers, their products and what happened to them. All fictitious."""
