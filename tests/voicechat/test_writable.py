"""Places for results are looked at before the work, and are as they were."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import latency
from voicechat.errors import InputError
from voicechat.writable import check_folder, check_writable, same_file

ROOT = Path(__file__).parent.parent.parent


def test_nothing_is_made(tmp_path):
    check_writable("--output", tmp_path / "new.wav", "a.wav")
    check_folder("--output", tmp_path / "new" / "and" / "newer")
    (tmp_path / "old").write_text("old")
    before = (tmp_path / "old").stat()
    check_writable("--output", tmp_path / "old", "a.wav", seeks=True)
    after = (tmp_path / "old").stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, 3)
    assert list(tmp_path.iterdir()) == [tmp_path / "old"]


def test_a_folder_that_cannot_be(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be a folder, .*/file is a file"):
        check_folder("--output", tmp_path / "file" / "results")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(InputError, match="nothing may be made in"):
        check_folder("--output", tmp_path / "new")


def test_devices_may_be_shared(tmp_path):
    (tmp_path / "a").write_text("")
    assert same_file(tmp_path / "a", tmp_path / "." / "a") and same_file(tmp_path / "no", tmp_path / "." / "no")
    assert not same_file(Path("/dev/null"), Path("/dev/null"))


def test_a_measurement_is_refused_before_it_is_taken(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as left:
        latency.main(["--output", str(tmp_path / "file" / "results")])
    assert left.value.code == 2 and "is a file: choose another name" in capsys.readouterr().err


def test_training_commands_are_refused_before_they_work(tmp_path):
    command = [sys.executable, "-m", "training.evaluate", "voicechat/mini", "--json", str(tmp_path / "no" / "a.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "there is no folder" in done.stderr and "Traceback" not in done.stderr
