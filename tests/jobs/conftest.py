"""What is simulated for the jobs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # simulated/ is no installed package
