import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { diskObjects } from '@medzen/adapters-local/disk';
import { createSigner } from '@medzen/audit';
import { fileCheckpoints } from '@medzen/audit/node';
import { fromHex, type Logger, reveal, systemClock } from '@medzen/core';
import { twilio } from '@medzen/recording';
import { createApp } from './app.ts';
import { checkDatabase } from './check-database.ts';
import { type Config, readConfig } from './config.ts';
import { openDatabase } from './database.ts';
import { signIn } from './guard.ts';
import { startJobs } from './jobs.ts';
import { visits } from './seed.ts';
import { listen } from './serve.ts';
import { startFailure } from './start-failure.ts';
import { visitsOf } from './visits.ts';

/** Starts the app from the environment, and ends it in order: no request, no batch and no transfer is cut in two. */
async function main(config: Config, logger: Logger): Promise<void> {
  mkdirSync(config.dataDir, { recursive: true });
  const database = await openDatabase(join(config.dataDir, 'db'));
  await checkDatabase(database.stores, logger);
  const objects = diskObjects({
    dir: join(config.dataDir, 'media'),
    secret: reveal(config.linkSecret),
    baseUrl: `${config.publicUrl}/media`,
  });
  const app = createApp({
    tenant: config.tenant,
    limitSecret: fromHex(reveal(config.limitSecretHex)),
    publicUrl: config.publicUrl,
    origins: config.origins,
    stores: database.stores,
    objects,
    media: objects.fetch,
    auth: signIn(config.identity),
    provider: twilio({
      accountSid: config.twilio.accountSid,
      authToken: reveal(config.twilio.authToken),
      statusCallback: (tenant) => `${config.publicUrl}/webhooks/twilio?tenant=${tenant}`,
      ...(config.twilio.apiUrl === undefined ? {} : { baseUrl: config.twilio.apiUrl, allowLoopback: true }),
    }),
    signer: createSigner({ origin: config.checkpoint.origin, privateKey: fromHex(reveal(config.checkpoint.seedHex)) }),
    endedKeys: config.checkpoint.endedKeys,
    memory: await fileCheckpoints(join(config.dataDir, 'checkpoints')),
    visits: visitsOf(visits),
    clock: systemClock,
    logger,
  });
  const server = await listen(app.express, config);
  const jobs = startJobs(app.services, { ...config.jobs, tenant: config.tenant, logger });
  console.log(`Listening on http://${config.host}:${server.port}`);

  const stop = async (): Promise<void> => {
    console.log('Stopping');
    await server.close();
    await jobs.stop();
    await app.close();
    await database.close();
    console.log('Stopped');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      stop().catch((error: unknown) => {
        console.error(error);
        process.exitCode = 1;
      });
    });
}

try {
  await main(readConfig(process.env), console);
} catch (error) {
  console.error(startFailure(error));
  process.exitCode = 1;
}
