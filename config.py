"""pyinfra runs this first: it makes plain `pyinfra` the same as `flightline apply`.

The repository's root comes first for imports, all traffic goes through our transport, and what is
wrong in group_data or an inventory is told in one sentence.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from flightline.converge import plain

plain.install()
