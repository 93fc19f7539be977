// The message box: grows with its text, sends on Enter.

const COARSE = matchMedia("(pointer: coarse)");

export class Composer {
  #words;
  #button;
  #send;

  constructor(form, words, button, send) {
    this.#words = words;
    this.#button = button;
    this.#send = send;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    words.addEventListener("keydown", (event) => {
      // While an input method is composing, Enter chooses a word (229: Safari says it only like this).
      const composing = event.isComposing || event.keyCode === 229;
      if (event.key === "Enter" && !event.shiftKey && !composing) {
        event.preventDefault();
        this.#submit();
      }
    });
    words.addEventListener("input", () => this.#changed());
    this.#changed();
  }

  /** Put the cursor into the box, unless that would bring up a screen keyboard that nobody asked for. */
  focus() {
    if (!COARSE.matches || document.activeElement === this.#button) this.#words.focus({ preventScroll: true });
  }

  #submit() {
    const text = this.#words.value.trim();
    if (!text) return;
    this.#words.value = "";
    this.#changed();
    this.#send(text);
  }

  #changed() {
    const words = this.#words;
    this.#button.disabled = !words.value.trim();
    words.style.height = "auto";
    // What it needs inside, and its border around that: a pixel too few would show a scrollbar.
    words.style.height = `${words.scrollHeight + words.offsetHeight - words.clientHeight}px`;
  }
}
