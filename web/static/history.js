// What has been said, as the server has to be told again after a lost connection.

let made = 0;

/** A name for an item of our own. */
export function newId() {
  return `page_${Date.now().toString(36)}_${(made++).toString(36)}`;
}

/** Items in order: {id, role, text, audio?: base64, clip?: it goes with the next question, ours?: it was typed or attached here}. */
export class History {
  items = new Map();

  add(id, role, content = {}) {
    if (!this.items.has(id)) this.items.set(id, { id, role, text: "", ...content });
    return this.items.get(id);
  }

  remove(id) {
    this.items.delete(id);
  }

  clear() {
    this.items.clear();
  }

  /** `conversation.item.create` for everything that has words or sound. */
  replay() {
    return [...this.items.values()].filter((item) => item.text || item.audio).map(creation);
  }

  /** The newest item is a clip that nothing has been asked about. */
  get attached() {
    return Boolean([...this.items.values()].pop()?.clip);
  }

  /** The newest item with content is a question that nobody has answered. */
  get open() {
    const last = [...this.items.values()].filter((item) => item.text || item.audio).pop();
    return last?.role === "user" && !last.clip;
  }
}

export const CREATION = "create_"; // begins the ids of the events that make items

export function creation({ id, role, text, audio }) {
  const content = audio
    ? { type: "input_audio", audio }
    : { type: role === "assistant" ? "output_text" : "input_text", text };
  return { type: "conversation.item.create", event_id: `${CREATION}${id}`, item: { id, type: "message", role, content: [content] } };
}
