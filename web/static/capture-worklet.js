// The microphone, in mono blocks of about 20 ms at the context's own rate.

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(Math.round(sampleRate * 0.02));
    this.filled = 0;
  }

  process([input]) {
    const quantum = input[0]?.length ?? 0; // no channels while the track is muted by the system
    for (let i = 0; i < quantum; i++) {
      let sum = 0;
      for (const channel of input) sum += channel[i];
      this.block[this.filled++] = sum / input.length;
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
