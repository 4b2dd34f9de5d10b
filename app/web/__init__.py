"""Pages for people, rendered on the server; no script runs on them."""
