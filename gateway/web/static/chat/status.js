// One line that says whether the page is connected. Trouble is shown only when it lasts: streams end and begin anew all
// the time, and nobody needs to know.

const LASTS_MS = 1_500;
const WORDS = {
  waiting: "Reconnecting…",
  offline: "Offline. Messages wait until you are back.",
  displaced: "Paused: open in too many tabs.",
};

export class Status {
  #line;
  #timer = 0;

  constructor(line) {
    this.#line = line;
  }

  connection(state) {
    clearTimeout(this.#timer);
    const words = WORDS[state];
    if (!words) this.#show("", "");
    else this.#timer = setTimeout(() => this.#show(words, state), state === "waiting" ? LASTS_MS : 0);
  }

  /** Say something that will not change until the page is loaded again. */
  fatal(words) {
    clearTimeout(this.#timer);
    this.#show(words, "fatal");
    this.connection = () => {};
  }

  #show(words, state) {
    this.#line.textContent = words;
    this.#line.dataset.state = state;
  }
}
