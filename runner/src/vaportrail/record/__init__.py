"""The record: what it holds, what must hold of it, and verifying it; `seal` makes it, `reading` finds it."""
