// One live conversation over the wire, for whatever page shows it.
//
// Events, all CustomEvent; `detail`:
//   state        {state, microphone, muted, pushToTalk}   state: off connecting listening hearing thinking speaking reconnecting
//   caption      {role, id, text, final, interrupted, unheard, removed, typed}   again whenever it changes; `unheard`: what an
//                interruption kept from being said; `removed`: the question was taken back, forget the caption
//   clip         {id, name, seconds, peaks}   a clip was attached
//   turn         {n, id, typed, voice_to_voice_ms, timing, interrupted}   again whenever more is known; id: of the answer
//   levels       {user, answer}   0..1, thirty times a second
//   problem      {kind, message, remedy, detail};  solved {kind}
//   connected    {session, again};  disconnected {};  reset {}

import { Caption } from "./captions.js";
import { creation, History, newId } from "./history.js";
import { decode, fromBase64, peaks, RATE, toBase64 } from "./pcm.js";
import { Problem } from "./problems.js";
import { Recording } from "./recording.js";
import { SentAudio } from "./sent.js";
import { Microphone, Player } from "./sound.js";
import { ownAddress, Wire } from "./wire.js";

const LONGEST_CLIP_S = 240; // 15 MiB of base64 are taken by the server
const TALK_TAIL_MS = 120; // what was said before the key came up is still on its way from the microphone
const SHORTEST_TALK_MS = 200;
const REPORT_MS = 150;
const LAGGING = 2.5 * RATE * 2 * 1.37; // bytes: two and a half seconds of sound that wait for the network
const PATIENCE_MS = 10000; // for a response to begin
const HARMLESS = new Set([
  "response_cancel_not_active",
  "input_audio_buffer_commit_empty",
  "conversation_already_has_active_response",
]);

export class Conversation extends EventTarget {
  #wire;
  #player;
  #microphone;
  #history = new History();
  #recording = new Recording();
  #captions = new Map(); // assistant item -> Caption
  #lines = new Map(); // item -> what the transcript says of it
  #turns = new Map(); // assistant item -> turn
  #numbers = new Map(); // the server's number of a turn -> assistant item
  #count = 0; // turns that sounded
  #sent = new SentAudio();
  #live = false;
  #connected = false;
  #everConnected = false;
  #hearing = false;
  #awaiting = 0; // performance.now() since when an answer is due
  #sounding = null; // item
  #response = null; // {id, items}
  #cancelled = new Set(); // responses whose sound is not wanted any more
  #voiceEndMs = null; // on the server's audio clock, where it tells
  #unwritten = new Set(); // spoken items whose words have not come yet
  #question = null; // {from: performance.now() of its end, typed}: the next response answers it
  #askAgain = false; // once connected, or once the cancelled response is done
  #talking = 0;
  #reported = 0;
  #ticking = 0;
  #problem = null;
  #usual = null; // the server's own turn detection
  #lastState = "";

  constructor({ url, token, model, voice, instructions, turnDetection, name = "voicechat" } = {}) {
    super();
    Object.assign(this, { token, model, voice, instructions, turnDetection, name, pushToTalk: false, muted: false });
    this.base = url ?? ownAddress();
    this.#wire = new Wire(this.#address(), token);
    this.#wire.addEventListener("open", ({ detail }) => this.#opened(detail.session));
    this.#wire.addEventListener("message", ({ detail }) => this.#receive(detail));
    this.#wire.addEventListener("lost", ({ detail }) => this.#lost(detail));
    this.#player = new Player({
      onstarted: (item, at) => this.#started(item, at),
      onprogress: (item, ms) => this.#progress(item, ms),
      onended: (item) => this.#ended(item),
      onrendered: (samples, at) => this.#recording.write(this.#recording.answer, samples, at),
      onstate: () => this.#watchSound(),
    });
    this.#microphone = new Microphone({
      onblock: (block) => this.#say(block),
      onchange: () => this.#refresh(true),
      onproblem: (problem) => this.#fail(problem),
    });
    this.wake = () => document.visibilityState === "visible" && this.#watchSound();
    this.tap = () => this.#resume();
  }

  // ---- for the page -----------------------------------------------------------------------------

  /** Call it from a tap or a key. Resolves when everything that can be opened is; what cannot is told as a `problem`. */
  async start({ microphone = true } = {}) {
    if (!window.isSecureContext) return this.#fail(new Problem("insecure-origin"));
    if (this.#problem && this.#problem !== "audio-tap-needed") this.#solve(this.#problem);
    const sound = this.#player.resume(); // before any await: the tap counts only now
    if (!this.#live) {
      this.#live = true;
      document.addEventListener("visibilitychange", this.wake);
      this.#ticking = setInterval(() => this.#tick(), 33);
      this.#wire.open();
    }
    this.#refresh();
    if (microphone) await this.#microphone.start().catch((problem) => this.#fail(problem));
    await sound.then(() => this.#watchSound(), (problem) => this.#fail(problem));
    this.#refresh(true);
  }

  /** Leave. What was said is kept: start() goes on with it. */
  stop() {
    this.#leave();
    this.#askAgain = false;
  }

  /** Muted, silence is sent, so that a turn that was begun still ends. */
  setMuted(muted) {
    this.muted = muted;
    this.#microphone.mute(muted);
    this.#refresh(true);
  }

  /** The microphone is only sent between pressTalk() and releaseTalk(). */
  setPushToTalk(on) {
    if (on === this.pushToTalk) return;
    this.pushToTalk = on;
    this.#talking = 0;
    this.#hearing = false;
    this.#configure();
    if (!on) this.#wire.send({ type: "input_audio_buffer.clear" });
    this.#refresh(true);
  }

  async pressTalk() {
    if (!this.pushToTalk || this.#talking || !this.#wire.ready) return;
    this.#talking = performance.now();
    this.#hearing = true;
    this.#wire.send({ type: "input_audio_buffer.clear" });
    this.#refresh();
    await this.interrupt();
  }

  async releaseTalk() {
    if (!this.#talking) return;
    const short = performance.now() - this.#talking < SHORTEST_TALK_MS;
    const from = performance.now();
    await new Promise((resolve) => setTimeout(resolve, TALK_TAIL_MS));
    this.#talking = 0;
    this.#hearing = false;
    if (short) {
      this.#wire.send({ type: "input_audio_buffer.clear" });
    } else {
      this.#wire.send({ type: "input_audio_buffer.commit" });
      this.#ask({ from, typed: false });
    }
    this.#refresh();
  }

  /** A typed turn. Before there is a connection it waits for one. */
  async say(text) {
    const item = this.#history.add(newId(), "user", { text });
    this.#caption({ role: "user", id: item.id, text, final: true, typed: true });
    const question = { from: performance.now(), typed: true };
    if (this.#connected) this.#wire.send(creation(item)); // at once: a connection that opens later replays it
    await this.interrupt();
    this.#ask(question);
    this.#refresh();
  }

  /** A clip that the next question is about: a file or an AudioBuffer -> {id, name, seconds, peaks}. Throws Problem. */
  async attach(sound, name = sound.name ?? "clip") {
    const samples = await decode(sound).catch((error) => {
      throw new Problem("clip", error.message, `${name} could not be read as sound.`);
    });
    const seconds = samples.length / RATE;
    if (seconds > LONGEST_CLIP_S) {
      const message = `${name} lasts ${Math.round(seconds)} s.`;
      throw new Problem("clip", "", message, `Attach at most ${LONGEST_CLIP_S / 60} minutes: cut it first.`);
    }
    const item = this.#history.add(newId(), "user", { audio: toBase64(samples), clip: true, name });
    const clip = { id: item.id, name, seconds, peaks: peaks(samples) };
    this.#lines.set(item.id, { role: "user", clip: name, seconds, start_s: this.#recording.seconds() });
    if (this.#connected) this.#wire.send(creation(item));
    this.#emit("clip", clip);
    return clip;
  }

  /** Stop the answer, at once. */
  async interrupt() {
    if (this.#response && !this.#cancelled.has(this.#response.id)) this.#wire.send({ type: "response.cancel" });
    this.#awaiting = 0;
    await this.#silence();
    this.#refresh();
  }

  /** Forget everything; a conversation that runs goes on with a fresh session. */
  reset() {
    this.#player.clear();
    this.#history = new History();
    this.#recording.clear();
    for (const kept of [this.#captions, this.#lines, this.#turns, this.#cancelled, this.#unwritten]) kept.clear();
    this.#sounding = this.#response = this.#question = null;
    this.#awaiting = this.#count = 0;
    this.#hearing = this.#askAgain = this.#everConnected = false;
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
    const turns = [...this.#turns.values()].filter((turn) => turn.n).map((turn) => this.#describe(turn));
    const { name, model, voice, instructions } = this;
    const about = { name, model, voice, instructions, turns };
    const { wav, json } = this.#recording.save([...this.#lines.values()], about);
    return { wav, json: new Blob([JSON.stringify(json, null, 2)], { type: "application/json" }) };
  }

  /** The latest 1024 samples, for drawing; kind: "user" or "answer". */
  scope(kind) {
    return kind === "user" ? this.#microphone.scope : this.#player.scope;
  }

  /** The last minute of the answer as it sounded: {samples, rate, end}; see Player. */
  get heard() {
    return this.#player.heard;
  }

  get state() {
    if (!this.#live) return "off";
    if (!this.#connected) return this.#everConnected ? "reconnecting" : "connecting";
    if (this.#hearing) return "hearing";
    if (this.#sounding !== null) return "speaking";
    const due = this.#awaiting && (this.#response || performance.now() - this.#awaiting < PATIENCE_MS);
    return due ? "thinking" : "listening";
  }

  /** Whether a microphone is open. */
  get microphone() {
    return this.#microphone.open;
  }

  // ---- connection -------------------------------------------------------------------------------

  #address() {
    const url = new URL(this.base, location.href);
    url.searchParams.set("extras", "1");
    if (this.model) url.searchParams.set("model", this.model);
    return url.href;
  }

  #opened(session) {
    this.#usual ??= session?.audio?.input?.turn_detection ?? { type: "server_vad" };
    this.#sent = new SentAudio();
    this.#numbers.clear();
    this.#configure();
    for (const event of this.#history.replay()) this.#wire.send(event);
    this.#connected = true;
    const again = this.#everConnected;
    this.#everConnected = true;
    for (const kind of ["offline", "stopped", "server-full", "lagging", "idle", "token"]) this.#solve(kind);
    this.#emit("connected", { session, again });
    if (this.#askAgain && this.#history.open) this.#ask(this.#question);
    this.#askAgain = false;
    this.#refresh();
  }

  #configure() {
    if (!this.#wire.ready) return;
    const session = { type: "realtime" };
    const detection = this.pushToTalk ? null : (this.turnDetection ?? this.#usual);
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
    document.removeEventListener("visibilitychange", this.wake);
    this.#silence();
    this.#wire.close();
    this.#disconnected();
    this.#microphone.stop();
    this.#refresh(true);
  }

  #disconnected() {
    if (this.#response) for (const item of this.#response.items) this.#player.finish(item);
    const unheard = this.#response?.items.every((item) => !this.#turns.get(item)?.n);
    if (this.#awaiting || unheard) this.#askAgain = true;
    this.#response = null;
    this.#hearing = false;
    this.#awaiting = this.#talking = 0;
    for (const id of this.#unwritten) {
      if (this.#history.items.has(id)) this.#transcribed(id, "");
      else this.#withdrawn(id); // it was being said
    }
    if (this.#connected) this.#emit("disconnected");
    this.#connected = false;
  }

  // ---- sound that leaves ------------------------------------------------------------------------

  #say({ samples, at }) {
    this.#recording.write(this.#recording.user, samples, at);
    if (!this.#connected || (this.pushToTalk && !this.#talking)) return;
    if (this.#wire.backlog > LAGGING) {
      if (this.#problem !== "lagging") this.#fail(new Problem("lagging"));
      return;
    }
    this.#sent.add(samples.length, at);
    this.#wire.send({ type: "input_audio_buffer.append", audio: toBase64(samples) });
  }

  /** Ask for an answer to what has been said. */
  #ask(question) {
    this.#question = question;
    if (!this.#connected || this.#response) {
      this.#askAgain = true;
      return;
    }
    this.#awaiting = performance.now();
    this.#wire.send({ type: "response.create" });
  }

  // ---- what the server tells --------------------------------------------------------------------

  #receive(event) {
    const response = event.response_id;
    if (response && this.#cancelled.has(response) && event.type.endsWith(".delta")) return;
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        return this.#speechStarted(event);
      case "input_audio_buffer.speech_stopped":
        return this.#speechStopped(event);
      case "conversation.item.added":
        return this.#added(event.item);
      case "conversation.item.deleted":
        return this.#withdrawn(event.item_id);
      case "conversation.item.input_audio_transcription.completed":
        return this.#transcribed(event.item_id, event.transcript);
      case "response.created":
        return this.#responding(event.response.id);
      case "response.output_item.added":
        return this.#answering(event.item);
      case "response.output_audio_transcript.delta":
        return this.#captions.get(event.item_id)?.text(event.delta);
      case "response.output_text.delta":
        return this.#wrote(event.item_id, event.delta);
      case "response.output_audio.delta":
        return this.#sound(event.item_id, fromBase64(event.delta));
      case "response.output_audio.done":
        return this.#player.finish(event.item_id);
      case "response.done":
        return this.#responded(event.response);
      case "voicechat.event":
        return this.#told(event);
      case "error":
        return this.#complained(event.error);
    }
  }

  #speechStarted({ item_id, audio_start_ms }) {
    this.#hearing = true;
    this.#awaiting = 0;
    this.#voiceEndMs = null;
    this.#unwritten.add(item_id);
    const detection = this.turnDetection ?? this.#usual;
    if (detection?.interrupt_response !== false) this.#silence();
    this.#caption({ role: "user", id: item_id, text: "", final: false }, this.#sent.when(audio_start_ms));
    this.#refresh();
  }

  #speechStopped({ item_id, audio_end_ms }) {
    const from = this.#sent.when(this.#voiceEndMs ?? audio_end_ms);
    this.#hearing = false;
    this.#question = { from, typed: false };
    if ((this.turnDetection ?? this.#usual)?.create_response !== false) this.#awaiting = performance.now();
    const line = this.#lines.get(item_id);
    if (line) line.end_s = this.#recording.seconds(from);
    this.#refresh();
  }

  /** A question by voice has been taken in; its words come later. */
  #added({ id, role }) {
    if (role !== "user" || this.#history.items.has(id)) return;
    this.#history.add(id, "user");
    if (this.#lines.has(id)) return;
    this.#unwritten.add(id);
    this.#caption({ role, id, text: "", final: false });
  }

  #withdrawn(id) {
    this.#history.remove(id);
    this.#unwritten.delete(id);
    this.#lines.delete(id);
    this.#emit("caption", { role: "user", id, text: "", final: true, removed: true });
  }

  #transcribed(id, text) {
    this.#unwritten.delete(id);
    this.#history.add(id, "user").text = text;
    this.#caption({ role: "user", id, text, final: true });
  }

  #responding(id) {
    this.#response = { id, items: [] };
    this.#refresh();
  }

  #answering(item) {
    if (item.role !== "assistant" || !this.#response) return;
    this.#response.items.push(item.id);
    this.#history.add(item.id, "assistant");
    this.#captions.set(item.id, new Caption());
    this.#turns.set(item.id, { id: item.id, response: this.#response.id, ...this.#question });
    this.#question = null;
  }

  #sound(item, samples) {
    this.#captions.get(item)?.sound(samples.length);
    this.#player.play(item, samples);
  }

  /** An answer in text only. */
  #wrote(item, delta) {
    const known = this.#history.add(item, "assistant");
    known.text += delta;
    this.#caption({ role: "assistant", id: item, text: known.text, final: false });
  }

  #responded({ id, status, status_details }) {
    const items = this.#response?.id === id ? this.#response.items : [];
    for (const item of items) {
      this.#player.finish(item);
      const text = this.#history.items.get(item)?.text;
      if (text && !this.#captions.get(item)?.all) this.#caption({ role: "assistant", id: item, text, final: true });
    }
    if (this.#response?.id === id) this.#response = null;
    this.#cancelled.delete(id);
    this.#awaiting = 0;
    if (status === "failed") this.#fail(new Problem("model", "", status_details?.error?.message || undefined));
    else if (status === "completed") this.#solve("model");
    if (this.#askAgain && this.#connected) {
      this.#askAgain = false;
      this.#ask(this.#question);
    }
    this.#refresh();
  }

  /** Events of the conversation's core, which say more than the protocol does. */
  #told({ event }) {
    if (event.type === "speech_paused") this.#voiceEndMs = event.at_s * 1000;
    if (event.type === "turn_started") this.#numbers.set(event.turn, event.answer);
    const item = this.#numbers.get(event.turn);
    if (event.type === "text_delta" && this.#captions.has(item)) this.#captions.get(item).written += event.text;
    if (event.type === "turn_ended" && this.#turns.has(item)) {
      const turn = this.#turns.get(item);
      turn.timing = event.timing;
      this.#tellTurn(turn);
    }
  }

  #complained({ code, message, event_id }) {
    if (HARMLESS.has(code) || event_id?.startsWith("truncate_")) return;
    if (this.#wire.ready) this.#fail(new Problem("model", code ?? "", message, ""));
  }

  // ---- sound that arrives -----------------------------------------------------------------------

  #started(item, at) {
    this.#sounding = item;
    this.#awaiting = 0;
    this.#reported = 0;
    const turn = this.#turns.get(item);
    if (turn) {
      turn.n = ++this.#count;
      turn.at = at;
    }
    this.#caption({ role: "assistant", id: item, text: this.#captions.get(item)?.shown(0) ?? "", final: false }, at);
    if (turn) this.#tellTurn(turn);
    this.#refresh();
  }

  #progress(item, ms) {
    if (item !== this.#sounding) return;
    const text = this.#captions.get(item)?.shown(ms) ?? "";
    if (text !== this.#lines.get(item)?.text) this.#caption({ role: "assistant", id: item, text, final: false });
    if (performance.now() - this.#reported > REPORT_MS) this.#report(item, ms);
  }

  #ended(item) {
    this.#report(item, this.#player.playedMs(item));
    if (item === this.#sounding) this.#sounding = null;
    this.#settle(item, this.#captions.get(item)?.all ?? "");
    this.#refresh();
  }

  #report(item, ms) {
    this.#reported = performance.now();
    if (this.#connected) this.#wire.send({ type: "voicechat.played", item_id: item, audio_ms: Math.round(ms) });
  }

  /** Silence first; then tell the server exactly what had been heard. */
  async #silence() {
    if (this.#response) this.#cancelled.add(this.#response.id);
    const history = this.#history;
    const { itemId, playedMs, dropped } = await this.#player.clear();
    if (itemId === null && !dropped.length) return;
    if (this.#history !== history) return; // all of it has been forgotten meanwhile
    if (itemId !== null) {
      if (itemId === this.#sounding) this.#sounding = null;
      this.#truncate(itemId, playedMs);
      const turn = this.#turns.get(itemId);
      if (turn) {
        turn.interrupted = true;
        this.#tellTurn(turn);
      }
      const heard = this.#captions.get(itemId)?.heard(playedMs) ?? "";
      this.#settle(itemId, heard, true);
    }
    for (const item of dropped) {
      this.#truncate(item, 0);
      this.#history.remove(item);
    }
    this.#refresh();
  }

  #truncate(item, ms) {
    const event_id = `truncate_${item}`;
    const audio_end_ms = Math.round(ms);
    this.#wire.send({ type: "conversation.item.truncate", event_id, item_id: item, content_index: 0, audio_end_ms });
  }

  /** An answer has sounded, as far as it did. */
  #settle(item, text, interrupted = false) {
    const unheard = interrupted ? (this.#captions.get(item)?.unheard(text) ?? "") : "";
    this.#history.add(item, "assistant").text = text;
    this.#caption({ role: "assistant", id: item, text, final: true, interrupted, unheard });
    const line = this.#lines.get(item);
    if (line) line.end_s = this.#recording.seconds();
  }

  // ---- telling the page -------------------------------------------------------------------------

  #caption(detail, at = performance.now()) {
    const { role, id, text, interrupted = false, typed, unheard } = detail;
    const start_s = this.#lines.get(id)?.start_s ?? this.#recording.seconds(at);
    const line = { ...this.#lines.get(id), role, text, start_s };
    if (typed) line.typed = true;
    if (interrupted) Object.assign(line, { interrupted, unheard });
    this.#lines.set(id, line);
    this.#emit("caption", { interrupted, unheard: "", removed: false, typed: false, ...detail });
  }

  #describe(turn) {
    const { n, id, typed = false, timing = null, interrupted = false, from, at } = turn;
    const voice_to_voice_ms = from === undefined || at === undefined ? null : Math.round(at - from);
    return { n, id, typed, voice_to_voice_ms, timing, interrupted };
  }

  #tellTurn(turn) {
    if (turn.n) this.#emit("turn", this.#describe(turn));
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
    const heard = this.#connected && (!this.pushToTalk || this.#talking);
    this.#emit("levels", { user: heard ? this.#microphone.level : 0, answer: this.#player.level });
    this.#refresh();
  }

  /** Tabs that slept, calls that came in, and iOS stop the sound; some of them want a tap. */
  async #watchSound() {
    if (!this.#live || document.visibilityState !== "visible") return;
    if (await this.#resume()) return;
    if (!this.#live || this.#problem === "audio-tap-needed") return;
    for (const kind of ["pointerup", "keydown"]) document.addEventListener(kind, this.tap);
    this.#fail(new Problem("audio-tap-needed"));
  }

  async #resume() {
    if (!this.#live) return true;
    this.#microphone.resume();
    if (!(await this.#player.resume().catch(() => true))) return false;
    for (const kind of ["pointerup", "keydown"]) document.removeEventListener(kind, this.tap);
    this.#solve("audio-tap-needed");
    return true;
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
