// The key-value store of the Node contestants: a statement a request, or batches by DataLoader.
//
// `pg` is tuned: statements are prepared once a connection, by name, and the pool has as many connections as served it
// best at 64 callers: of 4, 8, 16, 32 and 64, the third and the fourth, which were alike.

import DataLoader from 'dataloader';
import pg from 'pg';

const GET = { name: 'get', text: 'SELECT value FROM bench_kvs WHERE key = $1' };
const PUT = {
  name: 'put',
  text: 'INSERT INTO bench_kvs (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
};
const GET_MANY = { name: 'get_many', text: 'SELECT key, value FROM bench_kvs WHERE key = ANY($1::text[])' };
const PUT_MANY = {
  name: 'put_many',
  text:
    'INSERT INTO bench_kvs (key, value) SELECT * FROM unnest($1::text[], $2::text[]) ' +
    'ON CONFLICT (key) DO UPDATE SET value = excluded.value',
};

function pool() {
  // pg takes a folder with a unix socket as the host of a URL only in this form of its own.
  const url = new URL(process.env.DATABASE_URL.replace('postgresql://switchboard@/', 'postgresql://switchboard@x/'));
  return new pg.Pool({
    user: url.username,
    database: url.pathname.slice(1),
    host: url.searchParams.get('host'),
    max: Number(process.env.POOL ?? 16),
  });
}

export function oneByOne() {
  const database = pool();
  return {
    async get(key) {
      const { rows } = await database.query({ ...GET, values: [key] });
      return rows.length ? rows[0].value : null;
    },
    async put(key, value) {
      await database.query({ ...PUT, values: [key, value] });
    },
  };
}

export function batched() {
  const database = pool();
  const options = {
    // Every load goes to PostgreSQL: no memory of earlier ones.
    cache: false,
    maxBatchSize: 64,
    // By default a batch is what one callback of the event loop asked for, and each request has a callback of its own:
    // batches of one.  setImmediate waits for all sockets that are ready now.
    batchScheduleFn: (callback) => setImmediate(callback),
  };
  const reads = new DataLoader(async (keys) => {
    const { rows } = await database.query({ ...GET_MANY, values: [keys] });
    const found = new Map(rows.map((row) => [row.key, row.value]));
    return keys.map((key) => found.get(key) ?? null);
  }, options);
  const writes = new DataLoader(async (pairs) => {
    // A statement may touch a row once: of two writes to one key the later one stands.
    const last = new Map(pairs);
    // Two batches that lock the same rows in different orders would be a deadlock.
    const keys = [...last.keys()].sort();
    await database.query({ ...PUT_MANY, values: [keys, keys.map((key) => last.get(key))] });
    return pairs.map(() => true);
  }, options);
  return { get: (key) => reads.load(key), put: (key, value) => writes.load([key, value]) };
}
