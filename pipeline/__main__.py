"""`python -m pipeline`."""

import sys

try:
    from pipeline.cli import main
except KeyboardInterrupt:  # nothing has begun, so there is nothing to say
    sys.exit(130)

sys.exit(main())
