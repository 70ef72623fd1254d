"""Make `mini` from nothing: corpus, training, learning curve, accuracy by skill.

    python -m training --run training/runs/mini --hours 3 --out voicechat/mini

Every stage goes on from what is already there, so a run that was stopped is simply started again.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from training.corpus import make
from training.curve import draw
from training.evaluate import evaluate
from training.train import BATCH, HEARING, RATE, train
from voicechat.writable import new_folder

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--run", type=new_folder, default=Path("training/runs/mini"))
parser.add_argument("--hours", type=float, default=3.0, help="training time in all, the corpus not counted")
parser.add_argument("--shards", type=int, default=16, help="thousands of utterances to synthesise")
parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
parser.add_argument("--each", type=int, default=60, help="test questions a skill")
parser.add_argument("--out", type=new_folder, help="also put the model here")
a = parser.parse_args()

make(a.run / "corpus", a.shards, os.cpu_count() or 1)
train(a.run, a.hours, BATCH, RATE, HEARING, steady=False, device=a.device)
draw(a.run / "log.jsonl", a.run / "curve.png")
evaluate(a.run / "mini", a.each)
if a.out:
    shutil.copytree(a.run / "mini", a.out, dirs_exist_ok=True)
