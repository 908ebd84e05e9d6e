import { describe, expect, it } from '@jest/globals';
import { createLogger } from './logger.js';

describe('createLogger', () => {
  it('writes JSON lines without secrets and people', () => {
    const lines: string[] = [];
    const logger = createLogger('api', 'info', { write: (line: string) => void lines.push(line) });
    logger.info(
      {
        requestId: 'r1',
        authorization: 'Bearer abc',
        request: { body: { email: 'a@b.c' }, customer: { email: 'a@b.c', name: 'Ann' } },
      },
      'done',
    );
    logger.debug('not written');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', process: 'api', requestId: 'r1', msg: 'done' });
    expect(lines[0]).not.toMatch(/abc|a@b\.c|Ann/);
  });

  it('has a time that sorts', () => {
    const lines: string[] = [];
    createLogger('api', 'info', { write: (line: string) => void lines.push(line) }).info('x');
    expect((JSON.parse(lines[0]!) as { time: string }).time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });
});
