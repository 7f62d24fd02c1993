"""Notebooks as tasks: their source, the kernel they run in, the page that is kept of them."""
