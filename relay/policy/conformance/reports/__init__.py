"""Reports of a conformance run: text, JSON, JUnit XML, HTML. No values of customers are in them."""
