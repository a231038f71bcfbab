"""What stands behind the gateway: a call it handed over, the answer it gets, forms, refusals, serving."""
