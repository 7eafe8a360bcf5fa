import { ask } from './ask.ts';
import type { Story } from './story.ts';

/** What was started, and where. */
export async function house({ world, tell }: Story): Promise<void> {
  const { database, baseUrl, issuer, twilio, dir, clock } = world;
  tell.chapter('The house: everything embedded, nothing to install');
  const version = await ask(database.owner, "SELECT current_setting('server_version')");
  tell.step(`Postgres ${version} (${database.kind}) is migrated`, `${database.applied.length} migrations`);
  for (const { what, value } of database.parts) tell.step(what, value);
  tell.step('the app listens', baseUrl);
  tell.step('a local identity provider publishes its keys', issuer.jwksUrl);
  tell.step('a stand-in for Twilio Video (not Twilio itself)', twilio.url);
  tell.step('the media will lie on disk', `${dir}/media`);
  tell.step('the clock is set, and will be moved', `${clock.now().toISOString().slice(0, 16)}Z`);
}
