"""The longer run of test_delivery_kills: 100 kills."""
import os

os.environ.setdefault("LINKBELL_DELIVERY_KILLS", "100")

from test_delivery_kills import *  # noqa: E402,F401,F403
import unittest  # noqa: E402

if __name__ == "__main__":
    unittest.main(verbosity=2)
