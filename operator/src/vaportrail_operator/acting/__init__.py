"""Carries out a plan: create, delete, status."""
