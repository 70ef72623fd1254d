// When the samples that were sent had been said: the server's audio clock against performance.now().

import { RATE } from "./pcm.js";

const KEPT = 6000; // blocks, about two minutes

export class SentAudio {
  #count = 0;
  #blocks = []; // {end: samples sent by then, at: performance.now() of its last sample}

  add(samples, at) {
    this.#count += samples;
    this.#blocks.push({ end: this.#count, at });
    if (this.#blocks.length > KEPT * 1.5) this.#blocks.splice(0, this.#blocks.length - KEPT);
  }

  /** performance.now() at which the sample `ms` after the connection's first one was captured. */
  when(ms) {
    const sample = ms * (RATE / 1000);
    const block = this.#blocks.find(({ end }) => end >= sample) ?? this.#blocks.at(-1);
    return block ? block.at - (block.end - sample) / (RATE / 1000) : performance.now();
  }
}
