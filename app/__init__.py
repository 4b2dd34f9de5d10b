"""Đúng Hạn judges whether administrative dossiers are returned on time."""

__version__ = "0.1.0"
