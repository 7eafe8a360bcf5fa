import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, openClinic } from '../test/clinic.ts';
import { createPlayback } from './playback.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

/** Everything a file imports when it runs, down to the packages: types leave no trace. */
function reached(entry: URL): { readonly files: ReadonlySet<string>; readonly packages: ReadonlySet<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (url: URL): void => {
    if (files.has(url.href)) return;
    files.add(url.href);
    const source = readFileSync(url, 'utf8').replaceAll(/^\s*\*.*$/gm, '');
    for (const [, statement = '', specifier = ''] of source.matchAll(
      /^(import|export)\s(?!type\s)[^;]*?from '([^']+)'/gm,
    )) {
      expect(statement).toBeTruthy();
      if (specifier.startsWith('.')) visit(new URL(specifier, url));
      else packages.add(specifier);
    }
  };
  visit(entry);
  return { files, packages };
}

describe('createPlayback', () => {
  it('gives the same links, checks and events as the whole room', async () => {
    const { id } = await clinic.available();
    const playback = createPlayback({ stores: clinic.stores, objects: clinic.objects, clock: clinic.clock });
    const { url } = await playback.playbackUrl(id, clinic.patient);
    expect((await clinic.objects.fetch(new Request(url))).status).toBe(200);
    expect((await clinic.events()).at(-1)).toMatchObject({
      action: 'recording.view',
      outcome: 'success',
      patient: 'p1',
    });
    // Ids sort by their millisecond.
    clinic.clock.advance(1);
    await expect(playback.downloadUrl(id, clinic.stranger)).rejects.toMatchObject({ code: 'forbidden' });
    expect((await clinic.events()).at(-1)).toMatchObject({ action: 'recording.download', outcome: 'denied' });
  });

  it('reaches neither calendar nor rules nor providers, so an edge bundle stays small', () => {
    const { files, packages } = reached(new URL('./playback.ts', import.meta.url));
    expect([...packages]).toEqual(['@medzen/core']);
    expect([...files].some((file) => /retention|providers|consent|sweep/.test(file))).toBe(false);
  });

  it('is not the only one: the whole room takes rules and calendar from outside as well', () => {
    const { files, packages } = reached(new URL('./create-recordings.ts', import.meta.url));
    expect([...packages]).toEqual(['@medzen/core']);
    expect([...files].some((file) => /retention\/(rules|evaluate|trigger-day|create-retention)/.test(file))).toBe(
      false,
    );
  });

  it('is measured by a walk that does find what is there', () => {
    expect([...reached(new URL('./retention/create-retention.ts', import.meta.url)).packages]).toContain(
      '@medzen/core/calendar',
    );
  });
});
