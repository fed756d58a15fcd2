"""The longer run of test_kill: 1,000 kills."""
import os

os.environ.setdefault("LINKBELL_KILLS", "1000")

from test_kill import *  # noqa: E402,F401,F403
import unittest  # noqa: E402

if __name__ == "__main__":
    unittest.main(verbosity=2)
