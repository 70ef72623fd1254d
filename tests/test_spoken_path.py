"""The whole path as a user meets it: a question goes in as sound, the right answer comes out as sound.

The answer is recognised again by another program, pocketsphinx, with a grammar of sums.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from pocketsphinx import Decoder

from tests.speech import say
from training.curriculum import TENS, UNITS
from voicechat.flamingo.load import MINI

pytestmark = pytest.mark.skipif(not MINI.is_dir(), reason="voicechat/mini is not there: make train")

ROOT = Path(__file__).parent.parent
ONES = "|".join(UNITS)
GRAMMAR = f"""#JSGF V1.0; grammar sums;
public <sum> = <operand> (plus | minus | times) <operand> is <number>;
<operand> = ({"|".join(UNITS[:13])});
<number> = [minus] [one hundred and] ({ONES} | ({"|".join(TENS[2:])}) [{ONES}]);
"""


def recognised(path: Path, folder: Path) -> str:
    samples, rate = soundfile.read(path, dtype="float32")
    samples = np.pad(soxr.resample(samples, rate, 16_000), 4_000)
    (folder / "sums.jsgf").write_text(GRAMMAR)
    decoder = Decoder(jsgf=str(folder / "sums.jsgf"), loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw((samples * 32_767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    return decoder.hyp().hypstr if decoder.hyp() else ""


@pytest.mark.parametrize(
    ("question", "answer"),
    [("what is twelve plus nine", "twelve plus nine is twenty one"),
     ("how much is five times five", "five times five is twenty five")],
)  # fmt: skip
def test_a_question_asked_aloud_is_answered_aloud(tmp_path, question, answer):
    soundfile.write(tmp_path / "question.wav", 0.5 * say(question, "slt"), 16_000)
    command = [sys.executable, "run_local.py", "--model", "mini", "--voice", "espeak:en-us+f2", "--fast",
               "--input", tmp_path / "question.wav", "--output", tmp_path / "answer.wav",
               "--events", tmp_path / "events.jsonl"]  # fmt: skip
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    ended = next(e for e in events if e["type"] == "turn_ended")
    assert ended["heard"] == question
    assert ended["text"].lower().replace("-", " ").strip(" .") == answer
    assert recognised(tmp_path / "answer.wav", tmp_path) == answer
