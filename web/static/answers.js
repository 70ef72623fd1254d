// The answers: their words and sound as they come, what has been heard of them, and what the server is told of that.

import { Caption } from "./captions.js";
import { Player } from "./sound.js";

const REPORT_MS = 150;
const LONGEST_YIELD_MS = 5000; // the server has decided long before

/**
 * send(event); oncaption(detail, at?), onturn(detail): as the conversation tells them; onchange(): something else sounds, or nothing,
 * or it is held, or goes on; onsound(): the loudspeaker runs, or does not.
 */
export class Answers {
  #player;
  #captions = new Map(); // item -> Caption
  #turns = new Map(); // item -> {id, n, from, typed, at, gain, timing, interrupted}
  #numbers = new Map(); // the server's number of a turn -> item
  #unwanted = new Set(); // items that were interrupted or withdrawn: what still comes of them is not played
  #count = 0; // turns that sounded
  #sounding = null; // item
  #gain = 1; // of what sounds
  #yieldedAt = 0; // performance.now() of the last change of it
  #reported = 0;

  constructor({ history, recording, send, oncaption, onturn, onchange, onsound }) {
    Object.assign(this, { history, recording, send, oncaption, onturn, onchange });
    this.#player = new Player({
      onstarted: (item, at) => this.#started(item, at),
      onprogress: (item, ms) => this.#progress(item, ms),
      onheld: (item, ms) => this.#report(item, ms),
      onended: (item) => this.#ended(item),
      onrendered: (samples, at) => this.recording.write(this.recording.answer, samples, at),
      onstate: onsound,
    });
  }

  get player() {
    return this.#player;
  }
  get sounding() {
    return this.#sounding !== null;
  }
  /** The user may be interrupting: it is silent, and what is left of it is kept. */
  get held() {
    return this.#gain === 0;
  }
  /** Of those that sounded, as `turn` tells them. */
  get turns() {
    return [...this.#turns.values()].filter((turn) => turn.n).map((turn) => this.#describe(turn));
  }
  hasSounded(item) {
    return Boolean(this.#turns.get(item)?.n);
  }

  // ---- what comes -------------------------------------------------------------------------------

  /** question: {from: performance.now() of its end, typed} */
  begin(item, question) {
    this.history.add(item, "assistant");
    this.#captions.set(item, new Caption());
    this.#turns.set(item, { id: item, ...question });
  }

  /** Words that end in the sound that follows. */
  words(item, delta) {
    this.#captions.get(item)?.text(delta);
  }

  sound(item, samples) {
    if (this.#unwanted.has(item)) return;
    this.#captions.get(item)?.sound(samples.length);
    this.#player.play(item, samples);
  }

  /** Of an answer that is only read. */
  text(item, delta) {
    const known = this.history.add(item, "assistant");
    known.text += delta;
    this.oncaption({ role: "assistant", id: item, text: known.text, final: false });
  }

  /** No more sound of it comes. */
  finish(item) {
    this.#player.finish(item);
  }

  /** Nothing more of it comes. */
  complete(item, cancelled) {
    this.finish(item);
    if (cancelled && this.held && item === this.#sounding) this.silence();
    const text = this.history.items.get(item)?.text;
    if (text && !this.#captions.get(item)?.all) this.oncaption({ role: "assistant", id: item, text, final: true });
  }

  /** An event of the conversation's core. */
  told(event) {
    if (event.type === "turn_started") this.#numbers.set(event.turn, event.answer);
    const item = this.#numbers.get(event.turn);
    if (event.type === "text_delta" && this.#captions.has(item)) this.#captions.get(item).written += event.text;
    const turn = this.#turns.get(item);
    if (turn === undefined) return;
    if (event.type === "yielded") {
      turn.gain = event.gain; // where its first sound is still on its way to the loudspeaker
      if (item === this.#sounding) this.#yield(event.gain);
    } else if (event.type === "interrupted") {
      this.#unwanted.add(item);
      if (item === this.#sounding || !turn.n) this.silence();
    } else if (event.type === "withdrawn") {
      this.#unwanted.add(item);
      this.#withdraw(item);
    } else if (event.type === "turn_ended") {
      turn.timing = event.timing;
      this.#tell(turn);
    }
  }

  // ---- what sounds ------------------------------------------------------------------------------

  #started(item, at) {
    this.#sounds(item);
    this.#reported = 0;
    const turn = this.#turns.get(item);
    if (turn) {
      turn.n = ++this.#count;
      turn.at = at;
    }
    this.oncaption({ role: "assistant", id: item, text: this.#captions.get(item)?.shown(0) ?? "", final: false }, at);
    if (turn) this.#tell(turn);
    if (turn?.gain !== undefined) this.#yield(turn.gain);
    this.onchange();
  }

  #progress(item, ms) {
    if (item !== this.#sounding) return;
    const text = this.#captions.get(item)?.shown(ms) ?? "";
    if (text !== this.recording.line(item)?.text) this.oncaption({ role: "assistant", id: item, text, final: false });
    if (performance.now() - this.#reported > REPORT_MS) this.#report(item, ms);
  }

  #ended(item) {
    this.#report(item, this.#player.playedMs(item));
    if (item === this.#sounding) this.#sounds(null);
    this.#settle(item, this.#captions.get(item)?.all ?? "");
    this.onchange();
  }

  #report(item, ms) {
    this.#reported = performance.now();
    this.send({ type: "voicechat.played", item_id: item, audio_ms: Math.round(ms) });
  }

  /** `null`: nothing. Whatever begins has its full sound. */
  #sounds(item) {
    this.#sounding = item;
    this.#gain = 1;
  }

  // ---- yielding to the user ---------------------------------------------------------------------

  /** Softer, for the user may be about to speak; at 0 held; at 1 as it was: the user had nothing to say to it. */
  #yield(gain) {
    this.#player.gain(this.#sounding, gain);
    this.#gain = gain;
    this.#yieldedAt = performance.now();
    this.onchange();
  }

  /** Nobody is there to say whether it was an interruption. */
  goOn() {
    if (this.#gain !== 1) this.#yield(1);
  }

  /** Now and then: no answer is held for ever. */
  tick() {
    if (performance.now() - this.#yieldedAt > LONGEST_YIELD_MS) this.goOn();
  }

  /** Silence first; then tell the server exactly what had been heard. */
  async silence() {
    const captions = this.#captions;
    const { itemId, playedMs, dropped } = await this.#player.clear();
    if (itemId === null && !dropped.length) return;
    if (this.#captions !== captions) return; // all of it has been forgotten meanwhile
    for (const item of [itemId, ...dropped]) this.#unwanted.add(item); // what was cut stays cut
    if (itemId !== null) {
      if (itemId === this.#sounding) this.#sounds(null);
      this.#truncate(itemId, playedMs);
      const turn = this.#turns.get(itemId);
      if (turn) {
        turn.interrupted = true;
        this.#tell(turn);
      }
      this.#settle(itemId, this.#captions.get(itemId)?.heard(playedMs) ?? "", true);
    }
    for (const item of dropped) {
      this.#truncate(item, 0);
      this.history.remove(item);
    }
    this.onchange();
  }

  /** It was begun too early, and the question goes on: no word of it counts, even if its beginning was heard. */
  async #withdraw(item) {
    const captions = this.#captions;
    await this.silence();
    if (this.#captions !== captions) return;
    if (this.hasSounded(item)) this.oncaption({ role: "assistant", id: item, text: "", final: true, removed: true });
    this.#turns.delete(item);
    this.history.remove(item);
    this.onchange();
  }

  #truncate(item, ms) {
    const event_id = `truncate_${item}`;
    const audio_end_ms = Math.round(ms);
    this.send({ type: "conversation.item.truncate", event_id, item_id: item, content_index: 0, audio_end_ms });
  }

  /** It has sounded, as far as it did. */
  #settle(item, text, interrupted = false) {
    const unheard = interrupted ? (this.#captions.get(item)?.unheard(text) ?? "") : "";
    this.history.add(item, "assistant").text = text;
    this.oncaption({ role: "assistant", id: item, text, final: true, interrupted, unheard });
    this.recording.end(item);
  }

  // ---- all of them ------------------------------------------------------------------------------

  /** The server of a new connection numbers its turns anew. */
  renumber() {
    this.#numbers.clear();
  }

  reset() {
    this.#player.clear();
    this.#captions = new Map();
    this.#turns.clear();
    this.#numbers.clear();
    this.#unwanted.clear();
    this.#count = 0;
    this.#sounds(null);
  }

  #describe({ n, id, typed = false, timing = null, interrupted = false, from, at }) {
    const voice_to_voice_ms = from === undefined || at === undefined ? null : Math.round(at - from);
    return { n, id, typed, voice_to_voice_ms, timing, interrupted };
  }

  #tell(turn) {
    if (turn.n) this.onturn(this.#describe(turn));
  }
}
