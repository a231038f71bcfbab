"""The standard as documents: OpenAPI, JSON Schema, a Postman collection and pages, built from the catalogue."""
