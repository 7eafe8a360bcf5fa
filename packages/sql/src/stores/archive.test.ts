import { sealEvent, type Wire, type WireCallOptions } from '@medzen/core';
import { expect, test } from 'vitest';
import { sqlStores } from '../index.ts';
import { knownMigrations } from '../manifest.generated.ts';

test('a range is looked through and purged with more patience than a call has by itself', async () => {
  const asked = new Map<string, WireCallOptions | undefined>();
  const wire: Wire = {
    call: async (name, _args, options) => {
      asked.set(name, options);
      if (name === 'read_migrations') return knownMigrations.map((migration) => ({ ...migration }));
      return name === 'open_archive' ? [] : [{ result: { status: 'purged' } }];
    },
    get root() {
      return wire;
    },
    inTransaction: false,
  };
  const { archive } = sqlStores(wire, { signal: new AbortController().signal });
  await archive.begin(1_000_000);
  const actor = { id: 'retention', type: 'service' } as const;
  const facts = {
    action: 'audit.purge',
    kind: 'delete',
    outcome: 'success',
    tenant: 'default',
    actor,
    source: {},
  } as const;
  const order = { first: 0, end: 1_000_000, manifestSha256: new Uint8Array(32), years: 6 };
  await archive.purge({ tenant: 'default' }, order, sealEvent(facts));
  // A million events took a minute on a quiet machine; the deadline of a call is ten seconds.
  for (const name of ['open_archive', 'purge_archive'])
    expect(asked.get(name)).toMatchObject({ patienceMs: 900_000, signal: expect.any(AbortSignal) });
});
