// The first import of every program of an instrumented copy: keeps what the process has counted, so that next to
// nothing is lost when it is killed.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';

const directory = join(import.meta.dirname, '../../counts');
mkdirSync(directory, { recursive: true });
const name = join(directory, `${process.pid}-${threadId}-${Date.now()}`);

function keep() {
  const counters = Object.entries(globalThis.__coverage__ ?? {}).map(([file, { s, f, b }]) => [file, { s, f, b }]);
  writeFileSync(`${name}.part`, JSON.stringify(Object.fromEntries(counters)));
  renameSync(`${name}.part`, `${name}.json`);
}

setInterval(keep, 100).unref();
process.on('exit', keep);
