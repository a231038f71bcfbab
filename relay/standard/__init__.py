"""The standard (표준 API 규격 v1) as data: 91 APIs, their fields, the answer codes, the OAuth errors."""
