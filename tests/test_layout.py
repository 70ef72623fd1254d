"""The house: arrows point down, the README's tree is true, `import voicechat` is light."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BELOW = {
    "streaming": {"streaming"},
    "tts": {"tts"},
    "voicechat": {"voicechat", "streaming", "tts"},
    "web": {"web", "voicechat", "streaming", "tts"},
}
OURS = {*BELOW, "training", "bench", "tests", "run_local"}
FILES = [path for package in BELOW for path in (ROOT / package).rglob("*.py")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    allowed = BELOW[path.relative_to(ROOT).parts[0]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            top = name.split(".")[0]
            assert top not in OURS or top in allowed, f"{path} imports {name}"


def test_threads_live_in_one_file():
    using = [p.name for p in FILES if "threading" in p.read_text() and "import threading" in p.read_text()]
    assert set(using) <= {"blocking.py", "engine.py"}  # the engine holds a lock, and starts nothing


def test_the_readme_names_every_file():
    readme = (ROOT / "README.md").read_text()
    missing = [str(p.relative_to(ROOT)) for p in FILES if p.name != "__init__.py" and p.name not in readme]
    assert not missing


def test_importing_voicechat_loads_no_torch():
    code = "import voicechat, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_nothing_is_reported_to_anybody(tmp_path):
    """onnxruntime keeps a device id and sends what it did, unless it is told not to before it is loaded."""
    code = "from streaming.vad import VoiceActivity; VoiceActivity()"
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment).returncode == 0
    assert not list(tmp_path.rglob("*"))


def test_no_other_package_owns_our_names():
    from importlib.metadata import packages_distributions

    owners = {name.lower(): owner for name, owner in packages_distributions().items()}
    for name in BELOW:
        assert all(o.lower() == "voicechat" for o in owners.get(name, [])), f"{owners[name]} owns {name}"
