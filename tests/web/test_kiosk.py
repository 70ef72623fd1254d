"""The kiosk in a real browser that nobody touches, against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import time

import pytest
import soundfile

from streaming.audio import RATE
from tests.speech import say
from tests.web import microphone
from tests.web.microphone import ask

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
pytestmark = pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason="no chromium: apt-get install chromium")

BACK = "One moment, I will be right back."
TECHNICAL = re.compile(r"error|exception|traceback|undefined|null|object|https?:|\bat \w+\.|\d{3,}|_", re.IGNORECASE)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium as docs/kiosk.md starts it."""
    room = microphone.room(tmp_path_factory.mktemp("microphone"))
    with playwright.sync_playwright() as starter:
        started = starter.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required", *room],
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def question(tmp_path_factory):
    path = tmp_path_factory.mktemp("question") / "question.wav"
    soundfile.write(path, 0.5 * say("what is seven times eight"), RATE)
    return path


@pytest.fixture
def page(browser, question):
    """A page that shows nothing technical at any moment, and fetches nothing from elsewhere."""
    context = browser.new_context(viewport={"width": 1024, "height": 600}, permissions=["microphone"])
    page = context.new_page()
    hosts, seen = set(), set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2].split(":")[0]))
    page.on("websocket", lambda socket: hosts.add(socket.url.split("/")[2].split(":")[0]))
    page.expose_function("saw", lambda text: seen.add(text))
    page.add_init_script(microphone.script(question))
    page.add_init_script(
        """window.shown = [];
           addEventListener("DOMContentLoaded", () => {
             const tell = () => {
               saw(document.body.innerText);
               const { screen, state } = document.body.dataset;
               if (`${screen} ${state}` !== shown.at(-1)) shown.push(`${screen} ${state}`);
             };
             new MutationObserver(tell).observe(document.body, { subtree: true, childList: true, attributes: true });
           });"""
    )
    yield page
    context.close()
    assert hosts == {"localhost"}
    assert [text for text in seen if TECHNICAL.search(text)] == []


def wait_for(page, screen: str, state: str | None = None, timeout_s: float = 30) -> None:
    """For what lasts: a look from here comes every half second."""
    wanted = f'body[data-screen="{screen}"]' + (f'[data-state="{state}"]' if state else "")
    page.wait_for_selector(wanted, timeout=timeout_s * 1000)


def wait_to_pass(page, *wanted: str, timeout_s: float = 30) -> None:
    """Until these have been shown one after the other, however briefly, since the last time."""
    page.wait_for_function(
        """(wanted) => {
             let at = -1;
             for (const one of wanted) if ((at = shown.indexOf(one, at + 1)) < 0) return false;
             return shown.splice(0, at + 1);
           }""",
        arg=wanted,
        timeout=timeout_s * 1000,
    )


def until(page, condition, timeout_s: float = 30) -> None:
    """Until something is so that is known here."""
    late = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < late, "it did not come"
        page.wait_for_timeout(20)


def wait_for_line(page, line: str, timeout_s: float = 30) -> None:
    page.wait_for_selector(f'body[data-screen="pause"] #line:text-is("{line}")', timeout=timeout_s * 1000)


def heard_from(page) -> list[dict]:
    """The server's events, as they come."""
    events: list[dict] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: events.append(json.loads(data))))
    return events


def sessions(events: list[dict]) -> list[str]:
    return [event["session"]["id"] for event in events if event["type"] == "session.created"]


def loads(page) -> list[str]:
    """The page's own address, as often as it is loaded."""
    loaded: list[str] = []
    page.on("domcontentloaded", lambda page: loaded.append(page.url))
    return loaded


def test_a_visitor_is_answered_and_then_forgotten(server, page):
    events = heard_from(page)
    page.goto(f"{server.url}/kiosk?silence=2&title=Museum&examples=Who+are+you?")
    wait_for(page, "attract", "listening")
    assert page.inner_text("#example") == "“Who are you?”"
    assert page.evaluate("opened.every((audio) => audio.noiseSuppression)")  # halls are loud
    ask(page)
    wait_to_pass(page, "talk hearing", "talk thinking", "talk speaking")  # by the voice alone
    shown = page.wait_for_function(  # in one look: it forgets soon
        """() => {
             const [question, answer] = ["question", "answer"].map((id) => document.getElementById(id));
             if (answer.innerText !== "Seven times eight is fifty-six.") return null;
             const size = parseFloat(getComputedStyle(answer).fontSize);
             return [question.textContent, size, document.querySelector("[aria-live=polite]").innerText];
           }"""
    )
    question, size, live = shown.json_value()
    assert question == "what is seven times eight"
    assert size > 600 / 15  # to be read from afar
    assert "fifty" in live

    wait_for(page, "attract", "listening")
    assert not re.search("seven|fifty", page.content(), re.IGNORECASE)
    assert len(set(sessions(events))) == 2  # the next visitor's is a fresh one


@pytest.mark.parametrize("looked", [True, False], ids=["long after", "before it knew what it was made of"])
def test_it_comes_back_by_itself_after_the_server(serve, page, looked):
    first = serve("--model", "echo", "--voice", "tone", "--kiosk", "attract=touch&title=Before")
    if not looked:
        page.route(
            "**/playback-worklet.js",
            lambda route: route.abort() if route.request.method == "HEAD" else route.continue_(),
        )
    page.goto(f"{first.url}/kiosk")
    wait_for(page, "attract", "listening")
    page.wait_for_load_state("networkidle")
    loaded = loads(page)
    first.process.kill()
    wait_for_line(page, BACK)
    page.unroute_all(behavior="wait")
    serve("--model", "echo", "--voice", "tone", "--port", str(first.port), "--kiosk", "attract=touch&title=After")
    wait_for(page, "attract", "listening")
    page.wait_for_function("document.getElementById('title').textContent === 'After'")  # what is new is taken over
    wait_for(page, "attract", "listening")
    page.wait_for_timeout(1000)
    assert len(loaded) == 1


def test_a_server_that_is_killed_in_mid_sentence_is_missed_for_a_moment(serve, page):
    """The visitor is answered again by themselves, and nothing of the first answer is said twice."""
    first = serve("--model", "mini", "--greedy")
    events = heard_from(page)
    page.goto(f"{first.url}/kiosk")
    wait_for(page, "attract", "listening")
    ask(page)
    wait_for(page, "talk", "speaking")
    first.process.kill()
    wait_for_line(page, BACK)
    serve("--model", "mini", "--greedy", "--port", str(first.port))
    page.wait_for_function("['attract', 'talk'].includes(document.body.dataset.screen)", timeout=60_000)
    page.wait_for_function("document.body.dataset.state === 'listening'")
    page.wait_for_timeout(2000)
    created = [event for event in events if event["type"] == "response.created"]
    assert len(created) == 1
    ask(page)
    page.wait_for_function("document.getElementById('answer').innerText.startsWith('Seven times')")


def test_a_page_that_always_seems_to_have_changed_is_loaded_again_once(server, page):
    page.clock.install()
    looks: list[str] = []

    def another(route):
        if route.request.method == "HEAD":
            looks.append(route.request.url)
            route.fulfill(headers={"etag": str(len(looks))})
        else:
            route.continue_()

    page.route("**/playback-worklet.js", another)
    loaded, events = loads(page), heard_from(page)
    page.goto(f"{server.url}/kiosk?attract=touch")
    until(page, lambda: len(loaded) == 2)  # at once
    for times in (2, 3, 3):
        wait_for(page, "attract", "listening")
        known, looked = len(sessions(events)), len(looks)
        page.clock.fast_forward(310_000)  # nobody has come for five minutes: a fresh session
        until(page, lambda known=known, looked=looked: len(sessions(events)) > known and len(looks) > looked)
        until(page, lambda times=times: len(loaded) >= times)  # and when ten minutes had gone
    page.wait_for_timeout(300)
    assert len(loaded) == 3


def test_it_hears_only_while_the_key_is_held(server, page):
    page.clock.install()
    page.goto(f"{server.url}/kiosk?push=1&key=F9")
    wait_for(page, "attract", "listening")
    assert page.inner_text("#push") == "Hold and speak"
    page.keyboard.down("F9")
    wait_for(page, "talk", "hearing")
    ask(page)
    page.wait_for_timeout(600)  # without the button it would have been answered
    assert page.evaluate("shown").count("talk hearing") == 1
    assert page.get_attribute("body", "data-state") == "hearing"
    page.keyboard.up("F9")
    wait_to_pass(page, "talk hearing", "talk thinking", "talk speaking")
    page.wait_for_function("document.getElementById('answer').innerText.endsWith('.')")  # it has been said
    assert page.inner_text("#answer") == "Seven times eight is fifty-six."

    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)  # so that a tap is one on any machine
    page.click("#push")  # it hears until the next one
    page.clock.run_for(1000)
    assert page.inner_text("#push") == "Touch again when you have finished"
    wait_to_pass(page, "talk hearing")
    page.click("#push")
    page.clock.resume()
    wait_to_pass(page, "talk thinking")


@pytest.mark.parametrize(
    "query, line",
    [
        ("silense=3", 'there is no option "silense": did you mean silence=?'),
        ("silence=soon", "silence=soon cannot be had: give seconds from 2 to 3600, e.g. 30"),
        ("push=1&key=Spacebar", "key=Spacebar is no key: give one character, or a name such as Space, Enter, F9"),
        ("push=1&attract=voice", "attract=voice and push=1 exclude each other: leave one of them out"),
        ("model=gpt", "model=gpt is not there: this server has mini"),
        ("voice=nobody", "voice=nobody: no voice is called 'nobody'"),
    ],
)
def test_an_option_that_cannot_be_meant_is_named_in_one_line(server, browser, query, line):
    page = browser.new_page()
    page.goto(f"{server.url}/kiosk?{query}")
    page.wait_for_function("(line) => document.getElementById('setup').textContent.includes(line)", arg=line)
    assert page.is_visible("#setup") and not page.is_visible("#invite")
    page.close()


def test_whatever_goes_wrong_is_told_kindly(server, page):
    trace = 'Traceback (most recent call last):\n  File "model.py", line 404: CUDA error'
    told, connections = [], []

    def through(socket):
        wire = socket.connect_to_server()
        connections.append(socket)

        def change(message):
            event = json.loads(message)
            if event["type"] == "response.done":
                event["response"] |= {"status": "failed", "status_details": {"error": {"message": trace}}}
                socket.send(json.dumps({"type": "error", "error": {"code": "server_error", "message": trace}}))
            if event["type"] not in ("response.output_audio.delta", "response.output_audio_transcript.delta"):
                socket.send(json.dumps(event))
            told.append(event["type"])

        wire.on_message(change)

    page.route_web_socket("**/v1/realtime*", through)
    page.goto(f"{server.url}/kiosk?silence=60&examples=Who+are+you?")
    wait_for(page, "attract", "listening")
    ask(page)
    wait_to_pass(page, "talk hearing")
    page.wait_for_function(
        "document.getElementById('status').textContent === 'I did not catch that. Please say it again.'"
    )
    assert "response.done" in told

    page.evaluate("setTimeout(() => { throw new TypeError('x is undefined') })")
    wait_for_line(page, BACK)
    wait_for(page, "attract", "listening")  # recovered, and the visitor is forgotten
    assert len(connections) == 2
    assert "seven" not in page.content()


def test_an_answer_that_never_comes_is_given_up(server, page):
    page.clock.install()

    def through(socket):
        wire = socket.connect_to_server()
        hangs = []

        def change(message):
            if not hangs:
                socket.send(message)
            if json.loads(message)["type"] == "response.created":
                hangs.append(True)

        wire.on_message(change)

    page.route_web_socket("**/v1/realtime*", through)
    page.goto(f"{server.url}/kiosk")
    wait_for(page, "attract", "listening")
    ask(page)
    wait_for(page, "talk", "thinking")
    page.clock.fast_forward(15_000)
    assert page.get_attribute("body", "data-screen") == "talk"
    page.clock.fast_forward(6_000)
    wait_for_line(page, "I am sorry, I lost my thread. Please ask me again.")
    page.clock.fast_forward(6_000)
    wait_for(page, "attract", "listening")


def test_a_microphone_that_is_unplugged_is_awaited(server, page):
    page.add_init_script(
        """const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
           navigator.mediaDevices.getUserMedia = async (wanted) => {
             if (window.unplugged) throw new DOMException("Requested device not found", "NotFoundError");
             return (window.stream = await open(wanted)); };"""
    )
    page.clock.install()
    page.goto(f"{server.url}/kiosk?attract=touch")
    wait_for(page, "attract", "listening")
    page.clock.fast_forward(10_000)
    page.evaluate("unplugged = true; stream.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
    page.clock.fast_forward(2_000)
    wait_for_line(page, "I cannot hear you just now: my microphone is missing.")
    page.evaluate("unplugged = false")
    page.clock.fast_forward(3_000)
    wait_for(page, "attract", "listening")


def test_a_page_that_came_incomplete_is_loaded_again(server, page):
    fails = iter([True])
    page.route("**/wire.js", lambda route: route.abort() if next(fails, False) else route.continue_())
    page.goto(f"{server.url}/kiosk?attract=touch")
    wait_for(page, "pause")
    wait_for(page, "attract", "listening")


def test_touch_wakes_it_and_nothing_but_talking_can_be_done(server, page):
    page.clock.install()
    page.goto(f"{server.url}/kiosk?attract=touch")
    wait_for(page, "attract", "listening")
    assert page.locator("a, input, select, textarea").count() == 0
    assert page.evaluate("getComputedStyle(document.getElementById('invite')).cursor") == "none"
    assert page.evaluate("getComputedStyle(document.getElementById('invite')).userSelect") == "none"
    menu = "document.body.dispatchEvent(new MouseEvent('contextmenu', {bubbles: true, cancelable: true}))"
    assert not page.evaluate(menu)
    ask(page)
    page.wait_for_timeout(500)
    assert set(page.evaluate("shown.filter((one) => one.startsWith('talk'))")) == set()  # the question was not heard
    page.mouse.click(400, 400)
    wait_for(page, "talk")
    page.clock.fast_forward(20_000)
    assert page.get_attribute("body", "data-screen") == "talk"
    page.clock.fast_forward(11_000)
    wait_for(page, "attract")  # nobody spoke


def test_the_texts_stand_out_from_their_ground(server, page):
    """WCAG AA: 4.5 to 1, in both themes."""
    for theme in ("dark", "light"):
        page.goto(f"{server.url}/kiosk?attract=touch&theme={theme}")
        wait_for(page, "attract")
        names = ["invite", "how", "example", "notice", "status", "question", "answer", "line", "setup"]
        texts = [page.evaluate(f"getComputedStyle(document.getElementById('{name}')).color") for name in names]
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert min(contrast(text, ground) for text in texts) >= 4.5


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(c) / 255 for c in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_token_behind_the_address_is_used_and_hidden(serve, page):
    """And the kiosk works on; in the query it would be read by others."""
    served = serve("--model", "mini", "--greedy", "--token", "sesame", "--kiosk", "invite=Speak.")
    page.goto(f"{served.url}/kiosk#token=sesame")
    page.wait_for_selector("body[data-screen=attract]")
    assert page.evaluate("location.href") == f"{served.url}/kiosk?invite=Speak."
    page.goto(f"{served.url}/kiosk?token=sesame#token=other")
    page.wait_for_selector("body[data-screen=setup]")
    assert "token= stands in the address" in page.inner_text("#setup")
