"""Older forms of the record, one module each: what brings them into the form of today."""
