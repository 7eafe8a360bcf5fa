import { describe, expect, it } from 'vitest';
import { httpTiles } from './http-tiles.ts';

/** Files behind a web server that answers every request alike, and what was asked of it. */
function served(prefix: string, respond: () => Response) {
  const asked: string[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    asked.push(request.url);
    return respond();
  };
  return { asked, read: httpTiles(prefix, { fetch }).read };
}

describe('a log’s files on a web server', () => {
  it.each([
    ['https://log.example', 'https://log.example/tile/0/000'],
    ['https://log.example/audit', 'https://log.example/audit/tile/0/000'],
    ['https://log.example/audit/', 'https://log.example/audit/tile/0/000'],
    ['https://log.example/audit?sig=x%2Fy', 'https://log.example/audit/tile/0/000?sig=x%2Fy'],
  ])('below %s are asked for at %s', async (prefix, url) => {
    const { asked, read } = served(prefix, () => new Response(Uint8Array.of(7)));
    expect(await read('tile/0/000')).toEqual(Uint8Array.of(7));
    expect(asked).toEqual([url]);
  });

  it('are not there, or could not be fetched: two different things', async () => {
    for (const status of [403, 404])
      expect(
        await served('https://log.example', () => new Response('', { status })).read('checkpoint'),
      ).toBeUndefined();
    const tooLong = () => new Response(new Uint8Array(17_000_000));
    const cut = () => new Response(new ReadableStream({ start: (body) => body.error(new Error('cut')) }));
    for (const respond of [
      () => new Response('', { status: 429 }),
      () => new Response('', { status: 500 }),
      tooLong,
      cut,
    ])
      await expect(served('https://log.example', respond).read('checkpoint')).rejects.toMatchObject({
        code: 'store_unavailable',
      });
    expect(() => httpTiles('nowhere')).toThrow('prefix must be an absolute URL');
  });
});
