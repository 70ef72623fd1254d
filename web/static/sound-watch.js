// Tabs that slept, calls that came in, and iOS stop the sound; some of them want a tap before it goes on.

/** resume() -> whether sound runs now; onblocked(), again and again while it does not; onrunning(). */
export class SoundWatch {
  #wanted = false;

  constructor({ resume, onblocked, onrunning }) {
    Object.assign(this, { resume, onblocked, onrunning });
    this.look = () => this.#look();
    this.tap = () => this.#tapped();
  }

  start() {
    this.#wanted = true;
    document.addEventListener("visibilitychange", this.look);
  }

  stop() {
    this.#wanted = false;
    document.removeEventListener("visibilitychange", this.look);
  }

  async #look() {
    if (!this.#wanted || document.visibilityState !== "visible") return;
    if ((await this.#tapped()) || !this.#wanted) return;
    for (const kind of ["pointerup", "keydown"]) document.addEventListener(kind, this.tap);
    this.onblocked();
  }

  async #tapped() {
    if (!this.#wanted) return true;
    if (!(await this.resume())) return false;
    for (const kind of ["pointerup", "keydown"]) document.removeEventListener(kind, this.tap);
    this.onrunning();
    return true;
  }
}
