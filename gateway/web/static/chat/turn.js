// One turn on the page: what the visitor said, what became of it on its way, and the answer.
//
// An answer grows as previews, which a screen reader is not told, and is then replaced, once, by what stands.

import { markdown, plain } from "./markdown.js";
import { draw, make } from "./parts.js";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export class TurnView {
  #title;
  #send;
  #note;
  #said;
  #words = null;
  #answer = null;
  #live = null;
  #piece = "";
  #frame = 0;
  #stale = false;

  constructor({ title, send }) {
    this.#title = title;
    this.#send = send;
    this.seq = null;
    this.settled = false;
    this.#note = make("p", { className: "note" });
    this.#said = make("div", { className: "said" });
    this.element = make("article", { className: "turn" }, this.#said, this.#note);
  }

  /** Show what the visitor said. */
  say(text, kind) {
    // A message that answers nothing: the visitor said no word, and the time is that of the answer, below it.
    this.element.classList.toggle("unasked", kind === "event");
    if (kind === "event") return;
    // Drawn once: a screen reader reads what is drawn again.
    if (text === this.#words) return;
    this.#words = text;
    const words = make("div", { className: "bubble" }, make("span", { className: "unseen" }, "You said: "), plain(text));
    words.classList.toggle("tapped", kind === "tap");
    this.#said.replaceChildren(words);
  }

  /** Show where the message is: "sending", "waiting", "refused" or "sent". */
  delivery(state, detail, actions = []) {
    this.element.dataset.state = state;
    this.#note.replaceChildren(detail, ...actions);
  }

  /** The gateway has it: from now on an answer is being made. */
  accepted(at) {
    this.delivery("sent", "");
    this.stamp(at);
    if (!this.settled && !this.#live) this.#startLive();
  }

  /** Put the time on it. */
  stamp(at) {
    if (!at) return;
    const date = new Date(at * 1000);
    const time = make("time", { dateTime: date.toISOString(), title: `${DAY.format(date)}, ${TIME.format(date)}` });
    time.append(TIME.format(date));
    this.#note.replaceChildren(time);
  }

  preview({ kind, text, part }) {
    if (this.settled) return;
    if (!this.#live) this.#startLive();
    if (this.#stale) this.#emptyLive();
    if (kind === "delta") this.#piece += text;
    if (kind === "part") {
      this.#piece = "";
      this.#live.insertBefore(draw(part, this.#send), this.#live.querySelector(".piece"));
    }
    this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  /** A new connection tells the previews again, from the beginning. */
  restart() {
    this.#stale = this.#live !== null;
  }

  settle({ state, parts }) {
    this.settled = true;
    cancelAnimationFrame(this.#frame);
    const answer = make("div", { className: `answer ${state}` });
    if (parts.length) answer.append(make("span", { className: "unseen" }, `${this.#title} said: `));
    answer.append(...parts.map((part) => draw(part, this.#send)));
    this.#answer ? this.#answer.replaceWith(answer) : this.element.append(answer);
    this.#answer = answer;
    if (this.element.classList.contains("unasked")) answer.after(this.#note);
    this.#live = null;
    this.element.dataset.state = "settled";
  }

  #startLive() {
    const dots = make("span", { className: "dots" }, make("i", {}), make("i", {}), make("i", {}));
    const piece = make("div", { className: "part text piece" });
    this.#live = make("div", { className: "answer live" }, piece, dots);
    this.#live.setAttribute("aria-hidden", "true");
    this.#answer = this.#live;
    this.element.append(this.#live);
  }

  #emptyLive() {
    this.#stale = false;
    this.#piece = "";
    this.#live.querySelectorAll(".part:not(.piece)").forEach((part) => part.remove());
  }

  #paint() {
    this.#frame = 0;
    this.#live?.querySelector(".piece").replaceChildren(markdown(this.#piece));
  }
}
