"""The page in a real browser, against a real server, with a microphone that hears a recording."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from streaming.audio import RATE, MixDown
from tests.media import encoded
from tests.speech import say, silence
from tests.web import microphone
from tests.web.microphone import ask
from tests.web.proxy import Proxy

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
pytestmark = pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason="no chromium: apt-get install chromium")

NAMED = {"button", "textbox", "combobox", "slider", "link", "spinbutton", "checkbox"}
STATES = """() => { const { conversation } = voicechat;
     window.states = [[conversation.state, performance.now()]];
     conversation.addEventListener("state", ({ detail: { state } }) => {
       if (state !== states.at(-1)?.[0]) states.push([state, performance.now()]); });
     window.turns = [];
     conversation.addEventListener("turn", ({ detail }) => turns.push(detail)); }"""


@pytest.fixture(scope="module")
def question(tmp_path_factory) -> Path:
    """Its answer is long."""
    path = tmp_path_factory.mktemp("question") / "question.wav"
    soundfile.write(path, 0.5 * say("what can you hear"), RATE)
    return path


def launch(kind, *options: str):
    """A browser of Playwright's kind."""
    elsewhere = "--host-resolver-rules=MAP elsewhere.test 127.0.0.1"
    return kind.launch(executable_path=CHROMIUM, args=["--no-sandbox", elsewhere, *options])


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with playwright.sync_playwright() as starter:
        started = launch(starter.chromium, *microphone.room(tmp_path_factory.mktemp("microphone")))
        yield started
        started.close()


@pytest.fixture
def visit(browser, question):
    """Open the page; afterwards nothing may have gone wrong in it, nor have come from elsewhere."""
    contexts, complaints, fetched = [], [], []

    def open_(url: str):
        context = browser.new_context(permissions=["microphone"], viewport={"width": 1280, "height": 800})
        contexts.append(context)
        context.add_init_script(microphone.script(question))
        page = context.new_page()
        page.complaints = complaints
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: fetched.append((url, request.url)))
        page.on("websocket", lambda socket: fetched.append((url, socket.url.replace("ws", "http", 1))))
        page.goto(url)
        be_ready(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
    assert [f for url, f in fetched if not f.startswith((top := url.partition("/#")[0], "data:", f"blob:{top}"))] == []


def be_ready(page) -> None:
    """From now on the page notes its states, and what it tells of turns."""
    page.wait_for_function("window.voicechat")
    page.evaluate(STATES)


def visit_with_token(visit, url: str, token: str):
    """The page, by an address that shows the token."""
    page = visit(f"{url}/#token={token}")
    assert page.evaluate("location.href") == f"{url}/"
    forgive(page)
    return page


def forgive(page) -> None:
    """The browser itself complains of requests that were refused, as they were meant to be."""
    refused = re.compile(
        "status of (401|403|422)|Unexpected response code: 403|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET"
    )
    page.complaints[:] = [complaint for complaint in page.complaints if not refused.search(complaint)]


def wait_for_state(page, state: str) -> None:
    """For what lasts."""
    page.wait_for_function("(state) => voicechat.conversation.state === state", arg=state)


def wait_to_pass(page, *wanted: str) -> None:
    """Until it has been in these states one after the other, however briefly, since the last time."""
    page.wait_for_function(
        """(wanted) => {
             const passed = states.map(([state]) => state);
             let at = -1;
             for (const one of wanted) if ((at = passed.indexOf(one, at + 1)) < 0) return false;
             return states.splice(0, at + 1);
           }""",
        arg=wanted,
    )


def captions(page) -> list[str]:
    return [" ".join(line.split()) for line in page.locator("#log .said").all_inner_texts()]


def drop(page, path: Path) -> None:
    """Let a file fall onto the page."""
    page.evaluate(
        """([name, base64]) => {
             const data = new DataTransfer();
             data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
             for (const type of ["dragenter", "drop"])
               document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true })); }""",
        [path.name, base64.b64encode(path.read_bytes()).decode()],
    )


def heard(page) -> tuple[np.ndarray, float]:
    """What sounded in the last minute at 24 kHz, and the page's clock at its last sample, in ms."""
    sound = page.evaluate(
        """() => { const { samples, end } = voicechat.heard;
             return [Array.from(samples, (s) => Math.round(s * 1e4)), end]; }"""
    )
    return np.array(sound[0]) / 1e4, sound[1]


def test_a_spoken_turn_is_answered_and_an_interruption_is_silence_at_once(server, visit):
    page = visit(server.url)
    page.click("#start")
    wait_for_state(page, "listening")
    asked = ask(page)
    wait_to_pass(page, "hearing", "speaking")
    page.wait_for_function("document.querySelector('#log .assistant .said')?.innerText.length > 8")
    ask(page, whole=False)
    page.wait_for_function("states.some(([state]) => state === 'hearing')")
    interrupted = page.evaluate("states.find(([state]) => state === 'hearing')[1]")
    page.wait_for_timeout(400)
    samples, end = heard(page)
    clock = end - (len(samples) - 1 - np.arange(len(samples))) / 24
    loud = clock[np.abs(samples) > 0.01]
    assert np.any(loud > interrupted - 500), "the answer was to be interrupted while it sounded"
    assert np.all(loud[loud < interrupted + 1500] < interrupted + 200)
    line = page.locator("#log .assistant").first
    assert line.locator(".cut").inner_text() == "interrupted"
    assert line.locator(".said").inner_text() and line.locator(".unheard").inner_text()
    latency = int(line.locator(".ms").inner_text().removesuffix(" ms"))
    assert latency == pytest.approx(loud[0] - asked, abs=250), "it is what one waited"
    wait_to_pass(page, "hearing", "speaking")  # the second question is answered too
    assert captions(page)[0].startswith("what")
    page.wait_for_function("turns.some(({ n, timing }) => n === 2 && timing)")

    files = {}
    for button, ending in (("#save-sound", "wav"), ("#save-text", "json")):
        with page.expect_download() as download:
            page.click(button)
        assert download.value.suggested_filename.endswith(ending)
        files[ending] = download.value.path()
    sound, rate = soundfile.read(files["wav"])
    assert rate == 24_000 and sound.shape[1] == 2
    assert np.abs(sound).max(axis=0).min() > 0.05, "both sides are to be heard"
    told = json.loads(files["json"].read_text())
    first, answer = told["transcript"][:2]
    assert (first["role"], answer["role"], answer["interrupted"]) == ("user", "assistant", True)
    start, stop = (round(t * rate) for t in (first["start_s"], first["end_s"]))
    assert np.abs(sound[start:stop, 0]).max() > 0.05, "the times are those of the recording"
    assert [turn["interrupted"] for turn in told["turns"]] == [True, False]
    timing = told["turns"][1]["timing"]
    waited = timing["speech_end_ms"] + timing["first_audio_ms"]  # the second may be 0: it was made in secret, in time
    assert timing["speech_end_ms"] > 0 and timing["voice_to_voice_ms"] == pytest.approx(waited, abs=1)


def test_what_sounds_in_the_page_is_the_answer(server, browser, tmp_path):
    """Asked by flite, through all that Chromium does to a microphone; answered by espeak-ng; recognised from the
    page's own sound by a third program."""
    from tests.test_spoken_path import recognised

    said = np.concatenate([silence(2.0), 0.5 * say("what is twelve plus nine"), silence(20.0)])
    soundfile.write(tmp_path / "question.wav", said, RATE)
    asking = launch(browser.browser_type, *microphone.hearing(f"{tmp_path / 'question.wav'}%noloop"))
    page = asking.new_context(permissions=["microphone"]).new_page()
    page.goto(server.url)
    be_ready(page)
    page.evaluate("voicechat.conversation.update({ voice: 'espeak:en-us+f2' })")
    page.click("#start")
    wait_to_pass(page, "hearing", "speaking", "listening")
    samples, _ = heard(page)
    assert [line.lower() for line in captions(page)] == ["what is twelve plus nine", "twelve plus nine is twenty-one."]
    asking.close()
    soundfile.write(tmp_path / "answer.wav", samples, 24_000)
    assert recognised(tmp_path / "answer.wav", tmp_path) == "twelve plus nine is twenty one"


def test_typing_interrupting_by_a_key_and_asking_about_a_clip(server, visit, tmp_path):
    page = visit(server.url)
    page.fill("#text", "what can you hear")
    page.press("#text", "Enter")
    wait_to_pass(page, "speaking")
    assert page.inner_text("#start") == "Turn on the microphone"
    page.wait_for_function("document.querySelector('#log .assistant .said').innerText.length > 8")
    page.keyboard.press("Escape")
    page.wait_for_function("document.querySelector('#log .assistant .cut').innerText === 'interrupted'")
    wait_for_state(page, "listening")

    soundfile.write(tmp_path / "question.wav", 0.5 * say("what is seven times eight"), RATE)
    drop(page, tmp_path / "question.wav")
    page.wait_for_selector("#log .clip")
    assert page.locator("#log .clip .name").inner_text() == "question.wav"
    page.fill("#text", "what is two plus two")
    page.press("#text", "Enter")
    page.wait_for_function("document.querySelectorAll('#log .assistant').length === 2")
    wait_for_state(page, "listening")
    assert captions(page)[-1]
    page.click("#afresh")
    page.click("#afresh")
    page.wait_for_function("!document.querySelector('#log').children.length")
    wait_for_state(page, "listening")


def test_what_is_too_long_comes_back_into_the_box(server, visit, tmp_path):
    """With its clip: it can be mended there."""
    page = visit(server.url)
    long = ("please tell me what seven times eight is " * 250).strip()
    page.fill("#text", long)
    page.press("#text", "Enter")
    page.wait_for_selector("#problem:not([hidden])")
    told = page.inner_text("#problem-message")
    assert told.startswith(f"The typed text has {len(long):,} characters, of which about ") and "clip" not in told
    assert page.input_value("#text") == long and captions(page) == []

    soundfile.write(tmp_path / "question.wav", 0.5 * say("what is seven times eight"), RATE)
    drop(page, tmp_path / "question.wav")
    page.wait_for_selector("#log .clip")
    page.press("#text", "Enter")
    page.wait_for_selector("#tray .clip")
    assert page.input_value("#text") == long
    assert page.locator("#log .clip").count() == 0
    page.fill("#text", "what is two plus three")
    page.press("#text", "Enter")
    page.wait_for_function("document.querySelector('#log .assistant .said')?.innerText.length > 8")
    assert page.locator("#log .clip").count() == 1 and page.locator("#tray .clip").count() == 0
    assert page.input_value("#text") == "" and page.is_hidden("#problem")


def test_a_clip_that_is_too_long_comes_back_and_can_be_taken_out(server, visit, tmp_path):
    page = visit(server.url)
    soundfile.write(tmp_path / "long.wav", silence(70.0), RATE)
    drop(page, tmp_path / "long.wav")
    page.wait_for_selector("#log .clip")
    page.fill("#text", "what is two plus three")
    page.press("#text", "Enter")
    page.wait_for_selector("#tray .clip")
    assert page.inner_text("#problem-message").startswith("The sound lasts 70 s, of which about 3")
    assert page.inner_text("#problem-remedy") == "Send a shorter clip."
    assert page.input_value("#text") == "what is two plus three"
    page.click("#tray .remove")
    page.press("#text", "Enter")
    page.wait_for_function("document.querySelector('#log .assistant .said')?.innerText.length > 8")
    assert page.locator(".clip").count() == 0


def test_blanks_are_no_question_unless_a_clip_is_attached(server, visit, tmp_path):
    page = visit(server.url)
    page.fill("#text", " \u200b ")
    page.press("#text", "Enter")
    page.wait_for_selector("#problem:not([hidden])")
    assert page.inner_text("#problem-message") == "Nothing was typed."
    assert captions(page) == []
    soundfile.write(tmp_path / "question.wav", 0.5 * say("what is seven times eight"), RATE)
    page.fill("#text", "")
    drop(page, tmp_path / "question.wav")
    page.wait_for_selector("#log .clip")
    page.press("#text", "Enter")
    page.wait_for_function("document.querySelector('#log .assistant .said')?.innerText.length > 8")
    assert page.is_hidden("#problem")


def test_instructions_that_are_too_long_are_told_where_they_are_given(server, visit):
    page = visit(server.url)
    page.click("#start")
    wait_for_state(page, "listening")
    page.evaluate("voicechat.update({ instructions: 'Be very brief and kind. '.repeat(500) })")
    page.wait_for_selector("#problem:not([hidden])")
    assert page.inner_text("#problem-message").startswith("The instructions have 12,000 characters")
    assert page.inner_text("#problem-remedy").startswith("Shorten them")


def test_what_is_not_sound_is_refused_with_an_instruction(server, visit, tmp_path):
    page = visit(server.url)
    (tmp_path / "notes.wav").write_text("no sound at all")
    page.set_input_files("#file", tmp_path / "notes.wav")
    page.wait_for_selector("#problem:not([hidden])")
    assert "notes.wav could not be read as sound. Attach a WAV" in " ".join(page.inner_text("#problem").split())
    soundfile.write(tmp_path / "long.flac", np.zeros(RATE * 300, np.float32), RATE)
    page.set_input_files("#file", tmp_path / "long.flac")
    page.wait_for_function("document.querySelector('#problem-message').innerText.includes('holds 5 min')")
    assert page.inner_text("#problem-remedy") == "Cut it."
    forgive(page)


def test_what_phones_and_browsers_record_can_be_dropped(server, visit, tmp_path):
    """Whatever this browser itself could decode; and it is heard."""
    page = visit(server.url)
    question = np.repeat(0.5 * say("what is seven times eight"), 48_000 // RATE)
    for name in ("phone.m4a", "browser.webm", "noindex.mp3"):
        drop(page, encoded(tmp_path / name, question))
        page.wait_for_selector(f"#log .clip >> text={name}")
    page.fill("#text", "what is two plus two")
    page.press("#text", "Enter")
    page.wait_for_function("document.querySelectorAll('#log .assistant').length === 1")
    wait_to_pass(page, "speaking", "listening")


def test_a_dropped_connection_comes_back_with_the_conversation(server, visit):
    page = visit(server.url)
    sent = []
    sockets = []

    def pass_on(socket):
        above = socket.connect_to_server()
        sockets.append(socket)
        socket.on_message(lambda message: (sent.append(json.loads(message)), above.send(message)))
        above.on_message(socket.send)

    page.route_web_socket("**/v1/realtime*", pass_on)
    page.reload()
    be_ready(page)
    page.fill("#text", "who are you")
    page.press("#text", "Enter")
    wait_to_pass(page, "speaking", "listening")
    before = captions(page)
    sent.clear()
    sockets[-1].close(code=1012)
    wait_to_pass(page, "reconnecting", "listening")
    replayed = [event["item"]["content"][0] for event in sent if event["type"] == "conversation.item.create"]
    assert [part["type"] for part in replayed] == ["input_text", "output_text"]
    assert [part["text"].strip() for part in replayed] == before
    assert not any(event["type"] == "response.create" for event in sent), "nothing is left to be answered"
    assert captions(page) == before
    page.fill("#text", "what is two plus three")
    page.press("#text", "Enter")
    wait_to_pass(page, "speaking")


def test_a_server_that_is_killed_in_mid_answer_comes_back_with_the_conversation(serve, visit):
    """The words kept are those that were heard, and nothing is answered twice."""
    options = ("--model", "mini", "--greedy")
    first = serve(*options)
    page = visit(first.url)
    page.fill("#text", "who are you")
    page.press("#text", "Enter")
    wait_to_pass(page, "speaking")
    page.wait_for_timeout(800)
    first.process.kill()
    first.process.wait()
    sent: list[dict] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(json.loads(data))))
    wait_for_state(page, "reconnecting")
    page.wait_for_timeout(4000)  # what had come of the answer has sounded by then
    before = captions(page)
    serve(*options, "--port", str(first.port))
    wait_for_state(page, "listening")
    replayed = [e["item"]["content"][0]["text"].strip() for e in sent if e["type"] == "conversation.item.create"]
    assert replayed == before and len(before) == 2
    page.wait_for_timeout(1500)
    assert not any(event["type"] == "response.create" for event in sent)
    assert captions(page) == before
    page.fill("#text", "what is two plus three")
    page.press("#text", "Enter")
    wait_to_pass(page, "speaking")
    forgive(page)


@pytest.mark.parametrize("moment", ["hearing", "thinking"])
def test_a_server_that_is_killed_in_mid_question_answers_it_when_it_is_back(serve, browser, tmp_path, moment):
    """Once, whether the question was being said or had just been taken in."""
    said = tmp_path / "question.wav"
    soundfile.write(said, 0.5 * say("what is seven times eight"), RATE)
    options = ("--model", "mini", "--greedy")
    first = serve(*options)
    context = browser.new_context(permissions=["microphone"])
    context.add_init_script(microphone.script(said))
    page = context.new_page()
    page.goto(first.url)
    be_ready(page)
    page.click("#start")
    wait_for_state(page, "listening")
    ask(page, whole=False)
    if moment == "hearing":
        wait_for_state(page, "hearing")
        page.wait_for_timeout(500)
    else:
        page.wait_for_function("document.querySelector('#log .user')")
        page.wait_for_function("['thinking', 'speaking'].includes(voicechat.conversation.state)")
    first.process.kill()
    first.process.wait()
    wait_for_state(page, "reconnecting")
    serve(*options, "--port", str(first.port))
    page.wait_for_function(
        "document.querySelector('#log .assistant .said')?.innerText.includes('fifty-six')", timeout=60_000
    )
    wait_for_state(page, "listening")
    page.wait_for_timeout(3000)
    asked, answered = (line.lower() for line in captions(page))
    assert answered == "seven times eight is fifty-six."
    # the words of a question whose answer had come whole were lost with the server, and it is not asked again for them
    assert asked == "what is seven times eight" or (moment == "thinking" and asked == "")
    context.close()


def test_push_to_talk_by_the_space_bar(server, visit):
    page = visit(server.url)
    page.click("#push")
    page.click("#start")
    wait_for_state(page, "listening")
    page.wait_for_selector("#talk:not([hidden])")
    page.locator("body").click(position={"x": 5, "y": 400})
    page.keyboard.down("Space")
    wait_for_state(page, "hearing")
    ask(page)
    page.keyboard.up("Space")
    wait_to_pass(page, "hearing", "speaking")
    page.wait_for_function("document.querySelector('#log li:first-child.user .said')?.innerText.startsWith('what')")


def test_settings_reach_the_server(server, visit):
    page = visit(server.url)
    page.click("#vc-settings > button")
    page.get_by_label("Voice").fill("tone")
    page.get_by_label("Voice").press("Enter")
    page.get_by_label("Instructions").fill("Answer in one word.")
    page.get_by_label("Instructions").blur()
    page.wait_for_function("voicechat.conversation.instructions && voicechat.conversation.voice === 'tone'")
    page.fill("#text", "who are you")
    page.press("#text", "Enter")
    page.wait_for_function("voicechat.heard.samples.filter((sample) => Math.abs(sample) > 0.01).length > 4800")
    samples, _ = heard(page)
    loud = samples[np.abs(samples) > 0.01]
    assert 0.25 < np.abs(loud).max() < 0.35, "the tone is exactly so loud"
    page.get_by_label("Voice").fill("nobody")
    page.get_by_label("Voice").press("Enter")
    page.wait_for_selector("#problem:not([hidden])")
    assert "nobody" in page.inner_text("#problem")


def test_a_voice_is_heard_before_it_is_chosen(server, visit):
    """The microphone rests meanwhile; a second press ends it; a voice that is not there is a problem, and no more."""
    page = visit(server.url)
    page.evaluate("""() => {
        window.played = [];
        const play = HTMLMediaElement.prototype.play;
        HTMLMediaElement.prototype.play = function () { played.push(this); return play.call(this); };
    }""")
    page.click("#start")
    wait_for_state(page, "listening")
    page.click("#vc-settings > button")
    menu = page.get_by_label("Voice")
    menu.click()
    page.get_by_role("option", name="espeak f3 · English (America) · GPL-3.0").click()
    page.wait_for_function("voicechat.conversation.voice === 'espeak:en-us+f3'")
    page.click("#vc-hear")
    page.wait_for_function("played.length === 1 && played[0].currentTime > 0")
    assert page.inner_text("#vc-hear") == "Stop" and page.evaluate("voicechat.conversation.muted")
    assert 4 < page.evaluate("played[0].duration") < 10
    page.click("#vc-hear")
    page.wait_for_function("document.getElementById('vc-hear').innerText === 'Hear it'")
    assert page.evaluate("played[0].paused && !voicechat.conversation.muted")
    page.wait_for_timeout(500)
    assert page.evaluate("voicechat.conversation.state") == "listening" and page.is_hidden("#problem")
    menu.fill("espeak:nobody")
    menu.press("Enter")
    page.click("#vc-hear")
    page.wait_for_function("document.getElementById('problem-message').innerText.includes(\"'espeak:nobody'\")")
    assert page.evaluate("played.length") == 1 and page.inner_text("#vc-hear") == "Hear it"
    assert ["400 (Bad Request)" in line for line in page.complaints] == [True]  # the browser's own line
    page.complaints.clear()


def test_music_and_sounds_come_through_unless_noise_is_to_be_taken_away(server, visit):
    page = visit(server.url)
    page.click("#start")
    wait_for_state(page, "listening")
    assert page.evaluate("opened.map((audio) => [audio.echoCancellation, audio.noiseSuppression])") == [[True, False]]
    page.click("#vc-settings > button")
    page.get_by_label("Take background noise away").check()
    page.wait_for_function("opened.length === 2 && opened[1].noiseSuppression && voicechat.conversation.microphone")
    ask(page)
    wait_to_pass(page, "hearing", "speaking")
    page.get_by_label("Take background noise away").uncheck()
    page.wait_for_function("opened.length === 3 && !opened[2].noiseSuppression")


def test_every_control_has_a_name(server, visit):
    page = visit(server.url)
    page.click("#vc-settings > button")
    page.wait_for_selector("#vc-settings textarea")
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = [n for n in tree if not n["ignored"] and n["role"]["value"] in NAMED]
    names = [node.get("name", {}).get("value", "") for node in controls]
    assert len(names) > 14 and all(names), names
    assert {"Start talking", "Voice", "Type instead of speaking", "Send"} <= set(names)


def test_the_token_is_shown_once_by_keyboard_alone(serve, browser):
    """The form stands in the page's place; after it this browser is known, in other tabs and after a restart."""
    url = serve("--model", "echo", "--voice", "tone", "--token", "sesame", "--seats", "1").url
    context = browser.new_context(permissions=["microphone"])
    page = context.new_page()
    requested = []
    page.on("request", lambda request: requested.append((request.url, request.headers.get("referer", ""))))
    page.goto(url)
    assert "sesame" not in page.content() and page.title() == "voicechat"
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#told:not(:empty)")
    assert page.inner_text("#told") == "This is not the token. Check it, and try again."
    page.keyboard.type("sesame")  # the field has the focus again
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    be_ready(page)
    for _ in range(30):
        if page.evaluate("document.activeElement.id") == "start":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for_state(page, "listening")
    assert not any("sesame" in part for request in requested for part in request)
    assert page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}"
    kept = context.cookies()
    assert [(cookie["httpOnly"], cookie["sameSite"]) for cookie in kept] == [(True, "Strict")]
    other = context.new_page()
    other.goto(url)
    be_ready(other)
    other.click("#start")
    other.wait_for_function("document.querySelector('#problem-remedy').innerText.includes('waits for a free place')")
    context.close()


def test_a_token_that_changes_in_mid_conversation_is_asked_for_in_the_page(serve, visit):
    """So that the conversation is kept."""
    first = serve("--model", "echo", "--voice", "tone", "--token", "open")
    page = visit_with_token(visit, first.url, "open")
    page.click("#start")
    wait_for_state(page, "listening")
    page.evaluate("voicechat.conversation.say('hello')")
    page.wait_for_selector("#log li:nth-of-type(2)")
    first.stop()
    serve("--model", "echo", "--voice", "tone", "--token", "sesame", "--port", str(first.port))
    page.wait_for_selector("#token-form:not([hidden])", timeout=60_000)
    for token, told in (("wrong", "not accepted"), ("sesame", None)):
        page.fill("#token", token)
        page.press("#token", "Enter")
        if told:
            page.wait_for_function(f"document.querySelector('#problem-message').innerText.includes('{told}')")
    wait_for_state(page, "listening")
    assert page.is_hidden("#problem") and "hello" in page.inner_text("#log")
    page.close()
    forgive(page)


def test_a_page_whose_origin_is_refused_says_so_and_by_what(serve, browser):
    """Behind a proxy that does not pass the name on."""
    served = serve("--model", "echo", "--voice", "tone")
    proxy = Proxy(served.port)
    page = browser.new_page()
    page.goto(f"http://localhost:{proxy.port}")
    be_ready(page)
    page.click("#start")
    page.wait_for_selector("#problem[data-kind=origin]:not([hidden])")
    told = page.inner_text("#problem")
    assert f"refuses pages of http://localhost:{proxy.port}" in told
    assert f"http://127.0.0.1:{served.port}" in told and "--origin" in told and "Host" in told
    page.close()
    proxy.close()


def test_plain_http_from_elsewhere_is_told_that_it_is_the_address(server, visit):
    page = visit(f"http://elsewhere.test:{server.port}")
    page.click("#start")
    page.wait_for_selector("#problem:not([hidden])")
    told = page.inner_text("#problem")
    assert "http://" in told and "It is the address" in told and "--tls" in told and "localhost" in told


MIXED = """async ({ left, gains, step }) => {
    const { MixDown } = await import("/static/mix.js");
    const mix = new MixDown(24000), channels = gains.map((gain) => Float32Array.from(left, (s) => gain * s));
    const heard = [];
    for (let at = 0; at < left.length; at += step) {
      heard.push(...mix.push(channels.map((channel) => channel.subarray(at, at + step))));
    }
    return heard; }"""
DECODED = """async (base64) => {
    const { decode } = await import("/static/decode.js");
    return [...await decode(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]), "a.wav")]; }"""
CAPTURED = """async ({ left, gains }) => {
    const context = new OfflineAudioContext(2, left.length, 24000);
    await context.audioWorklet.addModule("/static/capture-worklet.js");
    const node = new AudioWorkletNode(context, "voicechat-capture", { numberOfOutputs: 0 });
    const heard = [];
    node.port.onmessage = ({ data }) => heard.push(...data.samples);
    const buffer = new AudioBuffer({ length: left.length, numberOfChannels: 2, sampleRate: 24000 });
    gains.forEach((gain, c) => buffer.copyToChannel(Float32Array.from(left, (s) => gain * s), c));
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(node);
    source.start();
    await context.startRendering();
    await new Promise((resolve) => setTimeout(resolve, 200));
    return heard; }"""


def test_channels_of_opposite_polarity_do_not_cancel_in_the_page(visit, server, tmp_path):
    """By the rule of the terminal and the server, for the microphone and for files."""
    page = visit(server.url)
    said = soxr.resample(0.5 * say("what is seven times eight"), RATE, 24_000)[:24_000].astype(np.float32)
    for gains in ([1, -1], [1, -0.5], [-0.4, 1], [1, 1], [1, 0], [0.3, 0.3, -0.7]):
        channels = said[:, None] * np.array(gains, np.float32)
        mix = MixDown(24_000)
        expected = np.concatenate([mix.push(channels[at : at + 128]) for at in range(0, len(said), 128)])
        heard = page.evaluate(MIXED, {"left": said.tolist(), "gains": gains, "step": 128})
        np.testing.assert_allclose(heard, expected, atol=1e-5)
    heard = page.evaluate(CAPTURED, {"left": said.tolist(), "gains": [1, -1]})
    assert len(heard) > 20_000
    np.testing.assert_allclose(heard, said[: len(heard)], atol=1e-5)
    soundfile.write(tmp_path / "a.wav", np.stack([said, -said], axis=1), 24_000)
    heard = np.array(page.evaluate(DECODED, base64.b64encode((tmp_path / "a.wav").read_bytes()).decode()))
    assert np.sum(heard**2) > 0.9 * np.sum(said**2)
