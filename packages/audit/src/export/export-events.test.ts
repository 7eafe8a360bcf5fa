import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { memoryStores } from '@medzen/adapters-local';
import { type AuditEvent, type AuditStore, type CallContext, canonicalize, MedzenError, openEvent } from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, it, test, vi } from 'vitest';
import { auditEvents, viewed } from '../audit-event.fixture.ts';
import { createAuditLog } from '../audit-log.ts';
import type { EventPage } from '../event-page.ts';
import { leafHash } from '../tree-hash.ts';
import { type ExportOptions, exportEvents } from './export-events.ts';
import type { ExportFormat } from './export-format.ts';
import { exportLog } from './export-log.ts';
import type { ExportSummary } from './export-summary.ts';
import { toNdjson } from './ndjson.ts';

const formats = [
  'ndjson',
  'csv',
  'fhir-r4',
  'fhir-r5',
  'ocsf',
  'access-log',
] as const satisfies readonly ExportFormat[];
const text = (stream: ReadableStream<Uint8Array>): Promise<string> => new Response(stream).text();
const page = (size: number, damaged: readonly string[] = []): EventPage => ({
  events: Array.from({ length: size }, () => viewed()),
  damaged,
});
/** Pages as a log gives them, counted as they are read. */
async function* counted(
  pages: readonly EventPage[],
  read: { pages: number; closed?: boolean },
): AsyncGenerator<EventPage> {
  try {
    for (const one of pages) {
      read.pages++;
      yield one;
    }
  } finally {
    read.closed = true;
  }
}

describe('exportEvents', () => {
  it('writes as ndjson the very bytes that are the leaves of the log', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(auditEvents(), { maxLength: 8 }), async (events) => {
        const written = await text(exportEvents([{ events, damaged: [] }], 'ndjson', { trailer: false }));
        expect(written).toBe(toNdjson(events));
        const leaves = written
          .split('\n')
          .slice(0, -1)
          .map((line) => createHash('sha256').update(`\0${line}`).digest('hex'));
        expect(leaves).toEqual(
          events.map((event) => Buffer.from(leafHash(new TextEncoder().encode(canonicalize(event)))).toString('hex')),
        );
        expect(
          written
            .split('\n')
            .slice(0, -1)
            .map((line) => openEvent(new TextEncoder().encode(line))),
        ).toEqual(events);
      }),
    );
  });

  test.each(formats)('writes %s alike from pages, from events and from chunks of any size', async (format) => {
    const events = Array.from({ length: 500 }, (_, i) => viewed({ patient: `p${i}` }));
    async function* one(): AsyncGenerator<AuditEvent> {
      yield* events;
    }
    const whole = await text(exportEvents([{ events, damaged: [] }], format));
    expect(await text(exportEvents(events, format))).toBe(whole);
    expect(await text(exportEvents(one(), format))).toBe(whole);
    expect(whole.split('\n').length).toBeGreaterThan(500);
  });

  test.each(['fhir-r4', 'fhir-r5', 'ocsf', 'access-log'] as const)(
    'writes %s as one JSON text a line and nothing else',
    async (format) => {
      const lines = (await text(exportEvents([page(3)], format))).split('\n');
      expect(lines.pop()).toBe('');
      expect(lines.map((line) => typeof JSON.parse(line))).toEqual(['object', 'object', 'object']);
    },
  );

  it('ends ndjson and csv with a line that says that they are whole, and which rows they lack', async () => {
    const pages = [page(2, ['lost-1']), page(1)];
    expect((await text(exportEvents(pages, 'ndjson'))).split('\n').at(-2)).toBe(
      '{"complete":true,"damaged":["lost-1"],"events":3}',
    );
    expect((await text(exportEvents(pages, 'csv'))).split('\r\n').at(-2)).toMatch(
      /^"#complete","events 3","damaged lost-1",""/,
    );
    expect(await text(exportEvents([], 'ndjson'))).toBe('{"complete":true,"damaged":[],"events":0}\n');
  });

  test.each(formats)(
    'breaks %s off with the error when a page cannot be read, and never ends it as if it were whole',
    async (format) => {
      const down = new MedzenError('store_unavailable', 'The store is down');
      const onEnd = vi.fn();
      async function* failing(): AsyncGenerator<EventPage> {
        yield page(1000);
        throw down;
      }
      const reader = exportEvents(failing(), format, { onEnd }).getReader();
      let got = '';
      await expect(async () => {
        for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read())
          got += new TextDecoder().decode(chunk.value);
      }).rejects.toBe(down);
      expect(got).not.toContain('complete');
      expect(onEnd).not.toHaveBeenCalled();
    },
  );

  it('breaks the connection of a client who downloads it', async () => {
    async function* failing(): AsyncGenerator<EventPage> {
      yield page(1000);
      throw new Error('The store went down');
    }
    const server = createServer((_, response) => {
      pipeline(Readable.from(exportEvents(failing(), 'ndjson')), response).catch(() => {}); // the client is told by the break
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo; // of a TCP server
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      expect(response.status).toBe(200);
      await expect(response.text()).rejects.toThrow();
    } finally {
      server.close();
    }
  });

  it('reads nothing before it is asked, and no page before the one before it was taken', async () => {
    const read = { pages: 0 };
    const pages = Array.from({ length: 50 }, () => page(1000));
    const reader = exportEvents(counted(pages, read), 'ndjson').getReader();
    await new Promise((resolve) => setImmediate(resolve));
    expect(read.pages).toBe(0);
    await reader.read();
    await new Promise((resolve) => setImmediate(resolve));
    expect(read.pages).toBe(1);
    await reader.cancel();
    expect(read).toEqual({ pages: 1, closed: true });
  });

  it('cuts its chunks small, however large the pages', async () => {
    const reader = exportEvents([page(5000)], 'ndjson').getReader();
    let largest = 0;
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read())
      largest = Math.max(largest, chunk.value.length);
    expect(largest).toBeLessThan(70_000);
  });

  it('stops at once when it is told to, even while a page does not come', async () => {
    const stop = new AbortController();
    const why = new Error('The client went away');
    async function* hanging(): AsyncGenerator<EventPage> {
      yield page(200);
      await new Promise(() => {});
    }
    const reader = exportEvents(hanging(), 'ndjson', { signal: stop.signal }).getReader();
    await reader.read();
    const next = reader.read();
    stop.abort(why);
    await expect(next).rejects.toBe(why);
  });

  it('does not begin once it was told to stop', async () => {
    const read = { pages: 0 };
    const stream = exportEvents(counted([page(1)], read), 'ndjson', { signal: AbortSignal.abort(new Error('gone')) });
    await expect(text(stream)).rejects.toThrow('gone');
    expect(read.pages).toBe(0);
  });

  it('forgets the signal when it is over', async () => {
    const { signal } = new AbortController();
    const [add, remove] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    await text(exportEvents([page(1)], 'ndjson', { signal }));
    expect(remove.mock.calls[0]?.[1]).toBe(add.mock.calls[0]?.[1]);
  });

  it('tells what it came to, and fails when that cannot be noted', async () => {
    const seen: ExportSummary[] = [];
    const events = [viewed(), viewed({ action: 'recording.list' })];
    await text(exportEvents(events, 'access-log', { onEnd: (summary) => void seen.push(summary) }));
    expect(seen).toEqual([{ events: 2, lines: 1, damaged: [] }]);
    const full = exportEvents(events, 'ndjson', { onEnd: () => Promise.reject(new Error('disk full')) });
    await expect(text(full)).rejects.toThrow('disk full');
  });

  it('names a row that was altered into no event, and goes on', async () => {
    const altered = { v: 1, id: 'altered' } as unknown as AuditEvent; // what somebody with the database's password wrote
    const seen: ExportSummary[] = [];
    const written = await text(
      exportEvents([altered, viewed()], 'ocsf', { onEnd: (summary) => void seen.push(summary) }),
    );
    expect(written.split('\n')).toHaveLength(2);
    expect(seen[0]?.damaged).toEqual(['altered']);
  });

  it.each(['pdf', '__proto__', 'constructor'])('refuses the format %s', (format) => {
    const wrong = format as ExportFormat; // from a query string
    expect(() => exportEvents([], wrong)).toThrowError(expect.objectContaining({ code: 'invalid_input' }));
  });
});

describe('exportLog', () => {
  const ctx: CallContext = {
    scope: { tenant: 'default' },
    actor: { id: 'auditor', type: 'user', roles: ['auditor'], tenant: 'default' },
    source: { ip: '192.0.2.9' },
  };
  async function setUp(change: (store: AuditStore) => Partial<AuditStore> = () => ({})) {
    const clock = fakeClock();
    const { audit } = memoryStores({ clock });
    const log = createAuditLog({ store: { ...audit, ...change(audit) }, clock });
    const view = { action: 'recording.view', kind: 'read', outcome: 'success', patient: 'p1' } as const;
    for (let i = 0; i < 5; i++) await createAuditLog({ store: audit, clock }).record({ ...view, detail: { i } }, ctx);
    return { log, audit };
  }
  const run = (options?: ExportOptions) => async (log: ReturnType<typeof createAuditLog>) =>
    exportLog(log, ctx, { patient: 'p1', limit: 2 }, 'ndjson', options);

  it('is an event, durable before anything is read', async () => {
    const search = vi.fn();
    const { log, audit } = await setUp((store) => ({
      search: (...args) => {
        search();
        return store.search(...args);
      },
    }));
    const response = await run()(log);
    expect(search).not.toHaveBeenCalled();
    const [event] = (await audit.search(ctx.scope, { action: 'audit.export' })).events;
    expect(event && openEvent(event.body)).toMatchObject({
      action: 'audit.export',
      kind: 'read',
      outcome: 'success',
      patient: 'p1',
      purpose: 'HOPERAT',
      actor: { id: 'auditor' },
      detail: { format: 'ndjson', filters: ['patient'] },
    });
    const lines = (await response.text()).split('\n');
    expect(lines).toHaveLength(6 + 1 + 1);
    expect(search).toHaveBeenCalledTimes(3);
  });

  it('gives the stored bytes back, byte for byte', async () => {
    const { log, audit } = await setUp();
    const written = await (await run({ trailer: false })(log)).text();
    const { events } = await audit.search(ctx.scope, { patient: 'p1' });
    expect(written).toBe(events.map(({ body }) => `${new TextDecoder().decode(body)}\n`).join(''));
  });

  it('gives nothing when its event cannot be written', async () => {
    const down = new MedzenError('store_unavailable', 'The store is down');
    const search = vi.fn();
    const { log } = await setUp(() => ({ append: () => Promise.reject(down), search }));
    await expect(run()(log)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(search).not.toHaveBeenCalled();
  });

  it.each([
    ['ndjson', 'application/x-ndjson', 'audit.ndjson'],
    ['csv', 'text/csv; charset=utf-8; header=present', 'audit.csv'],
    ['fhir-r4', 'application/fhir+ndjson', 'audit.ndjson'],
  ] as const)('answers %s as a download that nothing keeps', async (format, type, file) => {
    const { log } = await setUp();
    const { headers, body } = await exportLog(log, ctx, {}, format);
    expect(headers.get('content-type')).toBe(type);
    expect(headers.get('content-disposition')).toBe(`attachment; filename="${file}"`);
    expect(headers.get('cache-control')).toBe('no-store');
    await body?.cancel();
  });

  it('notes a format that there is none of as a failure', async () => {
    const { log, audit } = await setUp();
    await expect(exportLog(log, ctx, {}, 'pdf' as ExportFormat)).rejects.toMatchObject({ code: 'invalid_input' });
    const [event] = (await audit.search(ctx.scope, { action: 'audit.export' })).events;
    expect(event && openEvent(event.body)).toMatchObject({ action: 'audit.export', outcome: 'failed' });
  });
});
