"""mypy --strict, here because it takes a minute on one core while other tests run on the other."""

import subprocess
import sys


def test_the_types_fit(pytestconfig):
    ended = subprocess.run([sys.executable, "-m", "mypy"], cwd=pytestconfig.rootpath, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
