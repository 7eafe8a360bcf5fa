import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSigner, leafHash, nodeHash, signCheckpoint, witnessClient } from '@medzen/audit';
import { afterEach, beforeEach, expect, test } from 'vitest';

const signer = createSigner({ origin: 'clinic.example/audit', privateKey: new Uint8Array(32).fill(7) });
const leaves = [leafHash(Uint8Array.of(1)), leafHash(Uint8Array.of(2))] as const;

let folder: string;
let running: ChildProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'medzen-guide-'));
});
afterEach(async () => {
  await stop();
  await rm(folder, { recursive: true });
});

/** Starts the witness as the guide says. @returns its client */
async function start(logs = signer.verifierKey) {
  const child = spawn(process.execPath, [fileURLToPath(new URL('witness.ts', import.meta.url))], {
    env: {
      ...process.env,
      WITNESS_NAME: 'compliance.example/w1',
      WITNESS_SEED: Buffer.alloc(32, 9).toString('base64'),
      WITNESS_FOLDER: folder,
      WITNESS_LOGS: logs,
      PORT: '0',
    },
  });
  running = child;
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('verifier key')) resolve();
    });
    child.on('exit', () => reject(new Error(`The witness ended: ${said}`)));
  });
  const port = /listening on (\d+)/.exec(said)?.[1];
  const verifierKey = /verifier key: (\S+)/.exec(said)?.[1] ?? '';
  return { ...witnessClient({ url: `http://127.0.0.1:${port}`, verifierKey }), port: Number(port) };
}

/** Says something to the witness that no client of HTTP would, and waits for the end of its answer. */
async function say(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.end(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

async function stop(): Promise<void> {
  const child = running;
  if (child === undefined || child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.removeAllListeners('exit').once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

test('the witness of the guide cosigns, remembers past a restart, and signs no second history', async () => {
  const head = (size: number, root: Uint8Array) => signCheckpoint({ origin: signer.origin, size, root }, signer);
  const first = await head(1, leaves[0]);
  const one = await start();
  expect(await one.cosign({ checkpoint: first, size: 1, consistencyProof: async () => [] })).toMatchObject({
    status: 'cosigned',
  });
  await stop();
  const again = await start();
  const grown = await head(2, nodeHash(...leaves));
  expect(await again.cosign({ checkpoint: grown, size: 2, consistencyProof: async () => [leaves[1]] })).toMatchObject({
    status: 'cosigned',
  });
  const forked = await head(2, nodeHash(leaves[1], leaves[0]));
  expect(await again.cosign({ checkpoint: forked, size: 2, consistencyProof: async () => [] })).toEqual({
    status: 'inconsistent',
  });
});

test('it outlives requests that are none, and takes both keys of a log that has changed its own', async () => {
  const next = createSigner({ origin: signer.origin, privateKey: new Uint8Array(32).fill(8) });
  const witness = await start(` ${signer.verifierKey} ${next.verifierKey}\n`);
  for (const line of ['TRACE / HTTP/1.1', 'GET // HTTP/1.1', 'POST http:// HTTP/1.1'])
    expect(await say(witness.port, `${line}\r\nHost: w\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 4/);
  for (const [at, by] of [signer, next].entries()) {
    const root = at === 0 ? leaves[0] : nodeHash(...leaves);
    const checkpoint = await signCheckpoint({ origin: signer.origin, size: at + 1, root }, by);
    expect(await witness.cosign({ checkpoint, size: at + 1, consistencyProof: async () => [leaves[1]] })).toMatchObject(
      {
        status: 'cosigned',
      },
    );
  }
});
