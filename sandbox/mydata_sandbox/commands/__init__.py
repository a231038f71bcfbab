"""Commands of `mydata-sandbox`."""
