"""The standard (표준 API 규격 v1) as data: 91 APIs, their fields, the response codes, the OAuth errors."""
