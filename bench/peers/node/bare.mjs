// Node's own http module, with nothing on top: the least that the runtime costs.

import { createServer } from 'node:http';

import { oneByOne } from './store.mjs';
import { hold, tellAll } from './streams.mjs';

const RPC_WAIT_MS = 50;
const KVS = '/bench/kvs/';
const kvs = process.env.DATABASE_URL ? oneByOne() : null;

function answer(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function withBody(request, use) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => use((parts.length === 1 ? parts[0] : Buffer.concat(parts)).toString()));
}

const server = createServer((request, response) => {
  const { method, url } = request;
  const failed = () => answer(response, 500, '{"error":"store"}');
  if (url === '/bench/echo' && method === 'POST') {
    withBody(request, (text) => {
      let value;
      try {
        value = JSON.parse(text);
      } catch {
        answer(response, 400, '{"error":"bad_json"}');
        return;
      }
      answer(response, 200, JSON.stringify(value));
    });
  } else if (url === '/bench/rpc') {
    setTimeout(() => answer(response, 200, JSON.stringify({ ok: true })), RPC_WAIT_MS);
  } else if (url.startsWith(KVS) && method === 'GET') {
    kvs.get(url.slice(KVS.length)).then((value) => {
      if (value === null) answer(response, 404, '{"error":"not_found"}');
      else answer(response, 200, value);
    }, failed);
  } else if (url.startsWith(KVS) && method === 'PUT') {
    withBody(request, (text) => {
      kvs.put(url.slice(KVS.length), text).then(() => {
        response.writeHead(204);
        response.end();
      }, failed);
    });
  } else if (url === '/bench/stream' && method === 'GET') {
    hold(response);
  } else if (url === '/bench/stream') {
    withBody(request, (text) => answer(response, 200, JSON.stringify({ streams: tellAll(text) })));
  } else {
    answer(response, 404, '{"error":"not_found"}');
  }
});

// Connections stay open between requests for as long as ours do.
server.keepAliveTimeout = 75_000;
server.listen({ host: '127.0.0.1', port: Number(process.env.PORT), backlog: 4096 });
