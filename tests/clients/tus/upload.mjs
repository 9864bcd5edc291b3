// Uploads a file with tus-js-client and prints what happened as one line of JSON.
//
//   node upload.mjs whole|resume|refused <endpoint or upload address> <file> [api key]
//
// whole: in pieces, to the end. resume: the connection is cut in the middle of a request, then a new
// client goes on. refused: the server must refuse the file. An address of one upload, which needs no
// key, is recognized by having a path below the endpoint.

import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import * as tus from 'tus-js-client';

// A test that waits for ever tells less than one that fails.
setTimeout(() => {
  console.error('gave up after 60 seconds');
  process.exit(3);
}, 60_000).unref();

const [scenario, address, path, key] = process.argv.slice(2);
const size = statSync(path).size;
const target = new URL(address).pathname.split('/').filter(Boolean).length > 1
  ? { uploadUrl: address }
  : { endpoint: address };

function upload(options = {}) {
  const events = { sent: 0, patches: 0, heads: 0 };
  return new Promise((resolve, reject) => {
    const client = new tus.Upload(createReadStream(path), {
      ...target,
      uploadSize: size,
      chunkSize: 1024 * 1024,
      // As long as the watchdog lets it: a server may still be busy with the request that was cut.
      retryDelays: Array(200).fill(250),
      headers: key ? { Authorization: `Bearer ${key}` } : {},
      metadata: { filename: 'clip.mp4', filetype: 'video/mp4' },
      onAfterResponse: (request) => {
        if (request.getMethod() === 'PATCH') events.patches += 1;
        if (request.getMethod() === 'HEAD') events.heads += 1;
      },
      onSuccess: () => resolve({ ...events, url: client.url }),
      onError: reject,
      ...options({ get current() { return client; } }, events, resolve),
    });
    client.start();
  });
}

async function whole() {
  return upload(() => ({}));
}

// Gives a request the first `cutAt` bytes of the file, calls `cut` and never gives more: how fast the
// server reads plays no part in where the request ends.
function firstPart(cutAt, cut) {
  async function* part(start) {
    yield* createReadStream(path, { start, end: start + cutAt - 1 });
    cut();
    await new Promise(() => {});
  }
  const slice = async (start, end) => {
    const value = Readable.from(part(start), { objectMode: false });
    value.size = end - start;
    return { value, done: true };
  };
  return { openFile: async () => ({ size, slice, close() {} }) };
}

async function resume() {
  const cutAt = Math.floor(size / 2);
  const first = await upload((holder, events, resolve) => ({
    chunkSize: Infinity,
    fileReader: firstPart(cutAt, () => {
      // Destroys the socket in the middle of the PATCH.
      holder.current.abort().then(() => resolve({ ...events, url: holder.current.url }));
    }),
  }));
  let from;
  const second = await upload((_, events) => ({
    endpoint: undefined,
    uploadUrl: first.url,
    onChunkComplete: (length, accepted) => {
      from ??= accepted - length;
      events.sent += length;
    },
  }));
  return { url: second.url, cut: cutAt, from, sent: second.sent, heads: second.heads };
}

async function refused() {
  try {
    await upload(() => ({}));
  } catch (error) {
    const response = error.originalResponse;
    return { status: response?.getStatus(), body: JSON.parse(response?.getBody() || '{}') };
  }
  throw new Error('the server took a file that it should refuse');
}

const result = await { whole, resume, refused }[scenario]();
console.log(JSON.stringify({ size, ...result }));
