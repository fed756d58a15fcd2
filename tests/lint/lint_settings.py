"""The table in docs/settings.md is what --help-config prints."""
import os
import subprocess

from common import SOURCE, report

printed = subprocess.run([os.environ["LINKBELL"], "--help-config"], capture_output=True, text=True,
                         check=True).stdout.strip()
readme = (SOURCE / "docs/settings.md").read_text()
report([] if printed in readme else ["docs/settings.md differs from linkbell --help-config"])
