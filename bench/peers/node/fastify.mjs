// Fastify as its manual builds it; KVS=batched puts DataLoader in front of `pg`.

import fastify from 'fastify';

import { batched, oneByOne } from './store.mjs';
import { hold, tellAll } from './streams.mjs';

const RPC_WAIT_MS = 50;
const kvs = process.env.DATABASE_URL ? (process.env.KVS === 'batched' ? batched() : oneByOne()) : null;
const app = fastify({ logger: false, keepAliveTimeout: 75_000 });

app.post('/bench/echo', async (request) => request.body);

app.get('/bench/rpc', (_, reply) => {
  setTimeout(() => reply.send({ ok: true }), RPC_WAIT_MS);
});

app.get('/bench/kvs/:key', async (request, reply) => {
  const value = await kvs.get(request.params.key);
  if (value === null) return reply.code(404).send({ error: 'not_found' });
  return reply.type('application/json; charset=utf-8').send(value);
});

app.get('/bench/stream', (_, reply) => {
  reply.hijack();
  hold(reply.raw);
});

app.post('/bench/stream', async (request) => ({ streams: tellAll(JSON.stringify(request.body)) }));

// A value is kept as the text it came in: a scope of its own, in which JSON is not decoded.
app.register(async (scope) => {
  scope.removeContentTypeParser('application/json');
  scope.addContentTypeParser('application/json', { parseAs: 'string' }, (_, text, done) => done(null, text));
  scope.put('/bench/kvs/:key', async (request, reply) => {
    await kvs.put(request.params.key, request.body);
    return reply.code(204).send();
  });
});

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT), backlog: 4096 });
