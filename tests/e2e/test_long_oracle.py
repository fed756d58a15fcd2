"""The oracle's 2,000 questions (test_oracle.py).

LINKBELL_SEED sets the histories and questions."""
import os
import unittest

os.environ.setdefault("LINKBELL_ORACLE", "2000")

from test_oracle import Oracle  # noqa: E402

__all__ = ["Oracle"]

if __name__ == "__main__":
    unittest.main(verbosity=2)
