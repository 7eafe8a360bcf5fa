import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('./demo.ts', import.meta.url));

function start(...args: readonly string[]) {
  const child = spawn(process.execPath, [script, ...args], { env: { PATH: process.env.PATH }, stdio: 'pipe' });
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output.text += text));
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return { child, output, ended };
}

const bothCommit = /the host commits .* 1 row, 1 event/;
const neitherCommits = /the host rolls back .* 0 rows, 0 events/;

describe('npm run demo', () => {
  it.each<{ readonly args: readonly string[]; readonly lines: readonly RegExp[] }>([
    { args: [], lines: [/PGlite, in-process/, bothCommit, neitherCommits] },
    {
      args: ['--wire', 'prisma'],
      lines: [/a server of its own/, /go through Prisma 7/, bothCommit, neitherCommits],
    },
    {
      args: ['--wire', 'supabase'],
      lines: [
        /go through supabase-js/,
        /a stand-in for PostgREST \(not Supabase itself\)/,
        /added by the provider .* 1 row, 1 event/,
        /the table refuses the row .* 0 rows, 0 events/,
      ],
    },
  ])('tells the whole story and succeeds: $args', { timeout: 180_000 }, async ({ args, lines: ofTheWire }) => {
    const { output, ended } = start(...args);
    const code = await ended;
    expect(output.text).not.toContain('✗');
    expect(code).toBe(0);
    for (const line of [
      ...ofTheWire,
      /migrated .* \d+ migrations/,
      /before anyone consented .* 403 consent_required/,
      /the same again: nothing changes .* 200 repeated/,
      /a forged recording-completed .* 401 signature_invalid/,
      /streamed to the object store .* 58613 bytes, video\/mp4/,
      /it plays .* 200 58613 bytes/,
      /the player may seek .* 206 /,
      /not in the visit .* 403 forbidden/,
      /one character changed .* 403/,
      /61 minutes later .* 403/,
      /the whole log verifies .* ok, \d+ events/,
      /tries an UPDATE .* refused by a trigger/,
      /changes one byte .* event_altered/,
      /the byte is put back .* ok, \d+ events/,
      /asks to delete it .* 409 retention_active until 2033-11-24/,
      /treated again .* kept until 2034-03-16/,
      /archived by the sweep/,
      /a warning goes out .* 30 days before 2034-06-14/,
      /under legal hold .* 0 deleted; a person: 409 held/,
      /the sweep deletes it .* 3 versions/,
      /3 versions and markers before, 0 now/,
      /asks to play it .* 410 gone/,
      /audit events written +\d+/,
      /Everything was as it should be/,
    ])
      expect(output.text).toMatch(line);
    const lines = output.text.split('\n');
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    expect(output.text).not.toContain('\u001b['); // no colour where nobody watches
  });

  it('says how it is used when it was asked for a wire that does not exist', async () => {
    const { output, ended } = start('--wire', 'mysql');
    expect(await ended).toBe(2);
    expect(output.text).toMatch(/^No such wire: mysql\nUsage: .*\n$/);
  });

  it('leaves an app running whose curl lines work', { timeout: 240_000 }, async () => {
    const { child, output, ended } = start('--serve');
    try {
      const url = await address(output, ended);
      const page = await (await fetch(url)).text();
      const lines = [...page.matchAll(/<pre>(.*?)<\/pre>/gs)].map(([, line = '']) => unescapeHtml(line));
      expect(lines.length).toBeGreaterThan(15);
      for (const line of lines) {
        const { status, text } = await curl(line);
        expect([line.slice(0, 120), status, status < 500 && status !== 401 && status !== 404]).toEqual([
          line.slice(0, 120),
          status,
          true,
        ]);
        if (line.includes('/audit/verify')) expect(text).toContain('"ok":true');
      }
    } finally {
      child.kill('SIGINT');
    }
    expect(await ended).toBe(0);
  });
});

async function address(output: { readonly text: string }, ended: Promise<unknown>): Promise<string> {
  let over = false;
  ended.then(() => (over = true));
  for (;;) {
    const found = /Open (http:\S+) /.exec(output.text)?.[1];
    if (found !== undefined) return found;
    if (over) throw new Error(`It ended: ${output.text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function unescapeHtml(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

/** What curl would do; it may not be installed. */
async function curl(line: string): Promise<{ readonly status: number; readonly text: string }> {
  const [, url = ''] = /'(http[^']+)'/.exec(line) ?? [];
  const headers = [...line.matchAll(/-H '([^:]+): ([^']*)'/g)].map(
    ([, name = '', value = '']) => [name, value] as [string, string],
  );
  const [, body] = /-d '([^']*)'/.exec(line) ?? [];
  const [, method = 'GET'] = /-X (\w+)/.exec(line) ?? [];
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  return { status: response.status, text: await response.text() };
}
