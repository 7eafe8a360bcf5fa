/**
 * Our logs before another implementation, and its logs before ours: golang.org/x/mod/sumdb, the log of Go's checksum database, as Debian
 * packages it (golang-go, golang-golang-x-mod-dev). Prints a line a case and ends with `N passed, N failed`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStores } from '@medzen/adapters-local';
import { createEvidence, createSequencer, createSigner, publishLog } from '@medzen/audit';
import { directoryTiles } from '@medzen/audit/node';
import { createIds, sealEvent, systemClock, systemRandom } from '@medzen/core';

const root: string = join(import.meta.dirname, '..');
const packages = '/usr/share/gocode';
if (!existsSync(join(packages, 'src/golang.org/x/mod/sumdb/tlog'))) {
  console.error('Not there: golang.org/x/mod. Install golang-go and golang-golang-x-mod-dev.');
  process.exit(1);
}
const home: string = mkdtempSync(join(tmpdir(), 'medzen-interop-'));
const go: string = join(home, 'interop');
const env = {
  ...process.env,
  GO111MODULE: 'off',
  CGO_ENABLED: '0',
  GOPATH: packages,
  GOFLAGS: '-buildvcs=false',
  GOCACHE: join(home, 'cache'),
};
execFileSync('go', ['build', '-o', go, join(root, 'test/interop/interop.go')], { env, stdio: 'inherit' });

let [passed, failed] = [0, 0];

function outcome(command: string, args: readonly string[]): { ok: boolean; says: string } {
  try {
    return { ok: true, says: execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' }).trim() };
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }; // of execFileSync
    return { ok: false, says: `${stdout}${stderr}`.trim() };
  }
}

/** One case: what a command says of something sound, or of something that was changed. */
function expectThat(title: string, wanted: 'accepts' | 'refuses', command: string, ...args: readonly string[]): void {
  const { ok, says } = outcome(command, args);
  const good = ok === (wanted === 'accepts');
  if (good) passed++;
  else failed++;
  console.log(`${good ? 'pass' : 'FAIL'}  ${wanted}: ${title} – ${says.split('\n').at(-1)}`);
}

/** Changes one byte of a file while something is done. */
function withChanged(file: string, at: number, work: () => void): void {
  const sound = readFileSync(file);
  writeFileSync(file, Buffer.from(sound.map((byte, i) => (i === at ? byte ^ 1 : byte))));
  work();
  writeFileSync(file, sound);
}

const medzenVerify: string = join(root, 'packages/audit/bin/medzen-verify.mjs');
const signer = createSigner({ origin: 'clinic.example/audit', privateKey: crypto.getRandomValues(new Uint8Array(32)) });
const sealing = { clock: systemClock, random: systemRandom, ids: createIds(systemClock, systemRandom) };

for (const size of [1, 2, 255, 256, 257, 1000, 5000]) {
  const { audit, log } = memoryStores();
  const sequencer = createSequencer({ memory: 'unguarded', store: log, signer, batchSize: 997 });
  const actor = { id: 'dr-1', type: 'user' } as const;
  const draft = {
    action: 'note.view',
    kind: 'read',
    outcome: 'success',
    tenant: 'default',
    actor,
    source: {},
  } as const;
  const events = Array.from({ length: size }, () => sealEvent(draft, sealing));
  for (let at = 0; at < size; at += 1000) await audit.append({ tenant: 'default' }, events.slice(at, at + 1000));
  while ((await sequencer.tick()).status === 'committed');
  const ours = join(home, `ours-${size}`);
  await publishLog({ store: log, target: directoryTiles(ours), entries: true });
  expectThat(`Go reads our log of ${size}`, 'accepts', go, 'verify', ours, signer.verifierKey);
  const file = join(home, `ours-${size}.tlog-proof`);
  writeFileSync(file, await createEvidence(log, events[size >> 1]?.id ?? ''));
  expectThat(`Go reads our evidence from ${size}`, 'accepts', go, 'evidence', file, signer.verifierKey);
  withChanged(file, 60, () =>
    expectThat('Go, our evidence with a bit changed', 'refuses', go, 'evidence', file, signer.verifierKey),
  );

  const theirs = join(home, `theirs-${size}`);
  const key = outcome(go, ['make', theirs, String(size)]).says;
  const verify = [medzenVerify, '--key', key];
  expectThat(`we read Go's log of ${size}`, 'accepts', process.execPath, ...verify, theirs);
  const proof = join(theirs, 'entry.tlog-proof');
  expectThat(`we read Go's evidence from ${size}`, 'accepts', process.execPath, ...verify, proof);
  for (const part of [
    'checkpoint',
    size < 256 ? `tile/0/000.p/${size}` : 'tile/0/000',
    size < 256 ? `tile/entries/000.p/${size}` : 'tile/entries/000',
  ])
    withChanged(join(theirs, part), 20, () =>
      expectThat(
        `we, Go's log of ${size} with a bit changed in ${part}`,
        'refuses',
        process.execPath,
        ...verify,
        theirs,
      ),
    );
}
rmSync(home, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
