// A reply's parts as DOM: one function a kind, in the words of the reply schema (gateway/domain/reply.py).
//
// innerHTML is never used. What the assistant sends becomes text nodes, and addresses are checked in link().

import { link, markdown, plain } from "./markdown.js";

const DRAW = { text, speech, image, audio, file, card, list, buttons, suggestions };

/** Return *part* as an element; *send* is called with what a control says when it is used. */
export function draw(part, send) {
  const drawn = DRAW[part.type]?.(part, send);
  if (drawn) return drawn;
  // A newer assistant's part: better said than silently missing.
  return make("p", { className: "part unknown" }, `(This page cannot show a part of type “${part.type}”.)`);
}

function text(part) {
  return make("div", { className: "part text" }, part.markdown ? markdown(part.text) : plain(part.text));
}

function speech(part) {
  return make("div", { className: "part text" }, plain(part.text));
}

function image(part) {
  const picture = make("img", { src: web(part.url), alt: part.alt, loading: "lazy", decoding: "async" });
  const figure = make("figure", { className: "part image" }, picture);
  picture.addEventListener("error", () => picture.replaceWith(make("p", { className: "missing" }, part.alt)));
  if (part.title) figure.append(make("figcaption", {}, part.title));
  return figure;
}

function audio(part) {
  const player = make("audio", { src: web(part.url), controls: true, preload: "none" });
  player.setAttribute("aria-label", part.title || "Audio");
  const transcript = make("details", {}, make("summary", {}, "Transcript"), plain(part.transcript));
  const title = part.title ? [make("p", { className: "title" }, part.title)] : [];
  return make("div", { className: "part audio" }, ...title, player, transcript);
}

function file(part) {
  const kind = part.media_type ? ` (${part.media_type})` : "";
  return make("p", { className: "part file" }, link(part.url, part.name) ?? part.name, kind);
}

function card(part, send) {
  const element = make("section", { className: "part card" });
  element.setAttribute("aria-label", part.title);
  if (part.image) element.append(image(part.image));
  const words = make("div", { className: "words" }, make("h3", {}, part.title));
  if (part.subtitle) words.append(make("p", { className: "subtitle" }, part.subtitle));
  if (part.text) words.append(...lines(part.text));
  element.append(words);
  if (part.buttons?.length) element.append(controls(part.buttons, send));
  return element;
}

function lines(words) {
  // Cards know no Markdown; their paragraphs are lines.
  return words.split(/\n{2,}/).map(plain);
}

function list(part, send) {
  const items = part.items.map((item) => make("li", {}, line(item, send)));
  const element = make("div", { className: "part list" });
  if (part.title) element.append(make("p", { className: "title" }, part.title));
  element.append(make(part.numbered ? "ol" : "ul", {}, ...items));
  return element;
}

function line(item, send) {
  const words = make("span", { className: "words" }, make("span", { className: "name" }, item.title));
  if (item.text) words.append(make("span", { className: "detail" }, item.text));
  const picture = item.image ? [make("img", { src: web(item.image.url), alt: item.image.alt, loading: "lazy" })] : [];
  if (!item.value) return make("span", { className: "item" }, ...picture, words);
  const choice = make("button", { type: "button", className: "item" }, ...picture, words);
  choice.addEventListener("click", () => tap(choice, "item", item.value, item.title, send));
  return choice;
}

function buttons(part, send) {
  const element = make("div", { className: "part buttons" });
  if (part.text) element.append(plain(part.text));
  element.append(controls(part.buttons, send));
  return element;
}

function controls(all, send) {
  const row = make("div", { className: "controls" });
  row.setAttribute("role", "group");
  for (const button of all) {
    const away = button.url ? link(button.url, button.label) : null;
    if (away) {
      away.className = "control";
      row.append(away);
      continue;
    }
    const control = make("button", { type: "button", className: "control" }, button.label);
    control.addEventListener("click", () => tap(control, "button", button.value ?? "", button.label, send));
    row.append(control);
  }
  return row;
}

function tap(control, name, value, label, send) {
  control.classList.add("chosen");
  send({ tap: { name, value, label } });
}

function suggestions(part, send) {
  const chips = part.texts.map((words) => {
    const chip = make("button", { type: "button", className: "chip" }, words);
    chip.addEventListener("click", () => send({ text: words }));
    return make("li", {}, chip);
  });
  const element = make("ul", { className: "part suggestions chips" }, ...chips);
  element.setAttribute("aria-label", "You could say");
  return element;
}

function web(address) {
  return /^https?:\/\//i.test(address) ? address : "";
}

export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
