import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawConnection } from './raw-request.ts';
import { type Appointment, agreed, openTestStage, pglite, postgres, type TestStage } from './test-stage.ts';

describe.each([pglite, postgres])('hostile bodies, on $name', (backend) => {
  let stage: TestStage;
  beforeAll(async () => {
    stage = await openTestStage(backend);
  });
  afterAll(() => stage.close());

  const head = async ({ visit, patient }: Appointment, ...lines: readonly string[]): Promise<string> =>
    [
      `POST /visits/${visit.id}/consent HTTP/1.1`,
      'host: 127.0.0.1',
      `authorization: Bearer ${await stage.issuer.token(patient)}`,
      'content-type: application/json',
      ...lines,
      '\r\n',
    ].join('\r\n');
  const consents = async ({ visit }: Appointment) =>
    stage.sql('SELECT FROM medzen.consent WHERE session_id = $1', [visit.id]);
  const post = ({ visit, patient }: Appointment, body: string) =>
    stage.issuer.token(patient).then((token) =>
      stage.client.send(`${stage.baseUrl}/visits/${visit.id}/consent`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body,
      }),
    );

  it('counts bytes as they come when the length is not stated', async () => {
    const appointment = stage.appointment();
    const connection = rawConnection(stage.baseUrl);
    connection.write(await head(appointment, 'transfer-encoding: chunked'));
    const chunk = 'x'.repeat(1024);
    for (let i = 0; i < 64; i++) connection.write(`400\r\n${chunk}\r\n`);
    const answer = await connection.answer();
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('body_too_large');
    expect(await consents(appointment)).toHaveLength(0);
  });

  it('does not wait for a body that is announced too large', async () => {
    const appointment = stage.appointment();
    const connection = rawConnection(stage.baseUrl);
    connection.write(await head(appointment, 'content-length: 5000000000'));
    expect(await connection.answer()).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('takes no more than was announced, and nothing of what follows', async () => {
    const appointment = stage.appointment();
    const connection = rawConnection(stage.baseUrl);
    connection.write(await head(appointment, 'content-length: 10'));
    connection.write(JSON.stringify(agreed) + 'x'.repeat(100_000));
    expect(await connection.answer()).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(await consents(appointment)).toHaveLength(0);
  });

  it('refuses two lengths in one request', async () => {
    const appointment = stage.appointment();
    const connection = rawConnection(stage.baseUrl);
    connection.write(await head(appointment, 'content-length: 3', 'transfer-encoding: chunked'));
    connection.write(`${JSON.stringify(agreed)}\r\n0\r\n\r\n`);
    expect(await connection.answer()).toMatch(/^HTTP\/1\.1 400 /);
    expect(await consents(appointment)).toHaveLength(0);
  });

  it.each([
    ['__proto__ as a key', `{"__proto__":{"roles":["compliance_officer"]},${JSON.stringify(agreed).slice(1)}`],
    ['constructor as a key', `{"constructor":{"prototype":{}},${JSON.stringify(agreed).slice(1)}`],
    ['a depth bomb', `{"acknowledgements":${'['.repeat(1500)}${']'.repeat(1500)}}`],
    ['a key twice', `${JSON.stringify(agreed).slice(0, -1)},"textVersion":"2026-11"}`],
    ['an unknown key', JSON.stringify({ ...agreed, on_behalf_of: 'someone' })],
    ['a text instead of JSON', 'yes'],
  ])('refuses %s', async (_what, body) => {
    const appointment = stage.appointment();
    const answer = await post(appointment, body);
    expect([answer.status, answer.field('code')]).toEqual([422, 'invalid_input']);
    expect(await consents(appointment)).toHaveLength(0);
    expect(Object.hasOwn(Object.prototype, 'roles')).toBe(false);
  });

  it('refuses another media type', async () => {
    const { visit, patient } = stage.appointment();
    const answer = await stage.client.call('POST', `/visits/${visit.id}/consent`, {
      as: patient,
      body: agreed,
      headers: { 'content-type': 'text/plain' },
    });
    expect(answer.status).toBe(415);
  });
});
