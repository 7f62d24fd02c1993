"""`python -m vaportrail_operator`."""

import sys

from vaportrail_operator.main import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
