"""Outward adapters, handed to the use cases by the doors."""
