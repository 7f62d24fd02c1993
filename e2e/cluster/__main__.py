"""`python -m e2e.cluster`: the command line."""

from e2e.cluster.cli import main

main()
