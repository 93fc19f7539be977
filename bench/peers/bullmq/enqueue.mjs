// `node enqueue.mjs COUNT`: enqueues that many jobs, in bulk.

import { Queue } from 'bullmq';

import { NAME, connection } from './jobs.mjs';

const BATCH_ROWS = 500;
const count = Number(process.argv[2]);
const queue = new Queue(NAME, { connection: connection() });
for (let first = 0; first < count; first += BATCH_ROWS) {
  const numbers = Array.from({ length: Math.min(BATCH_ROWS, count - first) }, (_, at) => first + at);
  await queue.addBulk(numbers.map((number) => ({ name: 'effect', data: { number, text: process.env.TEXT } })));
}
process.exit(0);
