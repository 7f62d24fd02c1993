"""Pure: from what is observed to what should be done."""
