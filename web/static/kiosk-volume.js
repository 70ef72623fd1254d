// How loud: what the page plays goes through a gain on its way out.

/** For every AudioContext that is made from now on; `volume` 0..1. */
export function setVolume(volume) {
  window.AudioContext = class extends window.AudioContext {
    #gain = new GainNode(this, { gain: volume });

    constructor(options) {
      super(options);
      this.#gain.connect(super.destination);
    }

    get destination() {
      return this.#gain;
    }
  };
}
