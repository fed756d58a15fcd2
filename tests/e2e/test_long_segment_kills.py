"""The longer run of test_segments: 100 kills while events are sealed, erased and backed up."""
import os

os.environ.setdefault("LINKBELL_SEGMENT_KILLS", "100")

from test_segments import *  # noqa: E402,F401,F403
import unittest  # noqa: E402

if __name__ == "__main__":
    unittest.main(verbosity=2)
