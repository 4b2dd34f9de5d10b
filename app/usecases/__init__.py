"""Verbs: one function per thing the service can do, each inside the caller's transaction."""
