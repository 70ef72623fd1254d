// Several channels -> one, by the rule of streaming/audio.py (MixDown): their mean, except that channels of opposite
// polarity (a balanced cable in a stereo input) do not cancel.

const CANCELLED = 0.25; // of the energy that unrelated channels leave: a mean that leaves less has lost something
const MEMORY_S = 0.3; // of sound by which channels are judged, beside what has just come
const FADE_S = 0.01; // in which a channel is turned over

export class MixDown {
  #rate;
  #signs = [];
  #energies = []; // of each channel with each other

  constructor(rate) {
    this.#rate = rate;
  }

  /** Float32Arrays of one length, at least one -> a Float32Array: of a single channel the same one. */
  push(channels) {
    if (channels.length === 1) return channels[0];
    const count = channels.length;
    if (this.#signs.length !== count) {
      this.#signs = new Array(count).fill(1);
      this.#energies = channels.map(() => new Array(count).fill(0));
    }
    const heard = this.#energies.some((row) => row.some((energy) => energy > 0));
    const before = this.#signs;
    this.#judge(channels);
    const mono = weighted(channels, this.#signs);
    if (heard && before.some((sign, c) => sign !== this.#signs[c])) {
      const old = weighted(channels, before);
      const fade = Math.min(mono.length, Math.round(FADE_S * this.#rate));
      for (let i = 0; i < fade; i++) mono[i] = old[i] + (mono[i] - old[i]) * (i / fade);
    }
    return mono;
  }

  /** Turns channels over where the mean of all that is remembered cancels. */
  #judge(channels) {
    const kept = Math.exp(-channels[0].length / (MEMORY_S * this.#rate));
    const energies = this.#energies.map((row, a) => row.map((energy, b) => kept * energy + product(channels[a], channels[b])));
    if (!energies.every((row) => row.every(Number.isFinite))) return;
    this.#energies = energies;
    const along = (signs, c) => signs.reduce((sum, sign, other) => sum + sign * energies[c][other], 0);
    const left = this.#signs.reduce((sum, sign, c) => sum + sign * along(this.#signs, c), 0);
    if (left >= CANCELLED * energies.reduce((sum, row, c) => sum + row[c], 0)) return;
    // Of channels that are about as loud the first one stays as it is.
    const loudness = energies.map((row, c) => row[c] * (c ? 1 : 1.5));
    const signs = new Array(channels.length).fill(0);
    for (const c of [...loudness.keys()].sort((a, b) => loudness[b] - loudness[a])) {
      signs[c] = this.#signs[c] * along(signs, c) >= 0 ? this.#signs[c] : -this.#signs[c];
    }
    this.#signs = signs;
  }
}

function weighted(channels, signs) {
  const mono = new Float32Array(channels[0].length);
  channels.forEach((channel, c) => {
    const gain = signs[c] / channels.length;
    for (let i = 0; i < mono.length; i++) mono[i] += gain * channel[i];
  });
  return mono;
}

function product(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += one[i] * other[i];
  return sum;
}
