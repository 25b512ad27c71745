"""Engines run plans."""
