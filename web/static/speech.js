// What the user says: from the microphone to the server, by voice or while a button is held, and what is found in it.

import { RATE, toBase64 } from "./pcm.js";
import { Problem } from "./problems.js";
import { SentAudio } from "./sent.js";
import { Microphone } from "./sound.js";

const TALK_TAIL_MS = 120; // what was said before the key came up is still on its way from the microphone
const SHORTEST_TALK_MS = 200;
const RUN_UP_MS = 300; // of a question that has to be said again: its first sound is soft
const KEPT_S = 60; // of what is said while there is no connection
const LAGGING = 2.5 * RATE * 2 * 1.37; // bytes: two and a half seconds of sound that wait for the network

/** oncaption(detail, at?): as the conversation tells them; onchange(): of the microphone; onproblem(Problem), some of them often. */
export class Speech {
  pushToTalk = false;
  muted = false;
  hearing = false; // somebody speaks
  #microphone;
  #sent = new SentAudio();
  #talking = 0; // performance.now() since when the button is held
  #voiceEndMs = null; // on the server's audio clock, where it tells
  #unwritten = new Map(); // spoken items whose words have not come yet: id -> {from, to}, ms on the server's audio clock
  #unheard = []; // blocks that the next connection is sent first: what was being said, and what was said meanwhile
  #lost = false; // the connection; another one is on its way

  constructor({ history, recording, wire, suppresses, oncaption, onchange, onproblem }) {
    Object.assign(this, { history, recording, wire, oncaption, onproblem });
    this.#microphone = new Microphone({ suppresses, onblock: (block) => this.#send(block), onchange, onproblem });
  }

  get microphone() {
    return this.#microphone;
  }
  /** Whether what the microphone hears counts. */
  get open() {
    return this.wire.ready && (!this.pushToTalk || this.#talking !== 0);
  }

  /** Muted, silence is sent, so that a turn that was begun still ends. */
  mute(muted) {
    this.muted = muted;
    this.#microphone.mute(muted);
  }

  #send({ samples, at }) {
    this.recording.write(this.recording.user, samples, at);
    if (this.#lost && !this.pushToTalk) this.#keep({ samples, at });
    if (!this.open) return;
    if (this.wire.backlog > LAGGING) return this.onproblem(new Problem("lagging"));
    this.#append({ samples, at });
  }

  #append({ samples, at }) {
    this.#sent.add(samples, at);
    this.wire.send({ type: "input_audio_buffer.append", audio: toBase64(samples) });
  }

  #keep(block) {
    this.#unheard.push(block);
    let length = this.#unheard.reduce((sum, { samples }) => sum + samples.length, 0);
    while (length > KEPT_S * RATE) length -= this.#unheard.shift().samples.length;
  }

  // ---- while a button is held -------------------------------------------------------------------

  push(on) {
    this.pushToTalk = on;
    this.#talking = 0;
    this.hearing = false;
    if (!on) this.#clear();
  }

  /** Whether it counts. */
  press() {
    if (!this.pushToTalk || this.#talking || !this.wire.ready) return false;
    this.#talking = performance.now();
    this.hearing = true;
    this.#clear();
    return true;
  }

  /** The question that has been asked, {from, typed}, or null. */
  async release() {
    if (!this.#talking) return null;
    const from = performance.now();
    const short = from - this.#talking < SHORTEST_TALK_MS;
    await new Promise((resolve) => setTimeout(resolve, TALK_TAIL_MS));
    this.#talking = 0;
    this.hearing = false;
    if (short) this.#clear();
    else this.wire.send({ type: "input_audio_buffer.commit" });
    return short ? null : { from, typed: false };
  }

  #clear() {
    this.wire.send({ type: "input_audio_buffer.clear" });
  }

  // ---- what the server finds --------------------------------------------------------------------

  /** While an answer sounds it is told late, once it is certain: its end may be known by then. */
  started({ item_id, audio_start_ms }) {
    this.hearing = true;
    if (this.#voiceEndMs < audio_start_ms) this.#voiceEndMs = null;
    this.#unwritten.set(item_id, { from: audio_start_ms });
    this.oncaption({ role: "user", id: item_id, text: "", final: false }, this.#sent.when(audio_start_ms));
  }

  paused(at_s) {
    this.#voiceEndMs = at_s * 1000;
  }

  /** The question that has been asked: {from, typed}. */
  stopped({ item_id, audio_end_ms }) {
    const from = this.#sent.when(this.#voiceEndMs ?? audio_end_ms);
    this.hearing = false;
    this.#unwritten.set(item_id, { ...this.#unwritten.get(item_id), to: audio_end_ms });
    this.recording.end(item_id, from);
    return { from, typed: false };
  }

  /** A question by voice has been taken in; its words come later. */
  added({ id, role }) {
    if (role !== "user" || this.history.items.has(id)) return;
    this.history.add(id, "user");
    if (this.recording.line(id)) return;
    this.#unwritten.set(id, {});
    this.oncaption({ role, id, text: "", final: false });
  }

  withdrawn(id) {
    this.history.remove(id);
    this.#unwritten.delete(id);
    this.oncaption({ role: "user", id, text: "", final: true, removed: true });
  }

  transcribed(id, text) {
    this.#unwritten.delete(id);
    const item = this.history.add(id, "user");
    item.text = text;
    if (text && !item.clip) delete item.audio; // the words stand for it
    this.oncaption({ role: "user", id, text, final: true });
  }

  // ---- connections ------------------------------------------------------------------------------

  /** To a server that has heard nothing yet. */
  connected() {
    this.#sent = new SentAudio();
    this.#voiceEndMs = null;
    this.#lost = false;
  }

  /** The conversation has been told: what has not been heard yet is sent, and what is being said goes on behind it. */
  goOn() {
    for (const block of this.#unheard.splice(0)) this.#append(block);
  }

  /** A question that was taken in is kept as sound until its words come; one that was being said is said again. */
  disconnected() {
    this.#talking = 0;
    this.hearing = false;
    this.#lost = true;
    for (const [id, { from, to }] of this.#unwritten) {
      const blocks = from === undefined ? [] : this.#sent.between(from - RUN_UP_MS, to);
      const item = this.history.items.get(id);
      if (!item) {
        this.withdrawn(id);
        if (!this.pushToTalk) blocks.forEach((block) => this.#keep(block));
      } else if (blocks.length) {
        item.audio = toBase64(joined(blocks));
        this.#unwritten.set(id, {}); // its place on the next connection is another
      } else if (!item.audio) {
        this.transcribed(id, "");
      }
    }
  }

  /** Nobody is there any more: what was being said is not said again. */
  leave() {
    this.#lost = false;
    this.#unheard = [];
  }

  reset() {
    this.hearing = false;
    this.#unwritten.clear();
    this.#unheard = [];
  }
}

function joined(blocks) {
  const whole = new Float32Array(blocks.reduce((sum, { samples }) => sum + samples.length, 0));
  let at = 0;
  for (const { samples } of blocks) {
    whole.set(samples, at);
    at += samples.length;
  }
  return whole;
}
