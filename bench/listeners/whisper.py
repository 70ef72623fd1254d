"""Whisper in an environment of its own: reads the path of a WAV a line, writes what it heard as JSON lines.

    .venv/clients/whisper/bin/python bench/listeners/whisper.py FOLDER

FOLDER holds the model. It hears the same in the same sound: the likeliest words of five beams, nothing drawn by chance.
"""

import json
import sys

from faster_whisper import WhisperModel


def main(folder: str) -> None:
    model = WhisperModel(folder, device="cpu", compute_type="float32", cpu_threads=1, local_files_only=True)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        segments, _ = model.transcribe(
            line.rstrip("\n"), language="en", beam_size=5, temperature=0.0, condition_on_previous_text=False,
            without_timestamps=True,
        )  # fmt: skip
        print(json.dumps({"heard": " ".join(segment.text.strip() for segment in segments)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
