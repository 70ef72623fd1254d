"""bench.gpu runs where only torch, transformers, numpy and onnxruntime are installed."""

import subprocess
import sys

ABSENT = "soxr soundfile sounddevice webrtcvad rich espeakng_loader matplotlib"
CODE = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT.split()!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import bench.gpu
"""


def test_the_gpu_measurement_needs_nothing_that_speaks_or_listens():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr.splitlines()[-1]
