// The samples that were sent: when they had been said, by the server's audio clock, and what they were, so that nothing of
// a question is lost with the connection.

import { RATE } from "./pcm.js";

const KEPT = 6000; // blocks, about two minutes

export class SentAudio {
  #count = 0;
  #blocks = []; // {end: samples sent by then, at: performance.now() of its last sample, samples}

  add(samples, at) {
    this.#count += samples.length;
    this.#blocks.push({ end: this.#count, at, samples });
    if (this.#blocks.length > KEPT * 1.5) this.#blocks.splice(0, this.#blocks.length - KEPT);
  }

  /** performance.now() at which the sample `ms` after the connection's first one was captured. */
  when(ms) {
    const sample = ms * (RATE / 1000);
    const block = this.#blocks.find(({ end }) => end >= sample) ?? this.#blocks.at(-1);
    return block ? block.at - (block.end - sample) / (RATE / 1000) : performance.now();
  }

  /** The blocks, {samples, at}, that hold what was sent from `fromMs` to `toMs`. */
  between(fromMs, toMs = Infinity) {
    const [from, to] = [fromMs, toMs].map((ms) => ms * (RATE / 1000));
    return this.#blocks.filter(({ end, samples }) => end > from && end - samples.length < to);
  }
}
