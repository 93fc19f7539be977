// The Chat SDK on Node's own HTTP server: one bot, its state in memory, CONCURRENCY its strategy for overlapping messages.

import { createServer } from 'node:http';

import { createSlackAdapter } from '@chat-adapter/slack';
import { createMemoryState } from '@chat-adapter/state-memory';
import { Chat, ConsoleLogger } from 'chat';

const { ASSISTANT_URL, HOOK, PORT, SLACK_API_URL, SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET } = process.env;

const bot = new Chat({
  userName: 'bot',
  adapters: {
    slack: createSlackAdapter({
      apiUrl: `${SLACK_API_URL}/`,
      botToken: SLACK_BOT_TOKEN,
      signingSecret: SLACK_SIGNING_SECRET,
    }),
  },
  state: createMemoryState(),
  concurrency: process.env.CONCURRENCY ?? 'drop',
  logger: new ConsoleLogger('error'),
});

bot.onNewMessage(/.*/, async (thread, message) => {
  const response = await fetch(ASSISTANT_URL, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message: { text: message.text }, user: message.author.userId }),
  });
  const reply = await response.json();
  await thread.post(reply.parts[0].text);
});

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const server = createServer(async (incoming, outgoing) => {
  if (incoming.method !== 'POST' || incoming.url !== HOOK) {
    outgoing.writeHead(404, { 'content-length': 0 }).end();
    return;
  }
  const request = new Request(`http://127.0.0.1${incoming.url}`, {
    method: 'POST',
    headers: incoming.headers,
    body: await body(incoming),
  });
  const response = await bot.webhooks.slack(request, { waitUntil: (task) => task.catch(() => {}) });
  const answer = Buffer.from(await response.arrayBuffer());
  outgoing.writeHead(response.status, { 'content-length': answer.length }).end(answer);
});

await bot.initialize();
server.keepAliveTimeout = 75_000;
server.listen(Number(PORT), '127.0.0.1');
