import { retryAfter } from '../http/problem.js';
import { problemKinds, type ProblemCode } from '../http/problems.js';

const codes = Object.keys(problemKinds) as ProblemCode[];

/** The text of `docs/errors.md`. */
export function errorsMarkdown(): string {
  const sections = codes.map((code) => {
    const { status, title, detail } = problemKinds[code];
    const wait = retryAfter(code) === null ? '' : ' The answer has `Retry-After`.';
    return `## ${code}\n\n**${String(status)}** ${title}. ${detail}${wait}\n`;
  });
  return `# Problems

Every error is \`application/problem+json\` (RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\`, \`code\` and \`requestId\`. Decide
by \`code\`: it never changes its meaning. An answer that is no success has recorded nothing, but \`outcome_unknown\` and
\`internal_error\` may have.

This page is made from the table in \`apps/api/http/problems.ts\`; a test compares the two.

${sections.join('\n')}`;
}

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/`([^`]+)`/g, '<code>$1</code>');

/** How the pages of the API begin: readable on a narrow screen, and without a request for an icon. */
export const headOf = (title: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><link rel="icon" href="data:,">`;

const style = `<style>:root{color-scheme:light dark}body{max-width:44rem;margin:0 auto;padding:2rem 1.25rem;font:16px/1.5 system-ui,sans-serif}
h2{margin:2rem 0 .25rem;font-size:1.05rem;scroll-margin-top:1rem}h2:target{outline:3px solid;outline-offset:4px}p{margin:.25rem 0}code{font-size:.9em}</style>`;

/** The page that the `type` of every problem leads to. */
export function errorsHtml(): string {
  const sections = codes.map((code) => {
    const { status, title, detail } = problemKinds[code];
    return `<h2 id="${code}">${code}</h2><p><b>${String(status)}</b> ${escaped(title)}. ${escaped(detail)}</p>`;
  });
  return `${headOf('Scrip: problems')}${style}<main><h1>Problems</h1>${sections.join('')}</main></html>`;
}
