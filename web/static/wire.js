// The WebSocket of a conversation: connects, comes back after a loss, and says plainly why it could not.

import { Problem } from "./problems.js";

const FIRST_WAIT = 300; // ms; doubled at each failure
const LONGEST_WAIT = 5000;
const FULL_WAIT = 8000;
const CONNECTING = 10000;

/** The realtime address of the server that this file came from. */
export function ownAddress() {
  const url = new URL("../v1/realtime", import.meta.url);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

/**
 * Events: `open` (session.created has arrived), `message` (detail: a server event), `lost` (detail: {problem, again}:
 * `again` is whether it tries again by itself).
 */
export class Wire extends EventTarget {
  #socket = null;
  #wanted = false;
  #wait = FIRST_WAIT;
  #timer = 0;
  #said = null; // the last error event: what a close that follows it means

  constructor(url, token) {
    super();
    Object.assign(this, { url, token, ready: false });
    this.backOnline = () => this.#wanted && !this.#socket && this.#connect();
  }

  open() {
    this.#wanted = true;
    window.addEventListener("online", this.backOnline);
    if (!this.#socket) this.#connect();
  }

  /** Leave, or with `again` leave and come back. */
  close(again = false) {
    this.#wanted = again;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.ready = false;
    socket?.close(1000);
    if (again) this.#connect();
    else window.removeEventListener("online", this.backOnline);
  }

  send(event) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(event));
    return true;
  }

  /** Bytes that wait for the network. */
  get backlog() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#said = null;
    const protocols = ["realtime", ...(this.token ? [`openai-insecure-api-key.${this.token}`] : [])];
    let socket;
    try {
      socket = new WebSocket(this.url, protocols);
    } catch (error) {
      // a token with characters that a sub-protocol cannot have
      this.#wanted = false;
      return this.#tell(new Problem("token", error.message), false);
    }
    this.#socket = socket;
    const patience = setTimeout(() => socket.close(), CONNECTING);
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      const event = JSON.parse(data);
      if (event.type === "session.created") {
        clearTimeout(patience);
        this.ready = true;
        this.#wait = FIRST_WAIT;
        this.dispatchEvent(new CustomEvent("open", { detail: event }));
      } else if (event.type === "error") {
        this.#said = event.error;
      }
      this.dispatchEvent(new CustomEvent("message", { detail: event }));
    };
    socket.onclose = ({ code }) => {
      clearTimeout(patience);
      if (this.#socket !== socket) return;
      this.#socket = null;
      const refused = !this.ready && !this.#said;
      this.ready = false;
      this.#lost(code, refused);
    };
  }

  async #lost(code, refused) {
    const problem = (refused && (await this.#refusal())) || explain(code, this.#said);
    if (refused && (this.#socket || !this.#wanted)) return; // it has begun again, or was left, in the meantime
    const again = this.#wanted && problem.kind !== "token" && problem.kind !== "idle";
    this.#wanted = again;
    if (again) {
      const wait = problem.kind === "server-full" ? FULL_WAIT : this.#wait;
      if (problem.kind !== "server-full") this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2);
      this.#timer = setTimeout(() => this.#connect(), wait * (0.8 + 0.4 * Math.random())); // not everybody at once
    }
    this.#tell(problem, again);
  }

  /** Why no WebSocket was opened, of which browsers say nothing: the server may know this page by another name. */
  async #refusal() {
    const door = new URL("../readyz", new URL(this.url, location.href));
    door.protocol = door.protocol.replace("ws", "http");
    door.search = new URLSearchParams({ origin: location.origin });
    const told = await fetch(door, { cache: "no-store", signal: AbortSignal.timeout(CONNECTING) })
      .then((answer) => answer.json())
      .catch(() => null);
    if (told?.origin?.allowed !== false) return null;
    const expected = told.origin.expected.join(" or ") || "none that it can name";
    const detail = `expected ${expected}`;
    return new Problem("origin", detail, `The server refuses pages of ${location.origin}: its own are those of ${expected}.`);
  }

  #tell(problem, again) {
    this.dispatchEvent(new CustomEvent("lost", { detail: { problem, again } }));
  }
}

function explain(code, said) {
  const kinds = {
    invalid_api_key: "token",
    rate_limit_exceeded: "token",
    server_full: "server-full",
    too_many_sessions: "server-full",
    session_idle: "idle",
    server_stopping: "stopped",
    session_expired: "stopped",
  };
  const kind = kinds[said?.code] ?? { 1001: "stopped", 1008: "token", 1012: "stopped", 1013: "lagging" }[code] ?? "offline";
  const told = said?.message ?? `close code ${code}`;
  if (kind !== "server-full" || !said) return new Problem(kind, told);
  return new Problem(kind, told, `${told[0].toUpperCase()}${told.slice(1)}.`); // it knows whose places are taken
}
