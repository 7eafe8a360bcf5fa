import type { GuardedHandler } from '@medzen/security';
import { mount, toExpress } from '@medzen/security/express';
import express, { type Express } from 'express';
import type { Try } from './index-page.ts';
import { failed, unknownRoute } from './problems.ts';
import { accessReport } from './routes/access-report.ts';
import { auditSearch } from './routes/audit-search.ts';
import { checkpoint } from './routes/checkpoint.ts';
import { consent } from './routes/consent.ts';
import { correctFact } from './routes/correct-fact.ts';
import { deleteRecording } from './routes/delete.ts';
import { download } from './routes/download.ts';
import { explain } from './routes/explain.ts';
import { fact } from './routes/fact.ts';
import { placeHold, releaseHold, searchHolds } from './routes/hold.ts';
import { home } from './routes/home.ts';
import { reconcile, sequence, stopWithdrawn, sweep, transfer } from './routes/jobs.ts';
import { keep } from './routes/keep.ts';
import { list, searchRecordings } from './routes/list.ts';
import { playback } from './routes/playback.ts';
import { retry } from './routes/retry.ts';
import { start } from './routes/start.ts';
import { status } from './routes/status.ts';
import { stop } from './routes/stop.ts';
import { verify } from './routes/verify.ts';
import { twilioWebhook } from './routes/webhook.ts';
import { withdraw } from './routes/withdraw.ts';
import { type AppDeps, createServices, type Services } from './services.ts';

/** The app, before anything listens. */
export interface App {
  readonly express: Express;
  readonly services: Services;
  /** Waits for work begun by requests, and writes the denials that were only counted. Stop listening first. */
  close(): Promise<void>;
}

/**
 * Every route there is, in one place.
 *
 * @param deps - stores, objects, identity, provider, keys, clock
 * @param options.tries - what the start page lists besides the routes
 */
export function createApp(deps: AppDeps, options: { readonly tries?: () => Promise<readonly Try[]> } = {}): App {
  const services = createServices(deps);
  const routes: readonly GuardedHandler[] = [
    consent(services),
    withdraw(services),
    start(services),
    stop(services),
    twilioWebhook(services),
    list(services),
    searchRecordings(services),
    status(services),
    playback(services),
    download(services),
    retry(services),
    fact(services),
    correctFact(services),
    explain(services),
    keep(services),
    deleteRecording(services),
    placeHold(services),
    searchHolds(services),
    releaseHold(services),
    auditSearch(services),
    accessReport(services),
    verify(services),
    checkpoint(services),
    sequence(services),
    stopWithdrawn(services),
    reconcile(services),
    transfer(services),
    sweep(services),
  ];

  const app = express();
  app.disable('x-powered-by');
  const named = async (): Promise<readonly Try[]> => routes.map(({ pattern }) => ({ title: pattern.template }));
  mount(app, home(services, options.tries ?? named), ...routes);
  app.use('/media', toExpress(deps.media)); // the signed link is the permission
  app.use(unknownRoute);
  app.use(failed);

  return {
    express: app,
    services,
    close: async () => {
      await services.background.settled();
      await services.guard.flush();
    },
  };
}
