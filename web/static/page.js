// The page at /: joins a Conversation to what is seen and pressed.

import { acceptDrops, card, Tray } from "./clips.js";
import { Conversation, expose, semantic } from "./conversation.js";
import { Orb } from "./orb.js";
import { Sample } from "./hear.js";
import { hideToken, showToken } from "./token.js";
import { Transcript } from "./transcript.js";

const $ = (id) => document.getElementById(id);

const WORDS = {
  off: ["Ready when you are", "It hears speech, sound and music."],
  connecting: ["Connecting", "One moment."],
  listening: ["Listening", "Just speak. Interrupt it whenever you like."],
  hearing: ["Hearing you", "It answers when you pause."],
  thinking: ["Thinking", "Go on speaking if you were not done."],
  speaking: ["Speaking", "Speak to interrupt it."],
  reconnecting: ["Reconnecting", "The conversation is kept."],
};

/** Build everything, once Gradio has put the page's elements in place. */
export async function build() {
  while (!$("orb") || !$("composer")) await new Promise(requestAnimationFrame);
  if (window.voicechat) return;
  document.documentElement.dataset.state = "off";
  hideToken();
  const conversation = new Conversation({ name: "page" });
  const transcript = new Transcript({ scroll: $("scroll"), list: $("log"), live: $("said"), empty: $("empty") });
  const update = (settings) => conversation.update(settings);
  const suppress = (noise) => conversation.suppress(noise);
  const sample = new Sample(conversation);
  const hear = (voice) => sample.hear(voice, $("vc-hear")); // which is there once the settings have been opened
  expose(conversation, { update, suppress, semantic, hear });
  new Orb($("orb"), conversation);

  showState(conversation);
  showProblems(conversation);
  holdToTalk(conversation);
  typeAndAttach(conversation, transcript);
  save(conversation);
  startAfresh(conversation, transcript);
  conversation.addEventListener("caption", ({ detail }) => transcript.caption(detail));
  conversation.addEventListener("turn", ({ detail }) => transcript.turn(detail));

  $("start").onclick = () => {
    if (conversation.state !== "off" && conversation.microphone) conversation.stop();
    else conversation.start();
  };
  $("end").onclick = () => conversation.stop();
  $("mute").onclick = () => conversation.setMuted(!conversation.muted);
  $("interrupt").onclick = () => conversation.interrupt();
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && conversation.state !== "off") conversation.interrupt();
  });
  keepAwake(conversation);
}

function showState(conversation) {
  const show = ({ state, microphone, muted, pushToTalk }) => {
    let [title, hint] = WORDS[state];
    const live = state !== "off";
    if (state === "listening" && pushToTalk) [title, hint] = ["Waiting", "Hold the button or the space bar."];
    if (state === "hearing" && pushToTalk) hint = "It answers when you let go.";
    if (state === "listening" && muted) [title, hint] = ["Muted", "It does not hear you."];
    if (state === "listening" && !microphone) [title, hint] = ["Type your question", "The microphone is off."];
    $("state").textContent = title;
    $("hint").textContent = hint;
    document.documentElement.dataset.state = state;
    $("start").textContent = !live ? "Start talking" : microphone ? "End" : "Turn on the microphone";
    $("start").classList.toggle("quiet", live && microphone);
    const holding = live && microphone && pushToTalk;
    $("start").hidden = holding;
    $("talk").hidden = !holding;
    $("end").hidden = !live || (microphone && !holding);
    $("mute").setAttribute("aria-pressed", muted);
    $("push").setAttribute("aria-pressed", pushToTalk);
    $("interrupt").disabled = !conversation.answering;
  };
  conversation.addEventListener("state", ({ detail }) => show(detail));
}

function showProblems(conversation) {
  const hide = () => ($("problem").hidden = true);
  const show = ({ kind, message, remedy }) => {
    $("problem-message").textContent = message;
    $("problem-remedy").textContent = remedy;
    $("token-form").hidden = kind !== "token";
    $("problem").dataset.kind = kind;
    $("problem").hidden = false;
    if (kind === "token") $("token").focus();
  };
  conversation.addEventListener("problem", ({ detail }) => show(detail));
  conversation.addEventListener("solved", ({ detail }) => $("problem").dataset.kind === detail.kind && hide());
  conversation.addEventListener("clip", () => $("problem").dataset.kind === "clip" && hide());
  $("problem-close").onclick = hide;
  $("token-form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      await showToken($("token").value.trim());
    } catch (problem) {
      return show(problem);
    }
    $("token").value = "";
    hide();
    conversation.start();
  };
}

function holdToTalk(conversation) {
  const button = $("talk");
  const press = () => {
    button.classList.add("held");
    conversation.pressTalk();
  };
  const release = () => {
    button.classList.remove("held");
    conversation.releaseTalk();
  };
  $("push").onclick = () => conversation.setPushToTalk(!conversation.pushToTalk);
  button.onpointerdown = (event) => {
    button.setPointerCapture(event.pointerId);
    press();
  };
  button.onpointerup = button.onpointercancel = release;
  button.oncontextmenu = (event) => event.preventDefault(); // a long touch
  const talks = ({ code, target }) =>
    code === "Space" && conversation.pushToTalk && (target === button || !target.closest("input, textarea, select, button, a"));
  addEventListener("keydown", (event) => {
    if (!talks(event)) return;
    event.preventDefault();
    if (!event.repeat) press();
  });
  addEventListener("keyup", (event) => {
    if (!talks(event)) return;
    event.preventDefault();
    release();
  });
  addEventListener("blur", release);
}

function typeAndAttach(conversation, transcript) {
  const tell = (problem) => conversation.dispatchEvent(new CustomEvent("problem", { detail: problem.event ?? problem }));
  const tray = new Tray($("tray"));
  const clips = new Map(); // id -> {clip, file}
  const attach = async (given) => {
    for (const file of given) {
      try {
        const clip = await conversation.attach(file);
        clips.set(clip.id, { clip, file });
        transcript.clip(clip.id, card(clip, file));
      } catch (problem) {
        tell(problem);
      }
    }
  };
  acceptDrops($("drop"), attach);
  $("attach").onclick = () => $("file").click();
  $("file").onchange = async () => {
    await attach([...$("file").files]);
    $("file").value = "";
  };
  $("composer").onsubmit = async (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    const files = tray.take();
    if (conversation.state === "off" && (text || files.length)) conversation.start({ microphone: false }); // while the key counts
    if (files.length) await attach(files);
    try {
      conversation.say(text);
      if ($("text").value.trim() === text) $("text").value = "";
    } catch (problem) {
      tell(problem); // and the text stays where it can be mended
    }
  };
  conversation.addEventListener("returned", ({ detail: { id, text } }) => {
    const { clip, file } = clips.get(id) ?? {};
    if (clip) tray.add(card(clip, file), file);
    else $("text").value = [text, $("text").value].filter(Boolean).join(" ");
    $("text").focus();
  });
  conversation.addEventListener("reset", () => tray.take());
}

function save(conversation) {
  const download = (blob, ending) => {
    const stamp = new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `voicechat-${stamp}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };
  $("save-sound").onclick = () => download(conversation.record().wav, "wav");
  $("save-text").onclick = () => download(conversation.record().json, "json");
}

/** Asks once more, in its own place: everything is forgotten. */
function startAfresh(conversation, transcript) {
  const button = $("afresh");
  let asked = 0;
  const calm = () => {
    clearTimeout(asked);
    asked = 0;
    button.textContent = "Start afresh";
    button.classList.remove("sure");
  };
  button.onclick = () => {
    if (asked) {
      calm();
      conversation.reset();
      return;
    }
    button.textContent = "Forget everything?";
    button.classList.add("sure");
    asked = setTimeout(calm, 4000);
  };
  button.onblur = calm;
  conversation.addEventListener("reset", () => transcript.reset());
}

/** A phone that goes dark takes the microphone with it. */
function keepAwake(conversation) {
  let lock = null;
  const want = async () => {
    const live = conversation.state !== "off" && document.visibilityState === "visible";
    if (live && !lock) {
      lock = await navigator.wakeLock?.request("screen").catch(() => null);
      lock?.addEventListener("release", () => (lock = null));
    } else if (!live && lock) {
      lock.release();
    }
  };
  conversation.addEventListener("state", want);
  document.addEventListener("visibilitychange", want);
}
