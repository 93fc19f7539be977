// The conversation as it is shown: turns in the order of their sequence numbers, and behind them what is on its way.
//
// A turn shows once, whatever is told twice: everything is found by its sequence number. A message of this page has
// none until the gateway has answered for it; if the stream is faster, it is known by its words meanwhile.

import { make } from "./parts.js";
import { TurnView } from "./turn.js";

export class Log {
  #element;
  #view;
  #welcome;
  #earlier;
  /** By sequence number. */
  #turns = new Map();
  /** By the message's own id, those without an answer from the gateway. */
  #waiting = new Map();
  /** The last settled turn: what comes behind it is not here yet. */
  place = null;

  constructor(element, { title, welcome, earlier, send }) {
    this.#element = element;
    this.#view = () => new TurnView({ title, send });
    this.#welcome = welcome;
    this.#earlier = earlier;
    this.retry = () => {};
    this.discard = () => {};
  }

  /** Show a message that is to be sent. */
  pending(item) {
    const view = this.#view();
    view.say(words(item.body), item.body.tap ? "tap" : "text");
    this.#waiting.set(item.id, { item, view });
    this.#element.append(view.element);
    this.#welcome.hidden = true;
    if (item.refused) this.delivery(item, "refused", item.refused);
    else this.delivery(item, "sending");
  }

  /** Show how far a message has come. */
  delivery(item, state, detail = "") {
    const waiting = this.#waiting.get(item.id);
    if (!waiting || waiting.view.seq !== null) return;
    const view = waiting.view;
    if (state === "sending") view.delivery("sending", "Sending…");
    if (state === "waiting") view.delivery("waiting", "Not sent yet, trying again…");
    if (state === "refused") {
      const again = this.#action("Try again", () => this.retry(item));
      const away = this.#action("Remove", () => this.#remove(item));
      view.delivery("refused", `Not sent. ${detail} `, [again, " ", away]);
    }
  }

  /** The gateway has taken a message of ours in, as turn *seq*. */
  sent(item, seq) {
    const waiting = this.#waiting.get(item.id);
    this.#waiting.delete(item.id);
    if (!waiting || waiting.view.seq === seq) return;
    // The stream told it first, and it was not recognised.
    if (this.#turns.has(seq)) {
      if (waiting.view.seq === null) waiting.view.element.remove();
      return;
    }
    // Another tab said the same words at the same time, and that turn was taken for this one.
    const view = waiting.view.seq === null ? waiting.view : this.#said(words(item.body), item.body.tap ? "tap" : "text");
    this.#insert(view, seq);
    view.accepted(Date.now() / 1000);
  }

  accepted(data) {
    const view = this.#of(data.seq, data.message);
    if (!view.settled) view.accepted(data.at);
  }

  preview(data) {
    this.#of(data.seq, null).preview(data);
  }

  turn(data) {
    const view = this.#of(data.seq, data.message);
    if (!view.settled) {
      view.accepted(data.at);
      view.settle(data);
    }
    this.place = Math.max(this.place ?? 0, data.seq);
  }

  /** A new connection has begun: what it tells of running turns begins at the beginning. */
  restart() {
    for (const view of this.#turns.values()) view.restart();
  }

  /** The past is all here. */
  ready() {
    this.#element.setAttribute("aria-busy", "false");
    this.#welcome.hidden = this.#turns.size + this.#waiting.size > 0;
    this.#earlier.hidden = this.#turns.size === 0 || Math.min(...this.#turns.keys()) === 1;
  }

  #of(seq, message) {
    const known = this.#turns.get(seq);
    if (known) {
      if (message) known.say(message.text, message.kind);
      return known;
    }
    // A preview may be faster than its message, which then comes into its place.
    const view = message ? (this.#ours(message) ?? this.#said(message.text, message.kind)) : this.#view();
    this.#insert(view, seq);
    return view;
  }

  #ours({ text }) {
    for (const { item, view } of this.#waiting.values()) {
      if (view.seq === null && !item.refused && words(item.body) === text) return view;
    }
    return null;
  }

  #said(text, kind) {
    const view = this.#view();
    view.say(text, kind);
    return view;
  }

  #insert(view, seq) {
    view.seq = seq;
    view.element.dataset.seq = seq;
    this.#turns.set(seq, view);
    this.#welcome.hidden = true;
    const behind = [...this.#element.children].find(
      ({ dataset }) => dataset.seq === undefined || Number(dataset.seq) > seq,
    );
    if (behind !== view.element) this.#element.insertBefore(view.element, behind ?? null);
  }

  #remove(item) {
    this.discard(item);
    this.#waiting.get(item.id)?.view.element.remove();
    this.#waiting.delete(item.id);
    this.ready();
  }

  #action(label, act) {
    const button = make("button", { type: "button", className: "link" }, label);
    button.addEventListener("click", act);
    return button;
  }
}

function words(body) {
  return body.tap ? body.tap.label : body.text;
}
