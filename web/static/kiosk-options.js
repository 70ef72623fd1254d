// What the address says: /kiosk?silence=30&push=1. Whatever cannot be meant is told, not guessed.

import { LINES } from "./kiosk-lines.js";

const KEYS = new RegExp(
  "^(Space|Enter|Tab|Escape|Backspace|Arrow(Up|Down|Left|Right)|Page(Up|Down)|Home|End|Insert|Delete|Key[A-Z]|Digit\\d" +
    "|F([1-9]|1\\d|2[0-4])|Numpad(\\d|Enter|Add|Subtract|Multiply|Divide|Decimal)|\\S)$",
  "i",
);

/** One plain line for the person who sets the kiosk up. */
export class SetupError extends Error {}

const words = (what) => (text) => text.trim() || refuse(`is empty: give ${what}, or leave it out`);
const choice = (...choices) => (text) => (choices.includes(text) ? text : refuse(`cannot be had: give ${choices.join(" or ")}`));
const number = (from, to, unit, example) => (text) => {
  const value = text.trim() === "" ? NaN : Number(text);
  return value >= from && value <= to ? value : refuse(`cannot be had: give ${unit}from ${from} to ${to}, e.g. ${example}`);
};

const READ = {
  silence: number(2, 3600, "seconds ", 30),
  push: (text) => choice("0", "1")(text) === "1",
  key: (text) => (KEYS.test(text) ? text : refuse("is no key: give one character, or a name such as Space, Enter, F9")),
  attract: choice("voice", "touch"),
  voice: words("a voice, e.g. espeak:en-gb"),
  model: words("the name of a model"),
  instructions: words("a text"),
  title: words("a text"),
  invite: words("a text"),
  examples: (text) => {
    const examples = text.split("|").map((example) => example.trim());
    return examples.every(Boolean) ? examples : refuse("has an empty example: put | between them, not around them");
  },
  lang: choice(...Object.keys(LINES)),
  theme: choice("dark", "light"),
  token: () => refuse('stands in the address, where others read it: write #token= behind all of it instead'),
  threshold: number(0.1, 0.95, "", 0.5),
  volume: number(0, 1, "", 0.8),
};

function refuse(what) {
  throw new SetupError(what);
}

/** `location.search` -> options, all of them. Throws SetupError. */
export function readOptions(search) {
  const options = { silence: 30, push: false, lang: "en", theme: "dark", volume: 1 };
  const given = new URLSearchParams(search);
  for (const [name, text] of given) {
    if (!Object.hasOwn(READ, name)) throw new SetupError(`there is no option "${name}": ${nearest(name)}`);
    if (given.getAll(name).length > 1) throw new SetupError(`${name}= is given twice: leave one of them out`);
    try {
      options[name] = READ[name](text);
    } catch (error) {
      throw new SetupError(`${name === "token" ? "token=" : `${name}=${text}`} ${error.message}`);
    }
  }
  if (options.push && options.attract) {
    throw new SetupError(`attract=${options.attract} and push=1 exclude each other: leave one of them out`);
  }
  if (options.key && !options.push) throw new SetupError(`key=${options.key} needs push=1 beside it`);
  return { ...options, attract: options.push ? "push" : (options.attract ?? "voice"), key: options.key ?? "Space" };
}

function nearest(name) {
  const [near] = Object.keys(READ).sort((a, b) => distance(name, a) - distance(name, b));
  return distance(name, near) <= 2 ? `did you mean ${near}=?` : `the options are ${Object.keys(READ).join(", ")}`;
}

/** How many letters have to be changed, added or left out. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] !== b[j - 1]));
    row = next;
  }
  return row[b.length];
}
