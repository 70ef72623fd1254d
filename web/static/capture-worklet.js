// The microphone, in mono blocks of about 20 ms at the context's own rate.

import { MixDown } from "./mix.js";

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(Math.round(sampleRate * 0.02));
    this.filled = 0;
    this.mix = new MixDown(sampleRate); // some browsers give two channels, whatever they were asked for
  }

  process([input]) {
    if (!input.length) return true; // while the track is muted by the system
    const mono = this.mix.push(input);
    for (let i = 0; i < mono.length; i++) {
      this.block[this.filled++] = mono[i];
      if (this.filled === this.block.length) this.send(currentFrame + i + 1);
    }
    return true;
  }

  /** `end`: the frame after the block's last one, on this context's clock. */
  send(end) {
    let energy = 0;
    for (const sample of this.block) energy += sample * sample;
    const samples = this.block;
    this.block = new Float32Array(samples.length);
    this.filled = 0;
    this.port.postMessage({ samples, rms: Math.sqrt(energy / samples.length), end }, [samples.buffer]);
  }
}

registerProcessor("voicechat-capture", Capture);
