"""`python -m codefuse_hf.cli`, the same as `codefuse-hf`."""

import sys

from . import main

sys.exit(main())
