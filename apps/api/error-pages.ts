import { problemKinds, retryAfter, type ProblemCode } from './problems.js';

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

This page is made from the table in \`apps/api/problems.ts\`; a test compares the two.

${sections.join('\n')}`;
}

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/`([^`]+)`/g, '<code>$1</code>');

/** The page that the `type` of every problem leads to. */
export function errorsHtml(): string {
  const sections = codes.map((code) => {
    const { status, title, detail } = problemKinds[code];
    return `<h2 id="${code}">${code}</h2><p><b>${String(status)}</b> ${escaped(title)}. ${escaped(detail)}</p>`;
  });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Scrip: problems</title><h1>Problems</h1>${sections.join('')}</html>`;
}
