/**
 * 16 writers on a real server while two sequencers run and are killed with SIGKILL at random moments; then every event, leaf and checkpoint is
 * judged. Twice: writers that commit at once, and writers whose transactions commit late, are prepared, or roll back.
 *
 *   node scripts/chaos-audit.ts [events, 100000 when absent] [kills, 20 when absent] [seed]
 */
import pg from 'pg';
import { installSql } from '../packages/sql/src/index.ts';
import { runChaos } from '../test/chaos/run-chaos.ts';
import { startPostgres } from '../test/start-postgres.ts';

const [events = 100_000, kills = 20, seed = Math.floor(Math.random() * 2 ** 31)] = process.argv.slice(2).map(Number);
if (!(events > 0) || !(kills > 0) || !Number.isInteger(seed)) {
  console.error('chaos-audit [events] [kills] [seed]');
  process.exit(2);
}
let [passed, failed] = [0, 0];
for (const late of [false, true]) {
  const server = await startPostgres();
  try {
    const owner = new pg.Client(server.url);
    await owner.connect();
    await installSql(owner).finally(() => owner.end());
    console.log(
      `${late ? 'transactions that commit late and roll back' : 'writers that commit at once'}; seed ${seed}`,
    );
    const { checks, figures } = await runChaos({ url: server.url, events, kills, late, seed });
    for (const [name, value] of figures) console.log(`  ${name}: ${value}`);
    for (const { name, details } of checks) {
      console.log(`  ${details.length === 0 ? 'ok   ' : 'FAIL '} ${name}`);
      for (const detail of details) console.log(`        ${detail}`);
      if (details.length === 0) passed++;
      else failed++;
    }
  } finally {
    await server.stop();
  }
}
console.log(`chaos: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
