// BullMQ: jobs whose effect is counted, and of which nothing is kept when they are done.

import { openSync, writeSync } from 'node:fs';

import { Worker } from 'bullmq';

import { NAME, connection } from './jobs.mjs';

const effects = openSync(process.env.EFFECTS, 'a');

async function effect(job) {
  const record = Buffer.alloc(4);
  record.writeUInt32LE(job.data.number);
  writeSync(effects, record);
}

new Worker(NAME, effect, {
  connection: connection(),
  concurrency: Number(process.env.CONCURRENCY ?? 100),
  removeOnComplete: { count: 0 },
});
