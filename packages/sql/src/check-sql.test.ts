import type { Wire, WireRow } from '@medzen/core';
import { expect, test } from 'vitest';
import { checkedWire } from './check-sql.ts';
import { sqlStores } from './index.ts';
import { knownMigrations } from './manifest.generated.ts';

/** A wire whose ledger is read when the test says so; every other function answers no row. */
function slowLedger(): { readonly wire: Wire; readonly answers: ((rows: readonly WireRow[]) => void)[] } {
  const answers: ((rows: readonly WireRow[]) => void)[] = [];
  const wire: Wire = {
    call: async (name) => {
      if (name !== 'read_migrations') return [];
      const { promise, resolve } = Promise.withResolvers<readonly WireRow[]>();
      answers.push(resolve);
      return promise;
    },
    get root() {
      return wire;
    },
    inTransaction: false,
  };
  return { wire, answers };
}

const canceled = { code: 'store_unavailable' };
const sound = knownMigrations.map((migration) => ({ ...migration }));

test('an aborted signal ends a call that waits for the ledger, and leaves the check to the other callers', async () => {
  const { wire, answers } = slowLedger();
  const checked = checkedWire(wire);
  const impatient = new AbortController();
  const patient = checked.call('any', {});
  const hasty = checked.call('any', {}, { signal: impatient.signal });
  impatient.abort();
  await expect(hasty).rejects.toMatchObject(canceled);
  answers[0]?.(sound);
  expect(await patient).toEqual([]);
  expect(answers).toHaveLength(1);
});

test('the signal of stores ends their first call too, while the ledger is not answered', async () => {
  const { wire } = slowLedger();
  const impatient = new AbortController();
  const stores = sqlStores(wire, { signal: impatient.signal });
  const call = stores.audit.search({ tenant: 'default' }, {});
  impatient.abort();
  await expect(call).rejects.toMatchObject(canceled);
});

test('a check that fails when nobody waits any more ends no process, and the next call looks again', async () => {
  const { wire, answers } = slowLedger();
  const checked = checkedWire(wire);
  const impatient = new AbortController();
  const hasty = checked.call('any', {}, { signal: impatient.signal });
  impatient.abort();
  await expect(hasty).rejects.toMatchObject(canceled);
  answers[0]?.([]); // no migration at all
  await new Promise(setImmediate); // the failure reaches the calls that still wait
  const next = checked.call('any', {});
  answers[1]?.(sound);
  expect(await next).toEqual([]);
});
