/** Whether a client that names both in `Accept` would rather have lines (application/x-ndjson) than one JSON document. */
export function wantsLines(accept: string | undefined): boolean {
  if (accept?.toLowerCase().includes('ndjson') !== true) return false;
  const qualities = new Map(accept.split(',').map(qualityOf));
  const lines = qualities.get('application/x-ndjson') ?? 0;
  return lines > 0 && lines >= (qualities.get('application/json') ?? 0);
}

function qualityOf(range: string): readonly [type: string, quality: number] {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  return [type, quality === undefined ? 1 : Number(quality) || 0];
}
