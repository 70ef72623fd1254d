// Streaming resampling of mono sound, for browsers that only capture at the device's own rate.

const ZEROS = 12; // zero crossings of the sinc on either side
const PHASES = 256;

/** One stream. `push` gives as many samples as are known by then; the last `ZEROS` or so stay behind. */
export class Resampler {
  constructor(from, to) {
    this.step = from / to;
    const cutoff = 0.94 * Math.min(1, to / from);
    this.half = Math.ceil(ZEROS / cutoff);
    this.kernels = Array.from({ length: PHASES + 1 }, (_, phase) => kernel(phase / PHASES, this.half, cutoff));
    this.past = new Float32Array(this.half); // silence before the first sample
    this.at = this.half; // of the next output sample, in `past`
  }

  push(samples) {
    if (this.step === 1) return samples;
    const sound = new Float32Array(this.past.length + samples.length);
    sound.set(this.past);
    sound.set(samples, this.past.length);
    const ready = Math.max(0, Math.ceil((sound.length - this.half - this.at) / this.step));
    const out = new Float32Array(ready);
    for (let i = 0; i < ready; i++, this.at += this.step) {
      const whole = Math.floor(this.at);
      const taps = this.kernels[Math.round((this.at - whole) * PHASES)];
      const first = whole - this.half + 1;
      let sum = 0;
      for (let k = 0; k < taps.length; k++) sum += taps[k] * sound[first + k];
      out[i] = sum;
    }
    const spent = Math.max(0, Math.floor(this.at) - this.half);
    this.past = sound.slice(spent);
    this.at -= spent;
    return out;
  }
}

/** Windowed sinc for an output sample that lies `fraction` after an input sample; its sum is 1. */
function kernel(fraction, half, cutoff) {
  const taps = Float32Array.from({ length: 2 * half }, (_, k) => {
    const distance = k - half + 1 - fraction;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / (half + 1));
    const x = Math.PI * distance * cutoff;
    return window * (Math.abs(x) < 1e-9 ? 1 : Math.sin(x) / x);
  });
  const sum = taps.reduce((a, b) => a + b, 0);
  return taps.map((tap) => tap / sum);
}
