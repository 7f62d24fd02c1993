"""Sealing: from a run's spool, or from what its collector stored, to a record; by a plan, fixed once."""
