"""Where the tests of the wire find their stand-ins."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # stand_ins.py is no installed module
