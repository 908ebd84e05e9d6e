import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import { errorsHtml, headOf } from './error-pages.js';

const page = `${headOf('Scrip API')}
<link rel="stylesheet" href="/docs/swagger-ui.css"><div id="ui"></div>
<noscript><p>This page needs scripts. All routes are in <a href="/openapi.json">/openapi.json</a>.</p></noscript>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></html>`;
const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true, defaultModelsExpandDepth: 0 });`;
const pagePolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
const assets = { 'swagger-ui.css': 'text/css', 'swagger-ui-bundle.js': 'text/javascript' } as const;

/** Serves the document, the page to try it with, and the page of problems; nothing comes from another host. */
export function serveDocs(server: FastifyInstance, document: OpenAPIObject): void {
  const json = JSON.stringify(document);
  const html = (body: string) => ({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': pagePolicy,
    body,
  });
  const pages = {
    '/docs': html(page),
    '/docs/errors': html(errorsHtml()),
    '/docs/start.js': { 'content-type': 'text/javascript', body: start },
    '/openapi.json': { 'content-type': 'application/json', body: json },
  };
  for (const [url, { body, ...headers }] of Object.entries(pages)) {
    server.get(url, (_, reply) => reply.headers(headers).send(body));
  }
  server.get('/', (_, reply) => reply.redirect('/docs'));
  for (const [name, type] of Object.entries(assets)) {
    const path = fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`));
    server.get(`/docs/${name}`, (_, reply) =>
      reply.headers({ 'content-type': type, 'cache-control': 'public, max-age=3600' }).send(createReadStream(path)),
    );
  }
}
