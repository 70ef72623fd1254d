// @openai/agents-realtime over its WebSocket transport, with the settings that it has by itself.
// The same conversations and options as in scenarios.py, and the same JSON line for each.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const require = createRequire(new URL("../../.venv/clients/js/package.json", import.meta.url));
const { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } = require("@openai/agents-realtime");

const RATE = 24_000;
const CHUNK_S = 0.04;
const CHUNK = 2 * RATE * CHUNK_S; // bytes
const PATIENCE_S = 15;
const LISTENED_S = 1.2;

const { values: options } = parseArgs({
  options: {
    url: { type: "string" }, question: { type: "string" }, typed: { type: "string" }, expect: { type: "string" },
    long: { type: "string" }, unheard: { type: "string" }, only: { type: "string", multiple: true },
  },
});

function recording(path) {
  const file = readFileSync(path);
  if (file.readUInt16LE(22) !== 1 || file.readUInt32LE(24) !== RATE || file.readUInt16LE(34) !== 16) {
    throw new Error(`${path} is not PCM16 mono at 24 kHz`);
  }
  return file.subarray(file.indexOf("data") + 8);
}

function* pieces(pcm) {
  for (let at = 0; at < pcm.length; at += CHUNK) {
    yield Buffer.concat([pcm.subarray(at, at + CHUNK), Buffer.alloc(CHUNK)], CHUNK);
  }
}

const words = (text) => text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
const quiet = Buffer.from(Int16Array.from({ length: CHUNK / 2 }, (_, at) => ((at * 7919) % 7) - 3).buffer);

class Conversation {
  heard = [];
  answers = [];
  cancelled = 0;
  tools_called = 0;
  errors = [];
  history = [];
  waiting = [];

  async open({ turns = true, light = false } = {}) {
    const switchLight = tool({
      name: "switch_light",
      description: "Switches the light on or off.",
      parameters: { type: "object", properties: { on: { type: "boolean" } }, required: ["on"], additionalProperties: false },
      strict: false,
      execute: async () => {
        this.tools_called += 1;
        return "done";
      },
    });
    const agent = new RealtimeAgent({
      name: "visitor", instructions: "Answer briefly.", tools: light ? [switchLight] : [],
    });
    this.session = new RealtimeSession(agent, {
      transport: new OpenAIRealtimeWebSocket({ url: options.url }),
      config: turns ? {} : { audio: { input: { turnDetection: null } } },
    });
    this.session.on("agent_start", () => this.answers.push({ text: "", sound_s: 0, over: false }));
    this.session.on("agent_end", () => (this.answers.at(-1).over = true));
    this.session.on("audio", (event) => {
      this.answers.at(-1).first ??= Date.now();
      this.answers.at(-1).sound_s += event.data.byteLength / 2 / RATE;
    });
    this.session.on("audio_interrupted", () => (this.cancelled += 1));
    this.session.on("error", ({ error }) => this.errors.push(JSON.stringify(error?.message ?? error)));
    this.session.on("history_updated", (history) => (this.messages = history));
    this.session.on("transport_event", (event) => {
      if (event.type === "response.output_audio_transcript.delta") this.answers.at(-1).text += event.delta;
      if (event.type.endsWith("input_audio_transcription.completed")) this.heard.push(event.transcript);
    });
    await this.session.connect({ apiKey: "none" });
  }

  close() {
    clearInterval(this.microphone);
    this.session?.close();
  }

  // ---- what the user does

  hear(pcm) {
    this.session.sendAudio(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.length));
  }

  async listen() {
    this.microphone = setInterval(() => this.hear(this.waiting.shift() ?? quiet), 1000 * CHUNK_S);
    await sleep(300);
  }

  say(pcm) {
    this.waiting.push(...pieces(pcm));
  }

  hold(pcm) {
    if (this.answering) this.session.interrupt();
    this.session.transport.sendEvent({ type: "input_audio_buffer.clear" });
    for (const piece of pieces(pcm)) this.hear(piece);
  }

  release() {
    this.session.transport.sendEvent({ type: "input_audio_buffer.commit" });
    this.session.transport.sendEvent({ type: "response.create" });
  }

  // ---- what should be true

  get answering() {
    return this.answers.length > 0 && !this.answers.at(-1).over;
  }

  kept(role) {
    this.history = (this.messages ?? [])
      .filter((item) => item.type === "message")
      .map((item) => [item.role, item.content.map((part) => part.transcript ?? part.text ?? "").join(" ")]);
    const texts = this.history.filter(([who]) => who === role).map(([, text]) => text);
    return texts.length ? texts : [""];
  }

  async until(happened, what) {
    for (const patient = Date.now() + 1000 * PATIENCE_S; !happened(); await sleep(20)) {
      check(Date.now() < patient, `within ${PATIENCE_S} s not seen: ${what}`);
    }
  }

  async listened(count = 1) {
    const sounding = ({ first, sound_s }) => first && Math.min(sound_s, (Date.now() - first) / 1000) > LISTENED_S;
    await this.until(() => this.answers.length === count && sounding(this.answers.at(-1)), `answer ${count}, sounding`);
  }

  async answered(count = 1) {
    await this.until(() => this.answers.length >= count && !this.answering, `the end of answer ${count}`);
    check(this.answers.length === count, `${this.answers.length} answers, where ${count} were expected`);
    check(this.answers.at(-1).text.includes(options.expect), `the answer has no '${options.expect}'`);
    check(this.answers.at(-1).sound_s > 0.5, "the answer has less than 0.5 s of sound");
    await this.until(() => this.kept("assistant").at(-1).includes(options.expect), "the answer in the client's history");
    await this.until(() => this.isQuestion(this.kept("user").at(-1)), "the question in the client's history");
  }

  isQuestion(text) {
    const wanted = words(options.typed);
    return wanted.filter((word) => words(text).includes(word)).length > 0.7 * wanted.length;
  }

  async understood() {
    await this.until(() => this.isQuestion(this.heard.at(-1) ?? ""), "the transcript of the question");
  }

  async cut() {
    check(this.cancelled, "the client was not told that the answer was interrupted");
    check(!this.answers[0].text.includes(options.unheard), `'${options.unheard}' was told, though the answer was interrupted`);
    check(words(this.kept("assistant")[0]).length, "nothing of what was heard is left in the client's history");
    const told = words(this.answers[0].text).length;
    await this.until(() => words(this.kept("assistant")[0]).length < told, "the answer cut in the client's history");
  }
}

function check(right, what) {
  if (!right) throw new Error(what);
}

const question = recording(options.question);
const long = recording(options.long);

const scenarios = {
  async voice(talk) {
    await talk.open();
    await talk.listen();
    talk.say(question);
    await talk.answered();
    await talk.understood();
  },
  async text(talk) {
    await talk.open();
    talk.session.sendMessage(options.typed);
    await talk.answered();
  },
  async tool(talk) {
    await talk.open({ light: true });
    talk.session.sendMessage(options.typed);
    await talk.answered();
    check(!talk.tools_called, "the tool was called");
  },
  async push_to_talk(talk) {
    await talk.open({ turns: false });
    talk.hold(Buffer.concat([question, Buffer.alloc(2 * RATE)]));
    await sleep(500);
    check(!talk.answers.length, "an answer began before the talk button was released");
    talk.release();
    await talk.answered();
    await talk.understood();
  },
  async push_to_interrupt(talk) {
    await talk.open({ turns: false });
    for (const [count, said] of [[1, long], [2, question]]) {
      talk.hold(said);
      talk.release();
      await talk.listened(count);
    }
    await talk.answered(2);
    await talk.understood();
    await talk.cut();
  },
  async barge_in(talk) {
    await talk.open();
    await talk.listen();
    talk.say(long);
    await talk.listened();
    talk.say(question);
    await talk.answered(2);
    await talk.understood();
    await talk.cut();
  },
  async stop_button(talk) {
    await talk.open();
    await talk.listen();
    talk.say(long);
    await talk.listened();
    talk.session.interrupt();
    await talk.until(() => !talk.answering, "the end of the answer that was stopped");
    talk.session.sendMessage(options.typed);
    await talk.answered(2);
    await talk.cut();
  },
};

let well = true;
for (const name of options.only ?? Object.keys(scenarios)) {
  const talk = new Conversation();
  const started = Date.now();
  const complain = console.error;
  console.error = console.warn = (...what) => talk.errors.push(`log: ${what.join(" ")}`);
  let why = null;
  try {
    await scenarios[name](talk);
  } catch (error) {
    why = String(error);
  }
  talk.close();
  console.error = complain;
  if (talk.errors.length) why ??= "errors reached the application";
  well = well && why === null;
  const { heard, answers, cancelled, tools_called, errors, history } = talk;
  for (const answer of answers) delete answer.first;
  const seconds = (Date.now() - started) / 1000;
  console.log(JSON.stringify({ scenario: name, ok: why === null, why, seconds, heard, answers, cancelled, tools_called, errors, history }));
}
process.exit(well ? 0 : 1);
