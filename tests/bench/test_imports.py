"""bench.gpu runs where only torch, transformers, numpy and onnxruntime are installed."""

import subprocess
import sys
from pathlib import Path

ABSENT = "soxr av soundfile sounddevice webrtcvad rich espeakng_loader matplotlib"
CODE = f"""
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {ABSENT.split()!r}:
            return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
import bench.gpu
"""


def test_the_gpu_measurement_needs_nothing_that_speaks_or_listens():
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", CODE], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr.splitlines()[-1]
