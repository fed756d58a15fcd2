"""Each request of tests/data/http gets its verdict, whole and in pieces, and each difference
from nginx and node is explained."""
import concurrent.futures
import unittest

import corpus
from harness import Linkbell

THREADS = 16
SMALL = 1000  # bytes of a request that goes byte by byte
PIECE = 97


class Corpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.recorded, cls.cases = corpus.load()

    def check(self, piece_of):
        with Linkbell() as bell:
            bell.ready()
            token = bell.token.encode()

            def ask(case):
                request = case.request.replace(corpus.TOKEN, token)
                return corpus.verdict(bell.port, request, "404", piece=piece_of(request),
                                      expected=case.verdicts["linkbell"])

            with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
                for case, got in zip(self.cases.values(), pool.map(ask, self.cases.values())):
                    with self.subTest(case.name, about=case.about):
                        self.assertEqual(got, case.verdicts["linkbell"])
            self.assertEqual(bell.stop(), 0)

    def test_a_request_that_comes_whole_gets_its_verdict(self):
        self.check(len)

    def test_a_request_that_comes_byte_by_byte_gets_the_same_verdict(self):
        self.check(lambda request: 1 if len(request) <= SMALL else PIECE)

    def test_the_corpus_is_whole(self):
        files = {path.stem for path in (corpus.FOLDER / "requests").iterdir()}
        self.assertEqual(files, set(self.cases))
        self.assertGreaterEqual(len(files), 200)
        self.assertEqual(set(self.recorded), set(corpus.PEERS))
        for case in self.cases.values():
            with self.subTest(case.name):
                self.assertTrue(case.about)
                for verdict in case.verdicts.values():
                    self.assertRegex(verdict, r"^((\d{3}|bare) )*(open|waits|closed)$")

    def test_each_difference_is_explained_and_nothing_else(self):
        for case in self.cases.values():
            with self.subTest(case.name, verdicts=case.verdicts):
                self.assertEqual(bool(case.why), bool(corpus.differences(case)))


if __name__ == "__main__":
    unittest.main()
