// An answer's words, each with the moment at which it is over.

import { RATE } from "./pcm.js";

const EAGER_MS = 150; // a word is shown while it is being said, not after

export class Caption {
  #words = []; // {text, until: ms of the item's sound}
  #silent = 0; // words at the end whose sound has not come yet
  #soundMs = 0;
  written = ""; // all that the model has written so far, which is ahead of the voice

  /** Words that end inside the sound that follows. */
  text(delta) {
    this.#words.push({ text: delta, until: this.#soundMs });
    this.#silent++;
  }

  sound(samples) {
    this.#soundMs += samples / (RATE / 1000);
    for (; this.#silent; this.#silent--) this.#words.at(-this.#silent).until = this.#soundMs;
  }

  /** The words that are being said, or have been, after so much sound. */
  shown(playedMs) {
    return this.heard(playedMs + EAGER_MS);
  }

  /** The words that are over after so much sound. */
  heard(playedMs) {
    return this.#words.filter((word) => word.until <= playedMs + 1).map((word) => word.text).join("");
  }

  get all() {
    return this.#words.map((word) => word.text).join("");
  }

  /** What would have followed `heard`. */
  unheard(heard) {
    const all = this.written.length > this.all.length ? this.written : this.all;
    return all.startsWith(heard) ? all.slice(heard.length) : "";
  }
}
