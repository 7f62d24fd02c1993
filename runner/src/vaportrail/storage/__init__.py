"""Folders and object stores: where records lie, and how they are written exactly once."""
