// What can go wrong where people meet it: one line, and what to do.

const KNOWN = {
  "microphone-denied": ["The microphone is blocked for this page.", "Allow it in the address bar and press start again; typing works without it."],
  "no-microphone": ["No microphone was found.", "Plug one in and press start again; typing works without it."],
  "insecure-origin": [
    "Browsers give no microphone or sound to an address that starts with http:// unless it is this machine.",
    "It is the address: use https:// (start the server with --tls), or open http://localhost on the machine itself.",
  ],
  "server-full": ["The server is full.", "This page waits for a free place."],
  token: ["This server wants a token.", "Enter the one that its owner gave you."],
  stopped: ["The server is restarting.", "Trying again; the conversation is kept."],
  idle: ["The server closed the conversation because nobody spoke.", "Press start to go on; the conversation is kept."],
  lagging: ["The network is too slow for live sound.", "What you said just now may be lost: say it again, or move closer to the router."],
  model: ["The answer failed.", "Ask again."],
  "audio-tap-needed": ["The browser is holding the sound back.", "Tap anywhere on the page."],
  offline: ["The server cannot be reached.", "Trying again; the conversation is kept. Is it running, and are you online?"],
  origin: [
    "The server refuses this page.",
    "Whoever runs it can let this page in with --origin, or let the proxy pass the header Host on. Trying again.",
  ],
  voice: ["This voice cannot be heard now.", "Choose another one; the conversation goes on as before."],
  typed: ["Nothing was typed.", "Write what you want to ask, or attach a clip."],
  clip: ["This file could not be read as sound.", "Attach a WAV, MP3, Ogg, FLAC or M4A file."],
};

/** `kind` is a key above; `message` and `remedy` are one line each; `detail` is what the browser or the server said; `line`: in whole. */
export class Problem extends Error {
  constructor(kind, detail = "", message = KNOWN[kind][0], remedy = KNOWN[kind][1]) {
    super(message);
    Object.assign(this, { name: "Problem", kind, remedy, detail });
  }

  get event() {
    const { kind, message, remedy, detail, line } = this;
    return { kind, message, remedy, detail, line };
  }
}

/** A line of the server's, "what is wrong: what to do", as the page says it: in sentences, and without a command line. */
export function said(kind, line) {
  const [, what, remedy] = line.trim().replace(/, e\.g\. with `.*/s, "").match(/^(.*?)(?:: ([^:]*))?$/s);
  return Object.assign(new Problem(kind, line, sentence(what), remedy ? sentence(remedy) : undefined), { line });
}

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1).replace(/\.$/, "")}.`;
