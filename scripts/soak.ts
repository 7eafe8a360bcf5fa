/**
 * 32 connections do everything at once on a real server for a while; then the database is held against what each was told.
 *
 *   node scripts/soak.ts [seconds, 60 when absent] [seed]
 */
import pg from 'pg';
import { installSql } from '../packages/sql/src/index.ts';
import { runSoak } from '../test/soak/run-soak.ts';
import { startPostgres } from '../test/start-postgres.ts';

const [seconds = 60, seed = 1] = process.argv.slice(2).map(Number);
if (!(seconds > 0) || !Number.isInteger(seed)) {
  console.error('soak [seconds] [seed]');
  process.exit(2);
}
const server = await startPostgres();
try {
  const owner = new pg.Client(server.url);
  await owner.connect();
  await installSql(owner).finally(() => owner.end());
  const { checks, answers, events } = await runSoak({ url: server.url, seconds, seed });
  console.log(`soak: ${seconds} s, seed ${seed}, ${events} events`);
  for (const [answer, often] of [...answers].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`  ${answer}: ${often}`);
  for (const { name, details } of checks) {
    console.log(`  ${details.length === 0 ? 'ok   ' : 'FAIL '} ${name}`);
    for (const detail of details.slice(0, 20)) console.log(`        ${detail}`);
  }
  const failed = checks.filter(({ details }) => details.length > 0).length;
  console.log(`soak: ${checks.length - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  await server.stop();
}
