"""linkbell completion: what bash makes of it."""
import subprocess
import unittest

from harness import BINARY


def complete(*words):
    """What bash offers for the last word."""
    script = (f"source <({BINARY} completion bash); COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
              "_linkbell; printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True)
    return done.stdout.split()


class Completion(unittest.TestCase):
    def test_commands(self):
        self.assertEqual(complete(BINARY, "ser"), ["serve"])
        self.assertLess({"apply", "import", "query", "export", "doctor", "completion"}, set(complete(BINARY, "")))

    def test_options_are_the_commands_own(self):
        self.assertEqual(complete(BINARY, "import", "--str"), ["--strict"])
        self.assertIn("--metrics", complete(BINARY, "query", "--"))
        self.assertNotIn("--metrics", complete(BINARY, "import", "--"))
        self.assertEqual(complete(BINARY, "import", "file"), [])

    def test_zsh_gets_each_command_with_its_help(self):
        done = subprocess.run([BINARY, "completion", "zsh"], capture_output=True, text=True, check=True)
        self.assertTrue(done.stdout.startswith("#compdef linkbell\n"))
        self.assertIn("'serve:the service'", done.stdout)

    def test_another_shell_is_refused(self):
        for words in (["fish"], [], ["bash", "zsh"]):
            done = subprocess.run([BINARY, "completion", *words], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("bash|zsh", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
