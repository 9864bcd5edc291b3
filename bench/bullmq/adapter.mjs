// BullMQ for bench/compare.py, with its defaults; docs/PERFORMANCE.md has the contract.
import { appendFileSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';

const told = (name, otherwise = 0) => Number(process.env[`BENCH_${name}`] || otherwise);
const log = process.env.BENCH_LOG;
const address = new URL(process.env.BENCH_REDIS_URL);
const connection = { host: address.hostname, port: Number(address.port), maxRetriesPerRequest: null };
const concurrency = told('CONCURRENCY', 200);
const name = 'toys';

function toy(id) {
  const data = { id, sleep_ms: told('SLEEP_MS'), kind: 'send_email', to: `user-${id}@example.test`, pad: '' };
  const missing = told('PAYLOAD_BYTES', 300) - JSON.stringify(data).length;
  return { ...data, pad: 'x'.repeat(Math.max(0, missing)) };
}

async function produce(queue, producer, producers) {
  const bulk = told('BULK');
  const ids = [];
  for (let id = told('START') + producer; id < told('START') + told('N'); id += producers) ids.push(id);
  if (bulk > 0) {
    for (let at = 0; at < ids.length; at += bulk) {
      await queue.addBulk(ids.slice(at, at + bulk).map((id) => ({ name, data: toy(id) })));
    }
    return;
  }
  for (const id of ids) {
    const data = toy(id);
    const gap = told('GAP_US');
    if (gap) appendFileSync(log, `Q ${id} ${process.hrtime.bigint()}\n`);
    const due = told('DUE_MS');
    await queue.add(name, data, due ? { delay: Math.max(0, due - Date.now()) } : {});
    if (gap) await pause((gap / 1000) * (0.5 + Math.random()));
  }
}

if (process.env.BENCH_ACTION === 'enqueue') {
  const queue = new Queue(name, { connection });
  await queue.waitUntilReady();
  const producers = told('PRODUCERS', 1);
  const since = process.hrtime.bigint();
  await Promise.all(Array.from({ length: producers }, (_, number) => produce(queue, number, producers)));
  const seconds = Number(process.hrtime.bigint() - since) / 1e9;
  console.log(JSON.stringify({ ok: true, enqueued: told('N'), seconds }));
  await queue.close();
} else {
  const file = openSync(log, 'a');
  const note = (tag, id) => writeSync(file, `${tag} ${id} ${process.hrtime.bigint()}\n`);
  const run = async ({ data }) => {
    note('S', data.id);
    if (data.sleep_ms) {
      await pause(data.sleep_ms);
      note('E', data.id);
    }
  };
  const worker = new Worker(name, run, { connection, concurrency });
  process.on('SIGTERM', () => worker.close().then(() => process.exit(0)));
}
