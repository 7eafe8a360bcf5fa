import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { memoryStores } from '@medzen/adapters-local';
import { type AuditEventDraft, createIds, type LogStore, sealEvent, systemClock, systemRandom } from '@medzen/core';
import { createS3Server } from '@medzen/testing/s3-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCosigner } from './cosigner.ts';
import { createEvidence } from './evidence.ts';
import { directoryTiles } from './node/directory-tiles.ts';
import { publishLog } from './publish-log.ts';
import { createSequencer } from './sequencer.ts';
import { formatSignature } from './signed-note.ts';
import { createSigner } from './signer.ts';
import { createWitness } from './witness.ts';
import { witnessClient } from './witness-client.ts';
import { memoryWitnessStore } from './witness-store.ts';

const origin = 'clinic.example/audit';
const signer = createSigner({ origin, privateKey: new Uint8Array(32).fill(7) });
const cosigner = createCosigner({ name: 'witness.example/w1', privateKey: new Uint8Array(32).fill(9) });
const key = ['--key', signer.verifierKey];
const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  source: {},
};

let home: string;
let log: LogStore;
let eventId: string;
let earlier: string;

const at = (name: string): string => join(home, name);

/** The command as a stranger runs it. */
function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return runIn({}, ...args);
}

function runIn(
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<{ code: number; out: string; err: string }> {
  const bin = fileURLToPath(new URL('../bin/medzen-verify.mjs', import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], { cwd: home, env: { ...process.env, ...env } }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'medzen-verify-'));
  const stores = memoryStores();
  log = stores.log;
  const sealing = { clock: systemClock, random: systemRandom, ids: createIds(systemClock, systemRandom) };
  const logs = [{ origin, verifierKeys: [signer.verifierKey] }];
  const witness = createWitness({ cosigner, store: memoryWitnessStore(), logs });
  const { verifierKey, fetch } = witness;
  const witnesses = [witnessClient({ url: 'https://witness.example', verifierKey, fetch })];
  const sequencer = createSequencer({ memory: 'unguarded', store: log, signer, witnesses, batchSize: 300 });
  const events = Array.from({ length: 600 }, () => sealEvent(draft, sealing));
  await stores.audit.append({ tenant: 'default' }, events);
  await sequencer.tick();
  earlier = (await log.head()).checkpoint ?? '';
  await sequencer.tick();
  eventId = events[5]?.id ?? '';
  await publishLog({ store: log, target: directoryTiles(at('whole')), entries: true });
  await publishLog({ store: log, target: directoryTiles(at('hashes')) });
  await writeFile(at('earlier.txt'), earlier);
  await writeFile(at('event.tlog-proof'), await createEvidence(log, eventId));
  await writeFile(at('keys.txt'), `# of the clinic\n${signer.verifierKey}\n`);
});
afterAll(() => rm(home, { recursive: true }));

describe('medzen-verify', () => {
  it('says what a folder proves, and what it does not', async () => {
    const { code, out } = await run(...key, 'whole');
    expect(code).toBe(0);
    expect(out).toBe(
      [
        'proved      clinic.example/audit signed a log of 600 entries',
        'not proved  that everybody is shown this same log: no key of a witness was given',
        'proved      every stored hash is one that was signed: no tile was changed',
        'proved      all 600 entries are the ones that were signed, none is missing',
        'not proved  that nothing was cut off or rewritten since an earlier day: no checkpoint was given with --since',
        '',
      ].join('\n'),
    );
  });

  it('takes witnesses, a file of keys and an earlier checkpoint', async () => {
    const witnessed = ['--keys', 'keys.txt', '--key', cosigner.verifierKey, '--since', 'earlier.txt'];
    const { code, out } = await run(...witnessed, 'hashes');
    expect(code).toBe(0);
    expect(out).toMatch(/proved {6}cosigned by witness\.example\/w1 at 20/);
    expect(out).toContain('not proved  what the entries are: they are not among the files');
    expect(out).toContain('proved      it grew out of the checkpoint of 300 entries that was given');
  });

  it('refuses a log with one changed byte, and names what it hit', async () => {
    const file = at('whole/tile/entries/001');
    const sound = await readFile(file);
    await writeFile(file, Buffer.from(sound.map((byte, i) => (i === 40 ? byte ^ 1 : byte))));
    const { code, out } = await run(...key, 'whole');
    await writeFile(file, sound);
    expect(code).toBe(1);
    expect(out).toMatch(/^REFUSED {5}entry 256 /);
  });

  it('refuses a log that is shorter than a checkpoint that was kept', async () => {
    const target = directoryTiles(at('short'));
    await publishLog({ store: log, target, checkpoint: earlier });
    await writeFile(at('later.txt'), (await log.head()).checkpoint ?? '');
    const { code, out } = await run(...key, '--since', 'later.txt', 'short');
    expect(code).toBe(1);
    expect(out).toContain('it was cut, or an old copy was restored');
  });

  it('refuses a checkpoint that nobody signed, however large a log it claims', async () => {
    await mkdir(at('boast'));
    const body = `${origin}\n${Number.MAX_SAFE_INTEGER}\n${Buffer.alloc(32).toString('base64')}\n`;
    await writeFile(at('boast/checkpoint'), `${body}\n\u2014 nobody.example ${Buffer.alloc(68).toString('base64')}\n`);
    const { code, out } = await run(...key, 'boast');
    expect([code, out]).toEqual([1, expect.stringContaining('is by nobody whose key was given')]);
  });

  it('verifies evidence of one event', async () => {
    const { code, out } = await run(...key, '--key', cosigner.verifierKey, 'event.tlog-proof');
    expect(code).toBe(0);
    expect(out).toContain(`proved      event ${eventId} (recording.view, success,`);
    const stranger = createSigner({ origin, privateKey: new Uint8Array(32).fill(1) });
    const refused = await run('--key', stranger.verifierKey, 'event.tlog-proof');
    expect([refused.code, refused.out]).toEqual([1, 'REFUSED     nobody whose key was given has signed\n']);
  });

  it('reads from a web server', async () => {
    const target = directoryTiles(at('whole'));
    const server = createServer(async (request, response) => {
      const bytes = await target.read((request.url ?? '').slice('/log/'.length));
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo; // it listens on TCP
    try {
      const { code, out } = await run(...key, '--json', `http://127.0.0.1:${port}/log`);
      expect(code).toBe(0);
      expect(JSON.parse(out).statements).toContainEqual({
        is: 'proved',
        text: 'all 600 entries are the ones that were signed, none is missing',
      });
      const gone = await run(...key, `http://127.0.0.1:${port}/`);
      expect([gone.code, gone.err]).toEqual([2, 'Could not look: There is no checkpoint among the files\n']);
    } finally {
      server.close();
    }
  });

  it('reads from a bucket, with the SDK of whoever runs it', async () => {
    const server = await createS3Server({ buckets: ['logs'] });
    try {
      const { endpoint, region, credentials } = server;
      const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
      const source = directoryTiles(at('whole'));
      for (const path of ['checkpoint', 'tile/0/000', 'tile/0/001', 'tile/0/002.p/88', 'tile/1/000.p/2'])
        await client.send(
          new PutObjectCommand({ Bucket: 'logs', Key: `audit/${path}`, Body: (await source.read(path)) ?? '' }),
        );
      const { code, out } = await runIn(
        {
          AWS_ACCESS_KEY_ID: server.accessKeyId,
          AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
          AWS_REGION: server.region,
          AWS_ENDPOINT_URL_S3: server.endpoint,
        },
        ...key,
        's3://logs/audit',
      );
      expect([code, out]).toEqual([0, expect.stringContaining('signed a log of 600 entries')]);
    } finally {
      await server.close();
    }
  });

  it('verifies a log whose key has another name, when told the log’s own', async () => {
    const oddly = createSigner({ origin: 'key.example', privateKey: new Uint8Array(32).fill(7) });
    const resigned = async (checkpoint: string, as = 'example database tree'): Promise<string> => {
      const body = `${[as, ...checkpoint.split('\n').slice(1, 3)].join('\n')}\n`;
      const keyId = Buffer.from(oddly.verifierKey.split('+')[1] ?? '', 'hex');
      const signature = await oddly.sign(new TextEncoder().encode(body));
      return `${body}\n${formatSignature({ name: oddly.origin, keyId, signature })}`;
    };
    const checkpoint = (await log.head()).checkpoint ?? '';
    await cp(at('hashes'), at('oddly'), { recursive: true });
    await writeFile(at('oddly/checkpoint'), await resigned(checkpoint));
    await writeFile(at('oddly.txt'), await resigned(earlier));
    await writeFile(
      at('oddly.tlog-proof'),
      (await readFile(at('event.tlog-proof'), 'utf8')).replace(checkpoint, await resigned(checkpoint)),
    );
    const itsKey = ['--key', oddly.verifierKey];
    const named = [...itsKey, '--origin', 'example database tree'];
    const whole = await run(...named, '--since', 'oddly.txt', 'oddly');
    expect([whole.code, whole.out]).toEqual([0, expect.stringContaining('example database tree signed a log of 600')]);
    expect(await run(...named, 'oddly.tlog-proof')).toMatchObject({ code: 0 });
    expect(await run(...itsKey, 'oddly')).toMatchObject({ code: 1 });
    expect(await run(...itsKey, 'oddly.tlog-proof')).toMatchObject({
      code: 1,
      out: expect.stringContaining('--origin'),
    });
    expect(await run(...itsKey, '--origin', 'key.example', 'oddly')).toMatchObject({ code: 1 });
    // Of a log whose own key is given, no other one signs.
    const [own = ''] = checkpoint.split('\n');
    const forged = await resigned(checkpoint, own);
    await writeFile(at('oddly/checkpoint'), forged);
    const proof = await readFile(at('event.tlog-proof'), 'utf8');
    await writeFile(at('forged.tlog-proof'), proof.replace(checkpoint, forged));
    for (const what of ['oddly', 'forged.tlog-proof'])
      expect(await run(...key, ...itsKey, '--origin', own, what), what).toMatchObject({ code: 1 });
    expect(await run(...key, ...itsKey, '--origin', own, 'event.tlog-proof')).toMatchObject({ code: 0 });
    expect(await run(...key, '--origin', 'example database tree', 'hashes')).toMatchObject({ code: 1 });
  });

  it('could not look, and says why, at what is not there or was asked wrongly', async () => {
    const wrong: readonly (readonly [args: readonly string[], says: RegExp])[] = [
      [[], /Say one thing to verify/],
      [['whole'], /Give the log’s verifier key/],
      [[...key, 'nowhere'], /ENOENT/],
      [[...key, '--unknown', 'whole'], /--unknown/],
      [['--key', 'c2VlZA==', 'whole'], /^(?!.*c2Vl)Could not look: --key number 1 must be a verifier key$/m], // perhaps a seed
      [[...key, '--since', 'earlier.txt', 'event.tlog-proof'], /--since is for a log/],
      [[...key, '--event', 'event.tlog-proof', 'whole'], /--event is for evidence/],
      [[...key, '--witnesses', 'two', 'whole'], /whole number/],
      [[...key, 'http://127.0.0.1:9/'], /could not be fetched/],
    ];
    const answers = await Promise.all(wrong.map(([args]) => run(...args)));
    for (const [i, { code, err }] of answers.entries()) {
      expect([i, code]).toEqual([i, 2]);
      expect(err).toMatch(wrong[i]?.[1] ?? /never/);
    }
  });

  it('refuses with too few witnesses, and explains itself', async () => {
    const absent = createCosigner({ name: 'witness.example/w2', privateKey: new Uint8Array(32).fill(3) });
    const { code, out } = await run(...key, '--key', cosigner.verifierKey, '--key', absent.verifierKey, 'whole');
    expect([code, out]).toEqual([1, expect.stringContaining('1 of the 2 witnesses asked for have cosigned')]);
    expect(await run(...key, '--key', cosigner.verifierKey, '--witnesses', '1', 'whole')).toMatchObject({ code: 0 });
    // One witness, named twice, is one.
    const twice = ['--key', cosigner.verifierKey, '--key', cosigner.verifierKey];
    expect(await run(...key, ...twice, 'whole')).toMatchObject({ code: 0 });
    expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('Exit code: 0 proved') });
  });
});
