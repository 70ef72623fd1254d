"""Speaking into an answer, as the page hears it: it is turned down, held, goes on, or is dropped."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil

import numpy as np
import pytest
import soundfile

from streaming.audio import RATE as SAID_RATE
from tests.conftest import start
from tests.speech import say

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
pytestmark = pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason="no chromium: apt-get install chromium")

RATE = 24_000  # Hz, of what the page plays
LONG = " ".join(f"word{i}" for i in range(40))  # typed; echoed by the tone voice, 80 ms a word, without a gap
LOUD = 0.3  # the tone's peak


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as starter:
        started = starter.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--autoplay-policy=no-user-gesture-required",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
            ],
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def echo():
    """A server whose answers are long, even tones."""
    served = start("--model", "echo", "--voice", "tone")
    yield served
    served.stop()


@pytest.fixture
def page(browser):
    context = browser.new_context(permissions=["microphone"], viewport={"width": 1280, "height": 800})
    complaints = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


# ---- the player alone ---------------------------------------------------------------------------

PLAYER = """
  const { Player } = await import("/static/sound.js");
  const told = [], sounded = [];
  const note = (kind) => (item, ms) => told.push([kind, item, ms ?? null]);
  const player = new Player({
    onstarted: (item) => told.push(["started", item, null]),
    onheld: note("held"), onended: note("ended"), onunderrun: note("underrun"),
    onrendered: (samples, at) => sounded.push([samples, at]),
  });
  const wait = (ms) => new Promise((go) => setTimeout(go, ms));
  const until = async (kind, item) => {
    for (let tries = 0; !told.some(([k, i]) => k === kind && i === item); await wait(5))
      if (tries++ > 2000) throw new Error(`${item} has not ${kind}: ${JSON.stringify(told)}`);
  };
  const ramp = (seconds, from = 0) => Float32Array.from({ length: 24000 * seconds }, (_, i) => (1 + from + i) / 240000);
  const samples = () => sounded.flatMap(([block]) => Array.from(block));
  await player.resume();
"""


def play(page, server, script: str):
    """Run it with a Player; what it returns."""
    page.goto(f"{server.url}/healthz")
    return page.evaluate(f"async () => {{ {PLAYER} {script} }}")


def test_what_is_held_goes_on_with_the_very_next_sample(echo, page):
    told, samples, at, held_at, readings, late, softer = play(
        page,
        echo,
        """player.play("a", ramp(2)); player.finish("a");
           await until("started", "a"); await wait(300);
           player.gain("a", 0.25); await wait(300);
           const held = performance.now(); player.gain("a", 0); await until("held", "a");
           await wait(100); const readings = [];
           for (let i = 0; i < 6; i++) { readings.push(player.playedMs("a")); await wait(60); }
           told.push(["on", "a", null]); player.gain("a", 1); await until("ended", "a"); await wait(120);
           const { samples: heard, end } = player.heard;
           return [told, Array.from(heard), end, held, readings, player.latency * 1000, 0.25];""",
    )
    assert [kind for kind, *_ in told] == ["started", "held", "on", "ended"]
    samples = np.array(samples, np.float32)
    sounding = np.flatnonzero(samples)
    first, last = sounding[0], sounding[-1]
    silent = np.flatnonzero(np.diff(sounding) > RATE // 10)
    assert len(silent) == 1, "one gap"
    begins, ends = sounding[silent[0]] + 1, sounding[silent[0] + 1]
    clock = at - (len(samples) - 1 - np.arange(len(samples))) / 24
    assert clock[begins] < held_at + 50 + late

    whole = np.concatenate([samples[first : begins + 1], samples[ends : last + 1]])  # one sample was faded to nothing
    given = ((1 + np.arange(2 * RATE)) / (10 * RATE)).astype(np.float32)
    assert len(whole) == len(given)
    gain = whole / given
    kept = begins + 1 - first  # samples before the gap
    assert np.all(np.abs(np.diff(gain)) < 1 / 200), "it does not click"
    faded = RATE // 100
    assert np.all(whole[: RATE // 4] == given[: RATE // 4])
    assert np.allclose(gain[kept - faded - RATE // 20 : kept - faded], softer, atol=1e-4)
    assert np.all(whole[kept + faded :] == given[kept + faded :]), "the very next samples, as loud as before"
    assert max(readings) == min(readings) == pytest.approx(kept / 24, abs=0.1)


def test_a_held_answer_can_be_dropped_and_the_next_begins_at_its_full_loudness(echo, page):
    told, cleared, heard, samples = play(
        page,
        echo,
        """player.play("a", ramp(2)); await until("started", "a"); await wait(200);
           player.gain("a", 0); await until("held", "a"); await wait(150);
           const heard = player.playedMs("a");
           const cleared = await player.clear();
           await wait(100); sounded.length = 0;
           player.play("b", new Float32Array(4800).fill(0.5)); await until("started", "b");
           player.gain("a", 0); player.gain("b", 0.5); await wait(100);
           player.finish("b"); player.play("c", new Float32Array(4800).fill(0.25)); player.finish("c");
           await until("ended", "c"); await wait(120);
           return [told, cleared, heard, samples()];""",
    )
    assert cleared == {"itemId": "a", "playedMs": heard, "dropped": []}
    assert [(kind, item) for kind, item, _ in told] == [
        ("started", "a"), ("held", "a"), ("started", "b"), ("ended", "b"), ("started", "c"), ("ended", "c"),
    ]  # fmt: skip
    loudness = np.array(samples)[np.flatnonzero(samples)]
    assert len(loudness) == 9600
    assert loudness[0] == 0.5 and loudness[4799] == 0.25 and np.all(loudness[4800:] == 0.25)


def test_sound_that_is_late_while_an_answer_is_held_is_not_missed(echo, page):
    told, samples = play(
        page,
        echo,
        """player.play("a", ramp(0.2)); await until("started", "a");
           player.gain("a", 0); await until("held", "a"); await wait(300);
           player.play("a", ramp(0.3, 4800)); player.finish("a"); await wait(300);
           told.push(["on", "a", null]); player.gain("a", 1); await until("ended", "a"); await wait(120);
           return [told, samples()];""",
    )
    assert [kind for kind, *_ in told] == ["started", "held", "on", "ended"]
    sounding = np.flatnonzero(samples)
    assert len(sounding) == 0.5 * RATE - 1, "all but the one sample that was faded to nothing"


# ---- the page, told by a server that yields -----------------------------------------------------


class Between:
    """Between the page and its server: what each has said, and words put into the server's mouth."""

    def __init__(self, page) -> None:
        self.page, self.sent, self.told = page, [], []
        page.route_web_socket("**/v1/realtime*", self._pass_on)

    def _pass_on(self, socket) -> None:
        self.socket, above = socket, socket.connect_to_server()

        def tell(message) -> None:
            self.told.append(json.loads(message))
            socket.send(message)

        socket.on_message(lambda message: (self.sent.append(json.loads(message)), above.send(message)))
        above.on_message(tell)

    def sent_of(self, kind: str) -> list[dict]:
        return [event for event in self.sent if event["type"] == kind]

    def tell(self, type: str, **fields) -> None:
        """An event of the conversation's core, of the newest turn unless another is named."""
        turns = [e["event"]["turn"] for e in self.told if e.get("event", {}).get("type") == "turn_started"]
        event = {"type": type, "turn": turns[-1], **fields}
        self.socket.send(json.dumps({"type": "voicechat.event", "event": event}))


@pytest.fixture
def between(page):
    return Between(page)


def wait_for_state(page, *states: str) -> None:
    page.wait_for_function("(s) => s.includes(voicechat.conversation.state)", arg=states, timeout=15_000)


def begin(page, url: str, typed: str = LONG) -> None:
    """Up to the middle of an answer."""
    page.goto(url)
    page.wait_for_function("window.voicechat")
    page.evaluate(
        """() => { window.states = [];
             voicechat.conversation.addEventListener("state", ({ detail }) => states.push(detail.state)); }"""
    )
    if typed:
        page.fill("#text", typed)
        page.press("#text", "Enter")
        wait_for_state(page, "speaking")
        page.wait_for_timeout(400)


def recorded(page) -> tuple[np.ndarray, dict]:
    """The download: samples (n, 2), left the user; and the transcript."""
    data, told = page.evaluate(
        """async () => {
             const { wav, json } = voicechat.conversation.record();
             const samples = new Int16Array((await wav.arrayBuffer()).slice(44));
             return [Array.from(samples), JSON.parse(await json.text())];
           }"""
    )
    return np.array(data).reshape(-1, 2) / 32768, told


def longest_silence_s(samples: np.ndarray) -> float:
    """Between the first and the last sound."""
    return float(np.diff(np.flatnonzero(np.abs(samples) > 1e-3)).max()) / RATE


def test_a_held_answer_waits_and_goes_on(echo, page, between):
    begin(page, echo.url)
    between.tell("yielded", gain=0.2)
    page.wait_for_timeout(300)
    assert page.evaluate("voicechat.conversation.state") == "speaking"
    between.tell("yielded", gain=0)
    wait_for_state(page, "hearing")
    assert page.is_enabled("#interrupt")
    page.wait_for_timeout(200)
    said, reports = page.inner_text("#log .assistant .said"), between.sent_of("voicechat.played")
    page.wait_for_timeout(1000)
    assert page.inner_text("#log .assistant .said") == said
    assert {report["audio_ms"] for report in between.sent_of("voicechat.played")[len(reports) :]} == {
        reports[-1]["audio_ms"]
    }
    between.tell("yielded", gain=1)
    wait_for_state(page, "listening")
    assert page.evaluate("states").count("hearing") == 1
    assert page.inner_text("#log .assistant .said").split() == ["You", "wrote:", *LONG.split()[:-1], "word39."]
    assert page.inner_text("#log .assistant .cut") == ""

    sound, told = recorded(page)
    answer = sound[:, 1]
    assert 1.15 < longest_silence_s(answer) < 2.5, "the gap is in the recording as it was"
    loud = np.abs(answer) > 1e-3
    blocks = np.abs(answer[: len(answer) // 240 * 240]).reshape(-1, 240).max(axis=1) / LOUD
    assert np.sum(np.abs(blocks - 0.2) < 0.02) > 20, "turned down by the factor"
    assert loud.sum() / RATE == pytest.approx(42 * 0.08, abs=0.15), "nothing is lost, nothing comes twice"
    line = told["transcript"][-1]
    assert line["end_s"] - line["start_s"] > 42 * 0.08 + 1.1


def test_an_answer_is_not_held_for_ever(echo, page, between):
    page.clock.install()
    begin(page, echo.url)
    between.tell("yielded", gain=0)
    wait_for_state(page, "hearing")
    page.clock.fast_forward(4000)
    page.wait_for_timeout(300)
    assert page.evaluate("voicechat.conversation.state") == "hearing"
    page.clock.fast_forward(1000)
    wait_for_state(page, "speaking")


def test_a_connection_that_is_lost_holds_nothing(echo, page, between):
    begin(page, echo.url)
    between.tell("yielded", gain=0)
    wait_for_state(page, "hearing")
    heard = len(page.inner_text("#log .assistant .said"))
    between.socket.close(code=1012)
    page.wait_for_function("(n) => document.querySelector('#log .assistant .said').innerText.length > n", arg=heard)
    wait_for_state(page, "listening", "speaking")


def test_only_the_answer_that_sounds_can_be_held(echo, page, between):
    begin(page, echo.url)
    between.tell("yielded", gain=0, turn=99)
    between.tell("interrupted", turn=99)
    page.wait_for_timeout(300)
    assert page.evaluate("states.at(-1)") == "speaking"
    page.keyboard.press("Escape")
    wait_for_state(page, "listening")
    between.tell("yielded", gain=0)
    page.wait_for_timeout(200)
    assert page.evaluate("states.at(-1)") == "listening"


def test_a_held_answer_that_was_interrupted_is_dropped(echo, page, between):
    begin(page, echo.url)
    between.tell("yielded", gain=0)
    wait_for_state(page, "hearing")
    between.tell("interrupted")
    page.wait_for_function("document.querySelector('#log .assistant .cut').innerText === 'interrupted'")
    assert page.evaluate("states.filter((state) => state === 'speaking').length") == 1
    wait_for_state(page, "listening")
    [cut] = between.sent_of("conversation.item.truncate")
    assert cut["audio_end_ms"] == pytest.approx(between.sent_of("voicechat.played")[-1]["audio_ms"], abs=60)
    page.fill("#text", "once more")  # at its full loudness
    page.press("#text", "Enter")
    wait_for_state(page, "speaking")
    wait_for_state(page, "listening")
    assert np.abs(page.evaluate("Array.from(voicechat.heard.samples.slice(-12000))")).max() > 0.9 * LOUD


def test_an_answer_that_was_begun_too_early_leaves_no_trace(echo, page, between):
    begin(page, echo.url)
    between.tell("yielded", gain=0)
    wait_for_state(page, "hearing")
    between.tell("withdrawn")
    page.wait_for_selector("#log .assistant", state="detached")
    wait_for_state(page, "listening")
    assert [line["role"] for line in recorded(page)[1]["transcript"]] == ["user"]


# ---- the page, spoken to -------------------------------------------------------------------------

MOUTH = """() => {
  let hear;
  const opened = new Promise((resolve) => (hear = resolve));
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext();
    const ear = context.createMediaStreamDestination();
    const room = new AudioBuffer({ length: context.sampleRate, sampleRate: context.sampleRate });
    room.copyToChannel(Float32Array.from({ length: room.length }, () => (Math.random() - 0.5) * 2e-4), 0);
    const air = new AudioBufferSourceNode(context, { buffer: room, loop: true });
    air.connect(ear);
    air.start();
    hear([context, ear]);
    return ear.stream;
  };
  window.say = async (base64) => {
    const [context, ear] = await opened;
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const source = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(bytes.buffer) });
    source.connect(ear);
    await new Promise((ended) => { source.onended = ended; source.start(); });
  };
}"""
BURST = np.random.default_rng(1).standard_normal(SAID_RATE // 5) * np.exp(-np.arange(SAID_RATE // 5) / 600)


def speak(page, samples: np.ndarray) -> None:
    """Until it has been said."""
    file = io.BytesIO()
    soundfile.write(file, 0.5 * samples / np.abs(samples).max(), SAID_RATE, format="WAV")
    page.evaluate("say", base64.b64encode(file.getvalue()).decode())


def listen(page, url: str) -> None:
    """With an open microphone, in a quiet room."""
    begin(page, url, typed="")
    page.evaluate(MOUTH)
    page.click("#start")
    wait_for_state(page, "listening")
    page.wait_for_timeout(500)


def into_an_answer(page, url: str) -> None:
    listen(page, url)
    page.fill("#text", LONG)
    page.press("#text", "Enter")
    wait_for_state(page, "speaking")
    page.wait_for_timeout(700)


@pytest.mark.alone
def test_an_interruption_is_silence_within_a_quarter_of_a_second(echo, page):
    into_an_answer(page, echo.url)
    speak(page, say("please stop and tell me something else"))
    page.wait_for_function("document.querySelector('#log .assistant .cut').innerText === 'interrupted'")
    sound, told = recorded(page)
    said, answer = np.abs(sound).T
    onset = np.flatnonzero(said > 0.02)[0]
    heard = np.flatnonzero(answer[: onset + RATE] > 0.01)[-1]
    assert heard > onset - 0.05 * RATE, "it sounded until then"
    assert (heard - onset) / RATE < 0.25
    assert told["transcript"][1]["interrupted"]


def test_a_noise_interrupts_nothing(echo, page):
    into_an_answer(page, echo.url)
    speak(page, BURST)
    wait_for_state(page, "listening")
    assert page.inner_text("#log .assistant .said").split()[-1] == "word39."
    assert page.inner_text("#log .assistant .cut") == ""
    assert page.locator("#log .user").count() == 1
    loud = np.flatnonzero(np.abs(recorded(page)[0][:, 1]) > 0.9 * LOUD)
    assert loud[-1] > np.flatnonzero(np.abs(recorded(page)[0][:, 0]) > 0.02)[-1] + RATE, "as loud as before"


@pytest.mark.parametrize("aside", ["uh huh", "okay"])
def test_a_sign_of_listening_holds_the_answer_and_it_goes_on(server, page, aside):
    """Which words ask for nothing is for the model to judge."""
    listen(page, server.url)
    speak(page, say("tell me a joke"))
    wait_for_state(page, "speaking")
    page.wait_for_timeout(700)
    speak(page, say(aside))
    wait_for_state(page, "listening")
    assert page.evaluate("states.slice(states.indexOf('speaking'))") == ["speaking", "hearing", "speaking", "listening"]
    assert page.inner_text("#log .assistant .cut") == ""
    assert page.inner_text("#log .assistant .said").endswith(".")
    assert page.locator("#log .user").count() == 1
    assert longest_silence_s(recorded(page)[0][:, 1]) > 0.2, "it was held"


# ---- how turns are taken ------------------------------------------------------------------------


def test_the_page_asks_for_turns_by_what_was_said(echo, page, between):
    begin(page, echo.url, typed="")
    page.click("#start")
    wait_for_state(page, "listening")
    page.click("#vc-settings > button")
    for eagerness in ("Relaxed", "Quick", "Normal"):
        page.get_by_label(eagerness, exact=True).check()
    page.wait_for_timeout(300)
    asked = [event["session"]["audio"]["input"]["turn_detection"] for event in between.sent_of("session.update")]
    assert {detection["type"] for detection in asked} == {"semantic_vad"}
    assert [detection["eagerness"] for detection in asked] == ["auto", "low", "high", "auto"]
    assert not [event for event in between.told if event["type"] == "error"]


@pytest.mark.parametrize(
    "query, detection",
    [
        ("", {"type": "semantic_vad", "eagerness": "auto"}),
        ("&threshold=0.7", {"type": "server_vad", "threshold": 0.7}),
    ],
)
def test_the_kiosk_asks_for_turns_by_what_was_said_unless_it_has_a_threshold(echo, page, between, query, detection):
    page.goto(f"{echo.url}/kiosk?attract=touch{query}")
    page.wait_for_selector('body[data-screen="attract"][data-state="listening"]')
    asked = between.sent_of("session.update")[0]["session"]["audio"]["input"]["turn_detection"]
    assert asked == detection


def test_the_strip_tells_of_an_answer_that_was_ready(echo, page):
    page.goto(echo.url)
    page.wait_for_function("window.voicechat")
    strips = page.evaluate(
        """async () => {
             const { Transcript } = await import("/static/transcript.js");
             const [scroll, list, live, empty] = [1, 2, 3, 4].map(() => document.createElement("ol"));
             document.body.append(list);
             const transcript = new Transcript({ scroll, list, live, empty });
             const timings = [
               { speech_end_ms: 200, first_token_ms: 0, first_audio_ms: 0 },
               { speech_end_ms: 0, first_token_ms: 0, first_audio_ms: 0 },
               { speech_end_ms: 500, first_token_ms: 30, first_audio_ms: 50 },
               { speech_end_ms: 400, first_token_ms: 100, first_audio_ms: 300 },
               { speech_end_ms: 200, first_token_ms: null, first_audio_ms: null },
               null,
             ];
             return timings.map((timing, i) => {
               transcript.caption({ role: "assistant", id: `${i}`, text: "", final: true });
               transcript.turn({ id: `${i}`, voice_to_voice_ms: 600, timing });
               const bar = list.lastChild.querySelector(".bar");
               const widths = [...bar.children].map((segment) => parseFloat(segment.style.width));
               return [[...bar.children].map(({ className }) => className), widths, bar.title];
             });
           }"""
    )
    kinds, widths, titles = zip(*strips, strict=True)
    assert list(kinds) == [
        ["decided", "rest"],
        ["rest"],
        ["decided", "token", "sound", "rest"],
        ["decided", "token", "sound"],
        ["decided", "rest"],
        ["rest"],
    ]
    assert titles[0] == (
        "200 ms to be sure that you had finished, the answer was ready by then, 400 ms network and loudspeaker"
    )
    assert all(width > 0 for strip in widths for width in strip) and all(sum(strip) <= 100.1 for strip in widths)
    assert not any(word in title for title in titles for word in ("NaN", "null", "undefined"))
