/** Settings of the functions. Supabase sets the first three itself; the rest are secrets of the project. */
export interface Settings {
  readonly url: string;
  readonly anonKey: string;
  readonly serviceKey: string;
  readonly firebaseProject: string;
  /** Google's, unless a test has its own. */
  readonly firebaseKeys: string | undefined;
  /** Origins of the front end. */
  readonly origins: readonly string[];
  /** Scheme and host under which clients and Twilio call. */
  readonly publicOrigin: string;
  readonly bucket: string;
  readonly tenant: string;
  /** Hides in the database whom the rate limits count: 64 hexadecimal digits. */
  readonly limitSecret: Uint8Array;
  /** Milliseconds that the guard waits for limits and for events of refusals. The guard's own defaults when absent. */
  readonly patienceMs: number | undefined;
  readonly twilio: { readonly accountSid: string; readonly authToken: string };
}

/**
 * Reads the settings, from nowhere but its argument: `Deno.env.get` in a function, an object in a test.
 *
 * @throws Error that names every variable that is missing or wrong, and no value
 */
export function readSettings(env: (name: string) => string | undefined): Settings {
  const wrong: string[] = [];
  const text = (name: string, pattern: RegExp = /./): string => {
    const value = env(name) ?? '';
    if (!pattern.test(value)) wrong.push(name);
    return value;
  };
  const settings: Settings = {
    url: text('SUPABASE_URL', /^https?:\/\//),
    anonKey: text('SUPABASE_ANON_KEY'),
    serviceKey: text('SUPABASE_SERVICE_ROLE_KEY'),
    firebaseProject: text('FIREBASE_PROJECT'),
    firebaseKeys: env('FIREBASE_KEYS_URL'),
    origins: text('ALLOWED_ORIGINS').split(','),
    publicOrigin: text('PUBLIC_ORIGIN', /^https?:\/\/[^/]+$/),
    bucket: text('MEDIA_BUCKET'),
    tenant: text('TENANT'),
    limitSecret: new TextEncoder().encode(text('LIMIT_SECRET', /^[0-9a-f]{64}$/)),
    patienceMs:
      env('GUARD_PATIENCE_MS') === undefined ? undefined : Number(text('GUARD_PATIENCE_MS', /^[1-9]\d{0,5}$/)),
    twilio: { accountSid: text('TWILIO_ACCOUNT_SID', /^AC/), authToken: text('TWILIO_AUTH_TOKEN') },
  };
  if (wrong.length > 0) throw new Error(`Missing or wrong: ${wrong.join(', ')}`);
  return settings;
}
