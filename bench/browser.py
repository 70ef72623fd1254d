"""How long a speaker waits in the page: spoken questions into Chromium's microphone, with all that it does to them.

    python -m bench.browser --questions 30

The browser cancels echo, suppresses noise and controls the gain. What is measured is the recording that the page
offers to download: left the user, right the answer as it was heard.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import soxr

from bench import report
from bench.cast import speech_of
from bench.questions import RATE, Question, questions, room
from bench.served import Served
from voicechat.writable import new_folder

if TYPE_CHECKING:
    from playwright.sync_api import Page

BROWSER_RATE = 48_000
COMPLETE = {"sums": 0.6, "visitors": 0.4}  # digits have no end of their own
LEVEL = 0.5
LEAD_S = 5.0  # of quiet: the page connects meanwhile
REST_S = 8.0  # between the ends of two questions, and the beginnings of the next: the longest answer takes six
AUDIBLE = 0.01  # of full scale


def spoken(asked: Iterable[Question]) -> tuple[np.ndarray, list[float]]:
    """What the microphone hears (float32 at 16 kHz), and when each question's last sample comes, in seconds."""
    parts, ends, now = [room(LEAD_S)], [], LEAD_S
    for number, question in enumerate(asked):
        said = speech_of(question.samples)
        parts += [LEVEL * said + room(len(said) / RATE, 1), room(REST_S + 0.007 * number, 2)]  # at any phase of a frame
        ends.append(now + len(said) / RATE)
        now += (len(said) + len(parts[-1])) / RATE
    return np.concatenate(parts), ends


def converse(page: Page, url: str, seconds: float) -> tuple[np.ndarray, dict[str, Any]]:
    """The conversation as the page saves it: float32 [n, 2] at 16 kHz, and what was said."""
    page.goto(url)
    page.wait_for_function("window.voicechat")
    page.get_by_role("button", name="Start").first.click()
    for second in range(round(seconds)):
        page.wait_for_timeout(1000)
        print(f"\r  {second + 1} of {seconds:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    sound, rate = soundfile.read(downloaded(page, "Save sound"), dtype="float32")
    return soxr.resample(sound, rate, RATE), json.loads(downloaded(page, "Save text").read_text())


def downloaded(page: Page, button: str) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path())


def lag(heard: np.ndarray, played: np.ndarray) -> int:
    """Samples by which what was heard comes after what was played (cross-correlation)."""
    size = 1 << (len(heard) + len(played) - 1).bit_length()
    spectra = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    at = int(np.argmax(np.fft.irfft(spectra, size)))
    return at - size if at > size // 2 else at


def rows(
    asked: Sequence[Question], ends: Sequence[float], sound: np.ndarray, told: dict[str, Any]
) -> list[dict[str, Any]]:
    """For each question what was answered, and ms from its last sample to the first one of the answer."""
    found = []
    answers = [line for line in told["transcript"] if line["role"] == "assistant" and line["text"]]
    for question, end in zip(asked, ends, strict=True):
        row: dict[str, Any] = {"said": question.words, "voice": question.voice}
        sounding = np.flatnonzero(np.abs(sound[max(0, round(end * RATE)) :, 1][: round(REST_S * RATE)]) > AUDIBLE)
        near = [line["text"] for line in answers if -0.5 < line["start_s"] - end < REST_S]
        if len(sounding) == 0 or not near:
            found.append(row | {"failed": "no answer"})
            continue
        found.append(row | {"client_ms": round(sounding[0] / RATE * 1e3, 1), "answer": near[0], "answers": len(near)}
                     | {"right": near == [question.answer]})  # fmt: skip
    return found


def measure(browser: str, model: str, count: int, seed: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    asked = list(islice(questions(seed, COMPLETE), 1 + count))
    said, ends = spoken(asked)
    with tempfile.TemporaryDirectory() as folder, Served(["--model", model]) as server, sync_playwright() as starter:
        path = Path(folder, "said.wav")
        soundfile.write(path, soxr.resample(said, RATE, BROWSER_RATE), BROWSER_RATE)
        options = [
            "--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={path}%noloop",
        ]  # fmt: skip
        chromium = starter.chromium.launch(executable_path=browser, args=options)
        version = chromium.version
        page = chromium.new_context(permissions=["microphone"]).new_page()
        sound, told = converse(page, server.url, len(said) / RATE)
        chromium.close()
    late_s = lag(sound[:, 0], said) / RATE
    answered = rows(asked, [end + late_s for end in ends], sound, told)[1:]  # the first warms up
    waited = [row["client_ms"] for row in answered if "failed" not in row]
    if not waited:
        raise SystemExit("no question was answered: open the page and try it by hand")
    return {
        "machine": report.machine(),
        "browser": f"Chromium {version}",
        "model": model,
        "questions": count,
        "failed": count - len(waited),
        "right": sum(row.get("right", False) for row in answered),
        "client_ms": {"p50": report.percentile(waited, 50), "p95": report.percentile(waited, 95), "n": len(waited)},
        "turns": answered,
    }


def show(result: dict[str, Any]) -> None:
    waited, machine = result["client_ms"], result["machine"]
    print(f"{result['model']} in {result['browser']}; {report.machine_line(machine)}, load {machine['load']}; "
          f"{machine['date']}, {machine['commit']}")  # fmt: skip
    print(f"  last word -> first sound at the ear: p50 {waited['p50']:.0f} ms, p95 {waited['p95']:.0f} ms, "
          f"n = {waited['n']}")  # fmt: skip
    print(f"  {result['questions']} questions: {result['right']} answered as they should be, "
          f"{result['failed']} not at all")  # fmt: skip
    for row in result["turns"]:
        if not row.get("right"):
            print(f"    {row['said']!r} ({row['voice']}): {row.get('answer', row.get('failed'))!r}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.browser", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="mini")
    parser.add_argument("--questions", type=int, default=30, help="how many are counted; one more goes before")
    parser.add_argument("--seed", type=int, default=0, help="another seed asks other questions")
    parser.add_argument("--output", type=new_folder, default=report.RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    if options.questions < 1:
        parser.error("nothing is measured without a question: give --questions 1 or more")
    browser = shutil.which("chromium")
    if browser is None:
        parser.error("the page is opened in Chromium: apt-get install chromium")
    result = measure(browser, options.model, options.questions, options.seed)
    show(result)
    path = report.write(options.output / f"browser-{report.slug(result['model'])}.json", result)
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
