"""The pages of individual authentication: what a customer sees, made for phones, without JavaScript (규격 3.2.1)."""
