import { mkdirSync, readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { type DiskObjects, diskObjects } from '@medzen/adapters-local/disk';
import { createSigner } from '@medzen/audit';
import { fileCheckpoints } from '@medzen/audit/node';
import { type Clock, type Logger, type ObjectStore, type Stores, silentLogger } from '@medzen/core';
import { twilio } from '@medzen/recording';
import { startTwilioServer, type TwilioServer } from '@medzen/testing/twilio-server';
import { type App, createApp } from './app.ts';
import { signIn } from './guard.ts';
import type { Try } from './index-page.ts';
import { type LocalIssuer, startLocalIssuer } from './local-issuer.ts';
import { visits as seed } from './seed.ts';
import { listen } from './serve.ts';
import { type Visit, visitsOf } from './visits.ts';

/** What a stage is set up with. */
export interface StageOptions {
  readonly stores: Stores;
  readonly clock: Clock;
  /** For media and the checkpoint. */
  readonly dir: string;
  readonly logger?: Logger;
  /** The log's signing key; always the same one when absent. */
  readonly checkpointSeed?: Uint8Array;
  /** Wraps the object store, so that tests can break it. */
  readonly wrapObjects?: (objects: ObjectStore) => ObjectStore;
  /** Whose rooms are opened at the stand-in; the seed's when absent. */
  readonly visits?: readonly Visit[];
  readonly tries?: () => Promise<readonly Try[]>;
  /** Runs before the app, for the demo's own routes. */
  readonly before?: (listener: RequestListener) => RequestListener;
}

/** The app with everything around it that a laptop lacks: an identity provider, a stand-in for Twilio Video, a server. */
export interface Stage {
  readonly baseUrl: string;
  readonly app: App;
  readonly issuer: LocalIssuer;
  /** A stand-in, not Twilio. */
  readonly twilio: TwilioServer;
  readonly objects: DiskObjects;
  readonly visits: readonly Visit[];
  /** What the stand-in composes of every room. */
  readonly clip: Uint8Array;
  close(): Promise<void>;
}

/** A playable clip of a few seconds: a test picture and a tone, made with ffmpeg. */
const clipPath = new URL('../media/session.mp4', import.meta.url);

/** Sets the stage: every part real and over HTTP, but Twilio. Used by the demo and by the tests. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { stores, clock, dir, logger = silentLogger } = options;
  mkdirSync(dir, { recursive: true });
  const { visits: invented = seed } = options;
  const tenant = invented[0]?.tenant ?? 'default';
  const clip = new Uint8Array(readFileSync(clipPath));
  const issuer = await startLocalIssuer({ clock });

  let handle: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = await listen((request, response) => handle(request, response), {
    host: '127.0.0.1',
    port: 0,
  });
  const baseUrl = `http://127.0.0.1:${server.port}`;
  const callbackUrl = `${baseUrl}/webhooks/twilio?tenant=${tenant}`;
  const accountSid = `AC${'5'.repeat(32)}`;
  const authToken = 'the-stand-in-knows-it-too';
  const standIn = await startTwilioServer({ accountSid, authToken, callbackUrl, media: clip, clock });
  const visits = invented.map((visit) => ({ ...visit, roomSid: standIn.createRoom() }));

  const objects = diskObjects({
    dir: join(dir, 'media'),
    secret: 'a secret of the local stage, and nobody else’s',
    clock,
    baseUrl: `${baseUrl}/media`,
  });
  const app = createApp(
    {
      tenant,
      publicUrl: baseUrl,
      origins: ['https://app.clinic.example'],
      stores,
      objects: options.wrapObjects?.(objects) ?? objects,
      media: objects.fetch,
      auth: signIn(issuer),
      provider: twilio({
        accountSid,
        authToken,
        baseUrl: standIn.url,
        allowLoopback: true,
        mediaHosts: ['127.0.0.1'],
        statusCallback: callbackUrl,
      }),
      signer: createSigner({
        origin: 'example.medzen.dev/audit',
        privateKey: options.checkpointSeed ?? new Uint8Array(32).fill(7),
      }),
      memory: await fileCheckpoints(join(dir, 'checkpoints')),
      visits: visitsOf(visits),
      limitSecret: new Uint8Array(32).fill(9),
      // Everything runs on one laptop, perhaps a busy one: half a second for a limit, as in production, would refuse by chance.
      patienceMs: 30_000,
      clock,
      logger,
    },
    options.tries === undefined ? {} : { tries: options.tries },
  );
  const stage: Stage = {
    baseUrl,
    app,
    issuer,
    twilio: standIn,
    objects,
    visits,
    clip,
    close: async () => {
      await server.close();
      await app.close();
      await standIn.close();
      await issuer.close();
    },
  };
  handle = options.before?.(app.express) ?? app.express;
  return stage;
}
