// What has been asked, and the server's response to it: one at a time.

const PATIENCE_MS = 10000; // for a response to begin

export class Responses {
  #question = null; // {from: performance.now() of its end, typed}: the next response answers it
  #awaited = 0; // performance.now() since when an answer is due
  #again = false; // it is to be asked for once connected, or once the cancelled response is done
  #open = null; // {id, items}
  #unwanted = new Set(); // responses whose sound is not wanted any more

  constructor(wire) {
    this.wire = wire;
  }

  /** Whether an answer is being waited for. */
  get due() {
    return this.#awaited !== 0 && (this.#open !== null || performance.now() - this.#awaited < PATIENCE_MS);
  }

  /** Ask for an answer to what has been said or typed. */
  ask(question) {
    this.#question = question;
    if (!this.wire.ready || this.#open) {
      this.#again = true;
      return;
    }
    this.#awaited = performance.now();
    this.wire.send({ type: "response.create" });
  }

  /** The server has found a question, and unless `answered` is false answers it by itself. */
  found(question, answered) {
    this.#question = question;
    if (answered !== false) this.#awaited = performance.now();
  }

  /** The answer sounds, or is not wanted. */
  settle() {
    this.#awaited = 0;
  }

  /** No more of the one that is being made. */
  cancel() {
    if (this.#open && !this.#unwanted.has(this.#open.id)) this.wire.send({ type: "response.cancel" });
    this.settle();
  }

  /** Its sound is not wanted any more. */
  refuse() {
    if (this.#open) this.#unwanted.add(this.#open.id);
  }

  /** Whether the event brings more of what is not wanted. */
  refuses({ type, response_id }) {
    return this.#unwanted.has(response_id) && type.endsWith(".delta");
  }

  created(id) {
    this.#open = { id, items: [] };
  }

  /** It has a message of the assistant's -> the question that this answers; null where no response is open. */
  take(item) {
    if (!this.#open) return null;
    this.#open.items.push(item);
    const question = this.#question ?? {};
    this.#question = null;
    return question;
  }

  /** -> its items. */
  done(id) {
    const items = this.#open?.id === id ? this.#open.items : [];
    if (this.#open?.id === id) this.#open = null;
    this.#unwanted.delete(id);
    this.settle();
    return items;
  }

  /** What waited to be asked, now that it can be. */
  askAgain() {
    if (!this.#again || !this.wire.ready) return;
    this.#again = false;
    this.ask(this.#question);
  }

  /** The connection is lost. `sounded(item)`: what nothing was heard of is asked for again. -> the items of the open response. */
  lost(sounded) {
    const items = this.#open?.items ?? [];
    if (this.#awaited || (this.#open && !items.some(sounded))) this.#again = true;
    this.#open = null;
    this.settle();
    return items;
  }

  /** Nothing is to be asked for again. */
  forget() {
    this.#again = false;
  }

  reset() {
    this.#question = this.#open = null;
    this.#unwanted.clear();
    this.forget();
    this.settle();
  }
}
