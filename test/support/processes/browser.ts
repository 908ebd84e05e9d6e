import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

/** Where Chromium usually is: Debian's and Ubuntu's packages, Chrome, macOS. */
const usual = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const named = process.env['CHROMIUM'];

/** The browser of this machine, or the one that CHROMIUM names; null when there is none, which is no prerequisite of the project. */
export const browserPath: string | null =
  (named === undefined ? usual : [named]).find((path) => existsSync(path)) ?? null;

/** A headless browser that asks nothing of any other host. */
export function startBrowser(): Promise<Browser> {
  if (browserPath === null) throw new Error('there is no Chromium: set CHROMIUM to its path');
  return chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox', // as root, in containers
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
