// The kiosk: a booth that nobody attends. Visitors come, speak, go, and are forgotten.
//
// It shows one of three screens: `attract` (nobody is there), `talk` (somebody is), `pause` (one friendly line, because
// something is missing). Every quarter of a second it looks which one is right; nothing else decides it.

import { Conversation } from "./conversation.js";
import { readOptions, SetupError } from "./kiosk-options.js";
import { PushButton } from "./kiosk-push.js";
import { Screen } from "./kiosk-screen.js";
import { feelPulse, keepScreenOn, Patience, renew } from "./kiosk-upkeep.js";
import { setVolume } from "./kiosk-volume.js";
import { Orb } from "./orb.js";
import { hideToken } from "./token.js";

const LOOK_MS = 250;
const RETRY_MS = 3000; // a microphone that is away, a conversation that has ended
const TOKEN_RETRY_MS = 30000;
const BLINK_MS = 1500; // what is missing for less is not mentioned
const NOTE_MS = 5000;
const FALSE_ALARM_S = 8; // a noise woke it
const FRESH_MS = 300000; // of what is heard while nobody is there, no more is kept
const DEAF_MS = 300000; // then the page is loaded again: some browsers find the microphone only so
const HEALTHY_MS = 600000;
const SETTLING_MS = 3000; // the server has answered to the options by then
const STARTING_MS = 5000;
const BUSY = new Set(["hearing", "thinking", "speaking"]);
const LONGEST_MS = { thinking: 20000, speaking: 20000, hearing: 90000 }; // without anything new

// Said by the server before it ends a connection: no failed answer.
const GOODBYES = new Set(["session_expired", "session_idle", "server_stopping", "server_full", "too_many_sessions"]);
const BLOCKED = {
  "insecure-origin":
    "A browser gives this address no microphone: open it as https://, or on the machine itself as http://localhost",
  "microphone-denied": "The browser blocks the microphone: allow it for this address",
  "no-microphone": "",
};

class Kiosk {
  #conversation;
  #screen;
  #options;
  #push = null;
  #visitor = null; // {asked: whether there was an answer}
  #dismissed = false; // there was nothing to answer in what was said last
  #state = "off";
  #newsAt = 0; // performance.now() of the last thing that happened in this state
  #busyAt = 0; // somebody spoke, or it did
  #freshAt = 0;
  #lostAt = -Infinity; // without a connection since
  #deafAt = -Infinity; // without a microphone since
  #tokenAt = -Infinity;
  #startedAt = -Infinity;
  #starting = false;
  #needsTouch = false;
  #pausedUntil = 0;
  #pauseLine = "back";
  #noteUntil = 0;
  #setup = { microphone: "", options: "", token: "" }; // for the person who sets it up
  #failures = 0;

  constructor(options, screen) {
    const { model, voice, instructions, threshold, attract, key } = options;
    const turnDetection = threshold === undefined ? undefined : { type: "server_vad", threshold };
    this.#options = options;
    this.#screen = screen;
    this.#conversation = new Conversation({ model, voice, instructions, turnDetection, suppresses: true, name: "kiosk" });
    const listen = (kind, act) => this.#conversation.addEventListener(kind, ({ detail }) => act(detail));
    listen("state", ({ state }) => this.#changed(state));
    listen("caption", (caption) => this.#caption(caption));
    listen("problem", (problem) => this.#problem(problem));
    listen("solved", ({ kind }) => kind === "audio-tap-needed" && (this.#needsTouch = false));
    listen("connected", () => this.#connected());
    if (attract === "push") {
      this.#conversation.setPushToTalk(true);
      const release = () => this.#conversation.releaseTalk();
      this.#push = new PushButton(screen.button, key, { press: () => this.#press(), release, changed: () => this.#look() });
    } else {
      for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => this.#touched());
    }
    new Orb(document.getElementById("orb"), this.#conversation);
  }

  run() {
    this.#mute();
    this.#look();
    setInterval(() => this.#look(), LOOK_MS);
    feelPulse(() => this.#conversation.reset());
  }

  /** After an error that nobody expected. */
  recover() {
    this.#forget();
    this.#pause("back", 2000);
  }

  // ---- visitors ---------------------------------------------------------------------------------

  #welcome() {
    this.#busyAt = performance.now();
    if (this.#visitor) return;
    this.#visitor = { asked: false };
    this.#conversation.setMuted(false);
  }

  #forget() {
    this.#visitor = null;
    this.#noteUntil = this.#failures = 0;
    this.#push?.end();
    this.#screen.forget();
    this.#mute();
    this.#freshAt = performance.now();
    this.#conversation.reset();
  }

  #mute() {
    if (this.#options.attract === "touch") this.#conversation.setMuted(true);
  }

  #touched() {
    if (document.body.dataset.screen === "pause") return;
    this.#welcome();
    this.#visitor.asked = true; // whoever touches is there
  }

  #press() {
    if (document.body.dataset.screen === "pause") return false;
    this.#welcome();
    this.#conversation.pressTalk();
    return true;
  }

  // ---- what the conversation tells --------------------------------------------------------------

  #changed(state) {
    if (state === this.#state) return;
    const before = this.#state;
    this.#state = state;
    this.#newsAt = performance.now();
    if (state === "hearing") this.#welcome();
    if (state === "speaking") this.#failures = this.#noteUntil = 0;
    if (state === "speaking" && this.#visitor) this.#visitor.asked = true;
    if (state === "thinking") this.#dismissed = false;
    if (before === "thinking" && state === "listening" && !this.#dismissed) this.#note();
    this.#look();
  }

  #caption(caption) {
    this.#newsAt = performance.now();
    if (caption.role === "user" && caption.removed) this.#dismissed = true;
    if (this.#visitor) this.#screen.caption(caption);
  }

  #problem({ kind, message, detail, line }) {
    console.warn("kiosk:", kind, message, detail);
    if (kind === "audio-tap-needed") this.#needsTouch = true;
    else if (Object.hasOwn(BLOCKED, kind)) this.#setup.microphone = BLOCKED[kind];
    else if (kind === "idle") this.#startedAt = -Infinity; // again at once
    else if (kind === "token") this.#refused();
    else if (kind === "origin") this.#setup.options = message;
    else if (detail === "invalid_value" && performance.now() - this.#freshAt < SETTLING_MS) this.#refusedOption(line ?? message);
    else if ((kind === "model" && !GOODBYES.has(detail)) || kind === "lagging") this.#failed();
  }

  #refused() {
    this.#tokenAt = performance.now();
    this.#setup.token = "this server has another token now: open /kiosk#token=... with it";
  }

  /** Only a voice cannot be checked before the server has it. */
  #refusedOption(message) {
    const { voice } = this.#options;
    this.#setup.options = voice ? `voice=${voice}: ${message.split("; list all")[0]}` : message;
  }

  #failed() {
    if (!this.#visitor) return;
    if (++this.#failures >= 3) this.#apologise();
    else this.#note();
  }

  #connected() {
    this.#freshAt = performance.now();
    this.#tokenAt = -Infinity;
    this.#setup.options = this.#setup.token = "";
    if (!this.#visitor) renew();
  }

  #note() {
    this.#noteUntil = performance.now() + NOTE_MS;
  }

  #apologise() {
    this.#forget();
    this.#pause("sorry", NOTE_MS);
  }

  #pause(line, ms) {
    this.#pauseLine = line;
    this.#pausedUntil = performance.now() + ms;
    this.#look();
  }

  // ---- every quarter of a second ----------------------------------------------------------------

  #look() {
    const now = performance.now();
    const { state, microphone } = this.#conversation;
    const connected = !["off", "connecting", "reconnecting"].includes(state);
    this.#lostAt = connected ? 0 : this.#lostAt || now;
    this.#deafAt = microphone ? 0 : this.#deafAt || now;
    if (BUSY.has(state)) this.#busyAt = now;
    this.#watch(now, state);
    this.#keep(now, state, microphone);
    this.#show(now, state);
  }

  /** What has lasted too long. */
  #watch(now, state) {
    if (now - this.#newsAt > LONGEST_MS[state]) return this.#apologise();
    const fresh = now - this.#freshAt < FRESH_MS;
    if (this.#visitor ? now - this.#busyAt > this.#silenceMs : !fresh && state === "listening") this.#forget();
  }

  get #silenceMs() {
    const { silence } = this.#options;
    return 1000 * (this.#visitor.asked ? silence : Math.min(silence, FALSE_ALARM_S));
  }

  /** What is missing is asked for again and again. */
  #keep(now, state, microphone) {
    if (this.#starting || now - this.#startedAt < RETRY_MS) return;
    this.#startedAt = now;
    keepScreenOn();
    if (now > HEALTHY_MS) sessionStorage.removeItem("kiosk.tries");
    if (this.#deafAt && this.#deafAt > 0 && now - this.#deafAt > DEAF_MS) return window.comeBack("no microphone for minutes");
    if (now - this.#tokenAt < TOKEN_RETRY_MS) return;
    if (state === "off" && this.#visitor) this.#forget();
    if (state === "off" || !microphone) this.#start();
    else this.#conversation.wake();
  }

  async #start() {
    this.#starting = true;
    try {
      await this.#conversation.start();
    } finally {
      this.#starting = false;
    }
    if (this.#conversation.microphone) this.#setup.microphone = "";
  }

  #show(now, state) {
    const missing = this.#missing(now);
    const setup = missing ? Object.values(this.#setup).find(Boolean) : "";
    const left = this.#visitor ? 1 - (now - this.#busyAt) / this.#silenceMs : 1;
    const status = now < this.#noteUntil ? "again" : this.#push && state === "listening" ? "waiting" : state;
    const shown = missing ? "pause" : this.#visitor ? "talk" : "attract";
    this.#screen.show(shown, state, { line: missing, status, setup, push: this.#push?.state, left });
  }

  /** The line that says why nobody can talk now, or null. */
  #missing(now) {
    const lasted = (since) => since !== 0 && now - since > BLINK_MS;
    if (now < this.#pausedUntil) return this.#pauseLine;
    if (this.#needsTouch) return "begin";
    if (lasted(this.#lostAt) || this.#setup.options) return "back";
    if (!lasted(this.#deafAt)) return null;
    return this.#deafAt > 0 || now > STARTING_MS ? "deaf" : "back";
  }
}

/** The model is only known to the server. Throws SetupError. */
async function checkModel(model) {
  if (model === undefined) return;
  const response = await fetch(new URL("../readyz", import.meta.url)).catch(() => null);
  const { models } = (await response?.json().catch(() => null)) ?? {};
  if (models && !models.includes(model)) {
    throw new SetupError(`model=${model} is not there: this server has ${models.join(" and ")}`);
  }
}

async function begin() {
  hideToken();
  const options = readOptions(location.search);
  await checkModel(options.model);
  setVolume(options.volume);
  const kiosk = new Kiosk(options, new Screen(options));
  const patience = new Patience();
  let recovering = 0;
  window.recover = (why) => {
    if (why instanceof Element || /ResizeObserver/.test(why)) return;
    console.error("kiosk: recovers from", why);
    if (performance.now() - recovering < 2000) return;
    recovering = performance.now();
    if (patience.left()) kiosk.recover();
    else window.comeBack(why);
  };
  kiosk.run();
}

begin().catch((error) => {
  if (!(error instanceof SetupError)) return window.comeBack(error);
  window.recover = () => {};
  document.body.dataset.screen = "setup";
  document.getElementById("setup").textContent = `Setting up the kiosk: ${error.message}`;
  setInterval(renew, 5000);
});
