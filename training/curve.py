"""The learning curve, drawn from a run's log:  python -m training.curve RUN [--out FILE.png]"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from voicechat.writable import new_file


def draw(log: Path, out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [json.loads(line) for line in log.read_text().splitlines()]
    seen = [row["seen"] / 1000 for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    left.plot(seen, [row["ctc"] for row in rows], color="#0072b2")
    left.set(title="Hearing: CTC loss, nats a phoneme", xlabel="thousand utterances", ylim=(0, 4))
    talking = [row for row in rows if "words" in row]
    right.plot([r["seen"] / 1000 for r in talking], [r["words"] for r in talking], color="#d55e00")
    right.set(title="Answering: cross-entropy, nats a token", xlabel="thousand utterances")
    right.set_yscale("log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    hours = rows[-1]["minutes"] / 60
    figure.suptitle(f"mini: {seen[-1]:.0f},000 utterances in {hours:.1f} h", x=0.01, ha="left")
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=new_file)
    a = parser.parse_args()
    draw(a.run / "log.jsonl", a.out or a.run / "curve.png")
