import { createServer, type Server } from 'node:http';
import type { WorkerMetrics } from './metrics.js';

/** Serves `/livez` and `/metrics` until it is closed. Rejects when it cannot listen. */
export function serveOperations(metrics: WorkerMetrics, host: string, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === '/livez') {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
      return;
    }
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  // Longer than the minute for which balancers and scrapers keep a connection, so that it is they who close it.
  server.keepAliveTimeout = 72_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}
