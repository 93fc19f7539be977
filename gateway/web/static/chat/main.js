// The chat page: what the visitor does goes to the outbox, what the stream says goes to the log.
//
// No framework, no build step, nothing from another host. Text from outside becomes text nodes only (parts.js).

import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { Scroller } from "./scroller.js";
import { Status } from "./status.js";
import { renewVisit } from "./visit.js";

const { title, chat, post, events, beatS } = document.body.dataset;
const at = (id) => document.getElementById(id);

const status = new Status(at("status"));
const scroller = new Scroller(at("scroll"), at("log"), at("newest"));
const log = new Log(at("log"), { title, welcome: at("welcome"), earlier: at("earlier"), send });
const outbox = new Outbox({
  url: post,
  chat,
  onState: (item, state, detail) => log.delivery(item, state, detail),
  onSent: (item, seq) => log.sent(item, seq),
  onUnknownVisitor: leave,
});
const connection = new Connection({
  url: events,
  beatMs: Number(beatS) * 1000,
  place: () => log.place,
  onEvent: hear,
  onState: (state) => status.connection(state),
  onUnknownVisitor: leave,
});
const composer = new Composer(at("composer"), at("words"), at("send"), (text) => send({ text }));

function send(body) {
  const item = outbox.add(body);
  log.pending(item);
  scroller.follow();
  connection.wake();
  outbox.flush();
  composer.focus();
}

function hear(name, data) {
  switch (name) {
    case "opened":
      log.restart();
      break;
    case "accepted":
      log.accepted(data);
      break;
    case "preview":
      log.preview(data);
      break;
    case "turn":
      log.turn(data);
      break;
    case "ready":
      log.ready();
      break;
  }
}

function leave() {
  connection.stop();
  outbox.stop();
  if (!renewVisit()) {
    status.fatal("This page cannot recognise you. Please allow cookies for it, and load it again.");
  }
}

for (const chip of at("welcome").querySelectorAll("button")) {
  chip.addEventListener("click", () => send({ text: chip.textContent }));
}
for (const item of outbox.waiting()) {
  log.pending(item);
}
log.retry = (item) => outbox.retry(item);
log.discard = (item) => outbox.discard(item);
connection.start();
outbox.start();
composer.focus();
