"""Policies: networks that act, whatever they come from."""
