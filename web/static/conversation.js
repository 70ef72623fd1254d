// One live conversation over the wire, for whatever page shows it.
//
// Events, all CustomEvent; `detail`:
//   state        {state, microphone, muted, pushToTalk}   state: off connecting listening hearing thinking speaking reconnecting;
//                also while an answer is held, because the user may be interrupting it, it is hearing
//   caption      {role, id, text, final, interrupted, unheard, removed, typed}   again whenever it changes; `unheard`: what an
//                interruption kept from being said; `removed`: it was taken back, forget the caption
//   clip         {id, name, seconds, peaks}   a clip was attached
//   returned     {id, text, clip}   what was typed or attached could not be answered: the user may mend it and send it again
//   turn         {n, id, typed, voice_to_voice_ms, timing, interrupted}   again whenever more is known; id: of the answer
//   levels       {user, answer}   0..1, thirty times a second
//   problem      {kind, message, remedy, detail, line};  solved {kind}
//   connected    {session, again};  disconnected {};  reset {}

import { Answers } from "./answers.js";
import { decode } from "./decode.js";
import { CREATION, creation, History, newId } from "./history.js";
import { fromBase64, peaks, RATE, toBase64 } from "./pcm.js";
import { Problem, said } from "./problems.js";
import { Recording } from "./recording.js";
import { Responses } from "./responses.js";
import { SoundWatch } from "./sound-watch.js";
import { Speech } from "./speech.js";
import { ownAddress, Wire } from "./wire.js";

const LONGEST_CLIP_S = 240; // 15 MiB of base64 are taken by the server
const LONGEST_TEXT = 100000; // characters; what the model can read of it is less
const HARMLESS = new Set([
  "response_cancel_not_active",
  "input_audio_buffer_commit_empty",
  "conversation_already_has_active_response",
]);

/** How turns are taken: the server answers as soon as it judges that one has finished. Eagerness: low, auto or high. */
export const semantic = (eagerness = "auto") => ({ type: "semantic_vad", eagerness });

export class Conversation extends EventTarget {
  #wire;
  #history = new History();
  #recording = new Recording();
  #speech;
  #responses;
  #answers;
  #watch;
  #live = false;
  #connected = false;
  #everConnected = false;
  #ticking = 0;
  #problem = null;
  #lastState = "";

  constructor({ url, token, model, voice, instructions, turnDetection = semantic(), suppresses = false, name = "voicechat" } = {}) {
    super();
    Object.assign(this, { token, model, voice, instructions, turnDetection, name });
    this.base = url ?? ownAddress();
    this.#wire = new Wire(this.#address(), token);
    this.#wire.addEventListener("open", ({ detail }) => this.#opened(detail.session));
    this.#wire.addEventListener("message", ({ detail }) => this.#receive(detail));
    this.#wire.addEventListener("lost", ({ detail }) => this.#lost(detail));
    this.#responses = new Responses(this.#wire);
    const shared = { history: this.#history, recording: this.#recording, oncaption: (...told) => this.#caption(...told) };
    this.#speech = new Speech({
      ...shared,
      wire: this.#wire,
      suppresses,
      onchange: () => this.#refresh(true),
      onproblem: (problem) => problem.kind !== this.#problem && this.#fail(problem),
    });
    this.#answers = new Answers({
      ...shared,
      send: (event) => this.#connected && this.#wire.send(event),
      onturn: (turn) => this.#emit("turn", turn),
      onchange: () => this.#sounds(),
      onsound: () => this.wake(),
    });
    this.#watch = new SoundWatch({
      resume: () => this.#resume(),
      onblocked: () => this.#problem !== "audio-tap-needed" && this.#fail(new Problem("audio-tap-needed")),
      onrunning: () => this.#solve("audio-tap-needed"),
    });
  }

  // ---- for the page -----------------------------------------------------------------------------

  /** Call it from a tap or a key. Resolves when everything that can be opened is; what cannot is told as a `problem`. */
  async start({ microphone = true } = {}) {
    if (!window.isSecureContext) return this.#fail(new Problem("insecure-origin"));
    if (this.#problem && this.#problem !== "audio-tap-needed") this.#solve(this.#problem);
    const sound = this.#answers.player.resume(); // before any await: the tap counts only now
    if (!this.#live) {
      this.#live = true;
      this.#watch.start();
      this.#ticking = setInterval(() => this.#tick(), 33);
      this.#wire.open();
    }
    this.#refresh();
    if (microphone) await this.#speech.microphone.start().catch((problem) => this.#fail(problem));
    await sound.then(() => this.wake(), (problem) => this.#fail(problem));
    this.#refresh(true);
  }

  /** Leave. What was said is kept: start() goes on with it. */
  stop() {
    this.#leave();
    this.#responses.forget();
  }

  /** Now and then, where nobody looks after the page: sound that was stopped goes on. */
  wake() {
    return this.#watch.look();
  }

  /** Muted, silence is sent, so that a turn that was begun still ends. */
  setMuted(muted) {
    this.#speech.mute(muted);
    this.#refresh(true);
  }

  /** Whether the browser takes background noise away, and with it music and sounds. */
  suppress(noise) {
    return this.#speech.microphone.suppress(noise);
  }

  /** The microphone is only sent between pressTalk() and releaseTalk(). */
  setPushToTalk(on) {
    if (on === this.pushToTalk) return;
    this.#speech.push(on);
    this.#configure();
    this.#refresh(true);
  }

  async pressTalk() {
    if (!this.#speech.press()) return;
    this.#refresh();
    await this.interrupt();
  }

  async releaseTalk() {
    const question = await this.#speech.release();
    if (question) this.#responses.ask(question);
    this.#refresh();
  }

  /** A typed turn; "" asks about the clips that are attached. Before there is a connection it waits for one. Throws Problem. */
  say(text) {
    if (!/[^\p{Z}\p{C}]/u.test(text)) {
      if (!this.#history.attached) throw new Problem("typed");
      text = "";
    }
    if (text.length > LONGEST_TEXT) {
      const message = `The text has ${text.length.toLocaleString("en")} characters.`;
      throw new Problem("typed", "", message, `At most ${LONGEST_TEXT.toLocaleString("en")} can be sent: shorten it.`);
    }
    this.#emit("solved", { kind: "typed" });
    return this.#say(text);
  }

  async #say(text) {
    const question = { from: performance.now(), typed: true };
    if (text) {
      const item = this.#history.add(newId(), "user", { text, ours: true });
      this.#caption({ role: "user", id: item.id, text, final: true, typed: true });
      if (this.#connected) this.#wire.send(creation(item)); // at once: a connection that opens later replays it
    }
    await this.interrupt();
    this.#responses.ask(question);
    this.#refresh();
  }

  /** A clip that the next question is about: a file or an AudioBuffer -> {id, name, seconds, peaks}. Throws Problem. */
  async attach(sound, name = sound.name ?? "clip") {
    const samples = await decode(sound, name);
    const seconds = samples.length / RATE;
    if (seconds > LONGEST_CLIP_S) {
      const message = `${name} lasts ${Math.round(seconds)} s.`;
      throw new Problem("clip", "", message, `Attach at most ${LONGEST_CLIP_S / 60} minutes: cut it first.`);
    }
    const item = this.#history.add(newId(), "user", { audio: toBase64(samples), clip: true, name, ours: true });
    const clip = { id: item.id, name, seconds, peaks: peaks(samples) };
    this.#recording.note(item.id, { role: "user", clip: name, seconds });
    if (this.#connected) this.#wire.send(creation(item));
    this.#emit("clip", clip);
    return clip;
  }

  /** Stop the answer, at once. */
  async interrupt() {
    this.#responses.cancel();
    await this.#silence();
    this.#refresh();
  }

  /** Forget everything; a conversation that runs goes on with a fresh session. */
  reset() {
    for (const part of [this.#history, this.#recording]) part.clear();
    for (const part of [this.#answers, this.#speech, this.#responses]) part.reset();
    this.#everConnected = false;
    this.#emit("reset");
    if (this.#live) {
      this.#disconnected();
      this.#wire.close(true);
    }
    this.#refresh();
  }

  /** Another voice or other instructions count from the next answer; another model, or token, means a new connection. */
  update({ voice = this.voice, model = this.model, instructions = this.instructions, turnDetection = this.turnDetection,
    token = this.token }) {
    const reconnect = model !== this.model || token !== this.token;
    Object.assign(this, { voice, model, instructions, turnDetection, token });
    Object.assign(this.#wire, { url: this.#address(), token });
    if (!reconnect) return this.#configure();
    if (this.#live) {
      this.#silence();
      this.#disconnected();
      this.#wire.close(true);
      this.#refresh();
    }
  }

  /** {wav: Blob, json: Blob}: left the user, right the answer as it was heard; the transcript with its times. */
  record() {
    const { name, model, voice, instructions } = this;
    const { wav, json } = this.#recording.save({ name, model, voice, instructions, turns: this.#answers.turns });
    return { wav, json: new Blob([JSON.stringify(json, null, 2)], { type: "application/json" }) };
  }

  /** The latest 1024 samples, for drawing; kind: "user" or "answer". */
  scope(kind) {
    return kind === "user" ? this.#speech.microphone.scope : this.#answers.player.scope;
  }

  /** The last minute of the answer as it sounded: {samples, rate, end}; see Player. */
  get heard() {
    return this.#answers.player.heard;
  }

  get state() {
    if (!this.#live) return "off";
    if (!this.#connected) return this.#everConnected ? "reconnecting" : "connecting";
    if (this.#speech.hearing || this.#answers.held) return "hearing";
    if (this.#answers.sounding) return "speaking";
    return this.#responses.due ? "thinking" : "listening";
  }

  /** Whether a microphone is open. */
  get microphone() {
    return this.#speech.microphone.open;
  }
  get muted() {
    return this.#speech.muted;
  }
  get pushToTalk() {
    return this.#speech.pushToTalk;
  }
  /** Whether there is an answer to interrupt. */
  get answering() {
    return this.#answers.sounding || this.state === "thinking";
  }

  // ---- connection -------------------------------------------------------------------------------

  #address() {
    const url = new URL(this.base, location.href);
    url.searchParams.set("extras", "1");
    if (this.model) url.searchParams.set("model", this.model);
    return url.href;
  }

  #opened(session) {
    this.#speech.connected();
    this.#answers.renumber();
    this.#configure();
    for (const event of this.#history.replay()) this.#wire.send(event);
    this.#speech.goOn();
    this.#connected = true;
    const again = this.#everConnected;
    this.#everConnected = true;
    for (const kind of ["offline", "origin", "stopped", "server-full", "lagging", "idle", "token"]) this.#solve(kind);
    this.#emit("connected", { session, again });
    if (this.#history.open) this.#responses.askAgain();
    else this.#responses.forget();
    this.#refresh();
  }

  #configure() {
    if (!this.#wire.ready) return;
    const session = { type: "realtime" };
    const detection = this.pushToTalk ? null : this.turnDetection;
    session.audio = { input: { turn_detection: detection, transcription: { model: "whisper-1" } } };
    if (this.voice) session.audio.output = { voice: this.voice };
    if (this.instructions !== undefined) session.instructions = this.instructions;
    this.#wire.send({ type: "session.update", session });
  }

  #lost({ problem, again }) {
    const wasConnected = this.#connected;
    this.#disconnected();
    if (!again) {
      this.#leave();
      this.#fail(problem);
    } else if ((!wasConnected || problem.kind === "server-full") && this.#problem !== problem.kind) {
      this.#fail(problem); // once; and not a first loss, which usually heals at once: the state says it
    }
    this.#refresh();
  }

  #leave() {
    if (!this.#live) return;
    this.#live = false;
    clearInterval(this.#ticking);
    this.#watch.stop();
    this.#silence();
    this.#wire.close();
    this.#disconnected();
    this.#speech.leave();
    this.#speech.microphone.stop();
    this.#refresh(true);
  }

  #disconnected() {
    for (const item of this.#responses.lost((item) => this.#answers.hasSounded(item))) this.#answers.finish(item);
    this.#answers.goOn(); // what has come of it is played to its end
    this.#speech.disconnected();
    if (this.#connected) this.#emit("disconnected");
    this.#connected = false;
  }

  // ---- what the server tells --------------------------------------------------------------------

  #receive(event) {
    if (this.#responses.refuses(event)) return;
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        return this.#speechStarted(event);
      case "input_audio_buffer.speech_stopped":
        return this.#speechStopped(event);
      case "conversation.item.added":
        return this.#speech.added(event.item);
      case "conversation.item.deleted":
        return this.#withdrawn(event.item_id);
      case "conversation.item.input_audio_transcription.completed":
        return this.#speech.transcribed(event.item_id, event.transcript);
      case "response.created":
        return this.#responding(event.response);
      case "response.output_item.added":
        return this.#answering(event.item);
      case "response.output_audio_transcript.delta":
        return this.#answers.words(event.item_id, event.delta);
      case "response.output_text.delta":
        return this.#answers.text(event.item_id, event.delta);
      case "response.output_audio.delta":
        return this.#answers.sound(event.item_id, fromBase64(event.delta));
      case "response.output_audio.done":
        return this.#answers.finish(event.item_id);
      case "response.done":
        return this.#responded(event.response);
      case "voicechat.event":
        return this.#told(event);
      case "error":
        return this.#complained(event.error);
    }
  }

  #speechStarted(event) {
    this.#responses.settle();
    if (this.turnDetection.interrupt_response !== false) this.#silence();
    this.#speech.started(event);
    this.#refresh();
  }

  #speechStopped(event) {
    this.#responses.found(this.#speech.stopped(event), this.turnDetection.create_response);
    this.#refresh();
  }

  /** It goes on, or there was nothing in it to answer; what was typed or attached cannot be answered. */
  #withdrawn(id) {
    const { ours, text, clip = false } = this.#history.items.get(id) ?? {};
    this.#responses.settle();
    this.#speech.withdrawn(id);
    if (ours) this.#emit("returned", { id, text, clip });
    this.#refresh();
  }

  #responding({ id }) {
    this.#responses.created(id);
    this.#refresh();
  }

  #answering({ id, role }) {
    const question = role === "assistant" ? this.#responses.take(id) : null;
    if (question) this.#answers.begin(id, question);
  }

  #responded({ id, status, status_details }) {
    for (const item of this.#responses.done(id)) this.#answers.complete(item, status === "cancelled");
    if (status === "failed") this.#fail(said("model", status_details?.error?.message ?? "the answer failed"));
    else if (status === "completed") this.#solve("model");
    this.#responses.askAgain();
    this.#refresh();
  }

  async #silence() {
    this.#responses.refuse();
    await this.#answers.silence();
  }

  /** Events of the conversation's core, which say more than the protocol does. */
  #told({ event }) {
    if (event.type === "speech_paused") this.#speech.paused(event.at_s);
    this.#answers.told(event);
  }

  #complained({ code, message, event_id }) {
    if (HARMLESS.has(code) || event_id?.startsWith("truncate_")) return;
    if (event_id?.startsWith(CREATION)) {
      this.#responses.cancel();
      this.#withdrawn(event_id.slice(CREATION.length));
    }
    if (this.#wire.ready) this.#fail(Object.assign(said("model", message), { detail: code ?? "" }));
  }

  // ---- telling the page -------------------------------------------------------------------------

  #caption(detail, at) {
    const { role, id, text, interrupted = false, typed, unheard, removed } = detail;
    const line = { role, text, ...(typed && { typed }), ...(interrupted && { interrupted, unheard }) };
    if (removed) this.#recording.forget(id);
    else this.#recording.note(id, line, at);
    this.#emit("caption", { interrupted, unheard: "", removed: false, typed: false, ...detail });
  }

  #sounds() {
    if (this.#answers.sounding) this.#responses.settle();
    this.#refresh();
  }

  #fail(problem) {
    this.#problem = problem.kind;
    this.#emit("problem", problem.event);
    this.#refresh(true);
  }

  #solve(kind) {
    if (this.#problem !== kind) return;
    this.#problem = null;
    this.#emit("solved", { kind });
  }

  #refresh(always = false) {
    const { state, microphone, muted, pushToTalk } = this;
    if (state === this.#lastState && !always) return;
    this.#lastState = state;
    this.#emit("state", { state, microphone, muted, pushToTalk });
  }

  #tick() {
    this.#answers.tick();
    const { microphone, open } = this.#speech;
    this.#emit("levels", { user: open ? microphone.level : 0, answer: this.#answers.player.level });
    this.#refresh();
  }

  /** -> whether there is sound. */
  #resume() {
    this.#speech.microphone.resume();
    return this.#answers.player.resume().catch(() => true);
  }

  #emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** For tests and the curious: window.voicechat = {conversation, heard, ...more}. */
export function expose(conversation, more = {}) {
  window.voicechat = {
    conversation,
    get heard() {
      return conversation.heard;
    },
    ...more,
  };
}
