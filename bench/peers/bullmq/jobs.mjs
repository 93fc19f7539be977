// What both ends share: the queue's name, and the way to Redis.

import { Redis } from 'ioredis';

export const NAME = 'bench';

export function connection() {
  const path = decodeURIComponent(new URL(process.env.REDIS_URL).pathname);
  // Its manual asks for this of a worker's connection: commands wait for as long as Redis is away.
  return new Redis({ path, maxRetriesPerRequest: null });
}
