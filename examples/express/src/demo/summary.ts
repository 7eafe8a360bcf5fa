import { ask } from './ask.ts';
import { expectEqual } from './expect.ts';
import type { Story } from './story.ts';

/** What it came to, and where to look next. */
export async function summary({ world, tell }: Story): Promise<void> {
  const { client, people } = world;
  tell.chapter('Summary');
  await client.call('POST', '/jobs/seal', { as: people.scheduler });
  const verdict = await client.call('POST', '/audit/verify', { as: people.auditor });
  expectEqual(verdict.field('ok'), true, 'The whole log verifies');
  tell.step('audit events written', await ask(world.database.owner, 'SELECT count(*) FROM medzen.audit_event'));
  tell.step('verified against the signed checkpoint', `${verdict.field('size')}: all but this verification's own`);

  const refusals = new Map<string, number>();
  for (const { request, status, code } of client.refusals) {
    const line = `${status} ${code === '' ? 'link not valid' : code}`.padEnd(24) + template(request);
    refusals.set(line, (refusals.get(line) ?? 0) + 1);
  }
  tell.step('requests refused', String(client.refusals.length));
  for (const [line, count] of refusals) tell.note(count === 1 ? line : `${line} (${count} times)`);

  tell.step('where to look next');
  for (const line of [
    'examples/express/src/app.ts       every route, in one place',
    'examples/express/src/services.ts  how the parts are put together',
    'examples/express/src/demo/wires   the same over pg, postgres.js, Prisma and Supabase (--wire)',
    'docs/decisions                    what was decided, and why',
    'npm run demo -- --serve           the same app, left running for you to try',
  ])
    tell.note(line);
}

/** Ids are long and tell nothing here. */
function template(request: string): string {
  return request.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, ':id').replace(/\/media\/.*/, '/media/…');
}
