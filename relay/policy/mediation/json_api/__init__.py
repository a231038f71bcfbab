"""APIs that an institution defines itself, with JSON over HTTP: files, requests, responses, conversion."""
