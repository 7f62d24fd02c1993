"""The record: sealing a run's spool into it, and reading, verifying and trusting it afterwards."""
