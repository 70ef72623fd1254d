"""Takes the pictures of the README: `python docs/pictures.py`, from the repository's root, with Chromium installed."""

import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import sync_playwright

from tests.conftest import start
from tests.speech import say

HERE = Path(__file__).parent
RATE = 16_000
SAID = ((1.0, "what is seven times eight"), (6.0, "do you know a joke"), (12.0, "is my voice sent anywhere"))


def microphone(folder: str) -> Path:
    sound = (np.random.default_rng(0).standard_normal(RATE * 60) * 1e-4).astype(np.float32)
    for at_s, words in SAID:
        said = 0.5 * say(words)
        sound[int(at_s * RATE) :][: len(said)] += said
    path = Path(folder, "said.wav")
    soundfile.write(path, sound, RATE)
    return path


def main() -> None:
    os.environ["VOICECHAT_HOME"] = os.environ["VOICECHAT_TEST_HOME"]  # with the natural voice, as it is for a user
    server = start("--model", "mini", "--greedy")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as starter:
        flags = [
            "--no-sandbox",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone(folder)}%noloop",
            "--autoplay-policy=no-user-gesture-required",
        ]
        for name, path, width, height, answers in (
            ("page.png", "/", 1280, 800, len(SAID)),
            ("page-phone.png", "/", 390, 844, len(SAID)),
            ("kiosk.png", "/kiosk", 1280, 720, 1),
        ):
            browser = starter.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
            size = {"width": width, "height": height}
            page = browser.new_context(permissions=["microphone"], viewport=size).new_page()
            page.goto(server.url + path)
            if path == "/":
                page.wait_for_function("window.voicechat")
                page.get_by_role("button", name="Start").first.click()
            for answer in range(answers):  # in the middle of the last one
                if answer:
                    page.wait_for_selector('[data-state="listening"]')
                page.wait_for_selector('[data-state="speaking"]')
            page.wait_for_timeout(600)
            page.screenshot(path=HERE / name)
            browser.close()
        browser = starter.chromium.launch(executable_path="/usr/bin/chromium", args=flags[:1])
        page = browser.new_page(viewport={"width": 560, "height": 900})
        page.goto(server.url)
        page.wait_for_function("window.voicechat")
        page.click("#vc-settings > button")
        page.get_by_label("Voice").click()
        page.wait_for_timeout(600)
        page.screenshot(path=HERE / "page-voices.png")
        browser.close()
    server.stop()


if __name__ == "__main__":
    main()
