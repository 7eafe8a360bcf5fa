import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../test/free-port.ts';
import { type LocalIssuer, startLocalIssuer } from './local-issuer.ts';
import { rawConnection } from './raw-request.ts';
import { people } from './seed.ts';
import { agreed } from './test-stage.ts';

/** A process of the app, and what it said. */
interface Running {
  readonly child: ChildProcess;
  said(): string;
  /** Resolves when the text was said, rejects when the process ended before. */
  saying(text: string): Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

function run(script: string, env: Readonly<Record<string, string>>): Running {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path], { env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal })),
  );
  return {
    child,
    said: () => said,
    ended,
    saying: async (text) => {
      let over = false;
      ended.then(() => (over = true));
      while (!said.includes(text)) {
        if (over) throw new Error(`It ended and only said: ${said}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

describe('the app as a process', { timeout: 240_000 }, () => {
  let issuer: LocalIssuer;
  let env: Record<string, string>;
  let dir: string;
  beforeAll(async () => {
    issuer = await startLocalIssuer();
    dir = mkdtempSync(join(tmpdir(), 'medzen-main-'));
    const port = await freePort();
    env = {
      PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      DATA_DIR: dir,
      TENANT: 'peachtree',
      ALLOWED_ORIGINS: 'https://app.clinic.example',
      OIDC_ISSUER: issuer.issuer,
      OIDC_AUDIENCE: issuer.audience,
      OIDC_JWKS_URL: issuer.jwksUrl,
      TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
      TWILIO_AUTH_TOKEN: 'a-token',
      LINK_SECRET: 'x'.repeat(32),
      LIMIT_SECRET: '0'.repeat(64),
      CHECKPOINT_ORIGIN: 'app.clinic.example/audit',
      CHECKPOINT_SEED: 'f'.repeat(64),
    };
  });
  afterAll(async () => {
    await issuer.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it.each(['./main.ts', './migrate.ts'])('does not start without its settings, and names them: %s', async (script) => {
    const { TENANT: _, ...rest } = env;
    const app = run(script, rest);
    expect((await app.ended).code).toBe(1);
    expect(app.said()).toBe('invalid_configuration: Missing or malformed in the environment: TENANT\n');
  });

  it('does not start on a database that was not migrated, and names the migration', async () => {
    const app = run('./main.ts', env);
    expect((await app.ended).code).toBe(1);
    expect(app.said()).toContain('migration_missing: The database lacks migration 000001_foundation');
  });

  it('starts after the migration, and ends in order: what is under way is answered, nothing new is taken', async () => {
    const migration = run('./migrate.ts', env);
    expect(await migration.ended).toEqual({ code: 0, signal: null });
    expect(migration.said()).toContain('000001_foundation');

    const app = run('./main.ts', env);
    await app.saying('Listening on');
    const base = `http://127.0.0.1:${env.PORT}`;
    const body = JSON.stringify(agreed);
    const slow = rawConnection(base);
    const token = await issuer.token(people.patient);
    slow.write(
      `POST /visits/visit-1/consent HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\nexpect: 100-continue\r\n\r\n`,
    );
    await slow.until('100 Continue'); // the server has the request in hand
    slow.write(body.slice(0, 20));
    app.child.kill('SIGTERM');
    await app.saying('Stopping');
    await expect(fetch(`${base}/`)).rejects.toThrow(); // nothing new is taken
    slow.write(body.slice(20));
    const answer = (await slow.answer(20_000)).replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(await app.ended).toEqual({ code: 0, signal: null });
    expect(app.said()).toContain('Stopped');
  });

  it('has kept what it answered', async () => {
    const app = run('./main.ts', env);
    await app.saying('Listening on');
    const report = await fetch(`http://127.0.0.1:${env.PORT}/access-reports`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await issuer.token(people.patient)}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ patient: people.patient.id }),
    });
    expect(await report.text()).toContain('"consent.give":1');
    app.child.kill('SIGINT');
    expect(await app.ended).toEqual({ code: 0, signal: null });
  });

  it('says so in one line when its port is taken', async () => {
    const { port } = new URL(issuer.issuer);
    const app = run('./main.ts', { ...env, PORT: port });
    expect((await app.ended).code).toBe(1);
    // What the embedded database lacks of a server in service was told before, as warnings.
    const [last] = app.said().trimEnd().split('\n').slice(-1);
    expect(last).toBe(`Something else listens on 127.0.0.1:${port} already; set PORT`);
  });
});
