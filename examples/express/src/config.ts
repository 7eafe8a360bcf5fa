import { MedzenError, type Redacted, redact } from '@medzen/core';
import { z } from 'zod';

/** Everything this app is told from outside. Made by {@link readConfig}; nothing else reads the environment. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** As clients and Twilio call this app, without a final slash. Twilio signs it, so it must be exact. */
  readonly publicUrl: string;
  /** Holds the embedded database and the media. */
  readonly dataDir: string;
  /** The practice that this deployment serves: in Twilio's callbacks, and for the jobs. */
  readonly tenant: string;
  /** Exact origins, or `https://*.clinic.example`. */
  readonly origins: readonly string[];
  readonly identity: { readonly issuer: string; readonly audience: string; readonly jwksUrl: string };
  readonly twilio: {
    readonly accountSid: string;
    readonly authToken: Redacted;
    /** Twilio's own, unless a stand-in is used. */
    readonly apiUrl?: string;
  };
  /** Signs media links. */
  readonly linkSecret: Redacted;
  /** Hides who is counted by the rate limits, in the database. 32 bytes, hexadecimal. */
  readonly limitSecretHex: Redacted;
  readonly checkpoint: {
    /** The log's name, in every checkpoint: `app.example.com/audit`. */
    readonly origin: string;
    /** The 32-byte Ed25519 seed. Not kept in the database, so that whoever owns the database cannot sign. */
    readonly seedHex: Redacted;
    /** Verifier keys of origins that a rebase has ended. */
    readonly endedKeys: readonly string[];
  };
  readonly jobs: {
    readonly sequenceMs: number;
    readonly stopMs: number;
    readonly reconcileMs: number;
    readonly sweepMs: number;
  };
}

const url = z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/$/, ''));
const key = z.string().regex(/^[0-9a-f]{64}$/);
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const schema = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  PUBLIC_URL: url,
  DATA_DIR: z.string().min(1).default('.medzen'),
  TENANT: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/),
  ALLOWED_ORIGINS: list.default([]),
  OIDC_ISSUER: z.string().min(1),
  OIDC_AUDIENCE: z.string().min(1),
  OIDC_JWKS_URL: url,
  TWILIO_ACCOUNT_SID: z.string().regex(/^AC[0-9a-f]{32}$/),
  TWILIO_AUTH_TOKEN: z.string().min(1),
  TWILIO_API_URL: url.optional(),
  LINK_SECRET: z.string().min(32),
  LIMIT_SECRET: key,
  CHECKPOINT_ORIGIN: z.string().regex(/^[^\s+]{1,255}$/),
  CHECKPOINT_SEED: key,
  CHECKPOINT_ENDED_KEYS: list.default([]),
  SEQUENCE_EVERY_MS: z.coerce.number().int().min(100).default(1000),
  STOP_EVERY_MS: z.coerce.number().int().min(1000).default(5000),
  RECONCILE_EVERY_MS: z.coerce.number().int().min(1000).default(60_000),
  SWEEP_EVERY_MS: z.coerce.number().int().min(1000).default(3_600_000),
});

/**
 * Reads and checks the environment, all of it at once, so that one start names every variable that is wrong.
 *
 * @param env - `process.env`, or a record in tests
 * @throws MedzenError `invalid_configuration`, naming the variables and never their values
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const read = schema.safeParse(env);
  if (!read.success) {
    const names = [...new Set(read.error.issues.map((issue) => String(issue.path[0])))].sort();
    throw new MedzenError('invalid_configuration', `Missing or malformed in the environment: ${names.join(', ')}`);
  }
  const given = read.data;
  return {
    host: given.HOST,
    port: given.PORT,
    publicUrl: given.PUBLIC_URL,
    dataDir: given.DATA_DIR,
    tenant: given.TENANT,
    origins: given.ALLOWED_ORIGINS,
    identity: { issuer: given.OIDC_ISSUER, audience: given.OIDC_AUDIENCE, jwksUrl: given.OIDC_JWKS_URL },
    twilio: {
      accountSid: given.TWILIO_ACCOUNT_SID,
      authToken: redact(given.TWILIO_AUTH_TOKEN),
      ...(given.TWILIO_API_URL === undefined ? {} : { apiUrl: given.TWILIO_API_URL }),
    },
    linkSecret: redact(given.LINK_SECRET),
    limitSecretHex: redact(given.LIMIT_SECRET),
    checkpoint: {
      origin: given.CHECKPOINT_ORIGIN,
      seedHex: redact(given.CHECKPOINT_SEED),
      endedKeys: given.CHECKPOINT_ENDED_KEYS,
    },
    jobs: {
      sequenceMs: given.SEQUENCE_EVERY_MS,
      stopMs: given.STOP_EVERY_MS,
      reconcileMs: given.RECONCILE_EVERY_MS,
      sweepMs: given.SWEEP_EVERY_MS,
    },
  };
}
