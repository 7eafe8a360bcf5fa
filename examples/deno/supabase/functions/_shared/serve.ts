import type { FetchHandler } from '@medzen/security';
import { type Clinic, createClinic } from './clinic.ts';
import { readSettings } from './settings.ts';

/** Supabase's runtime keeps an isolate alive for work after the answer; plain Deno has no such thing. */
interface EdgeRuntime {
  waitUntil(promise: Promise<unknown>): void;
}

/** Serves one function. */
export function serve(make: (clinic: Clinic) => FetchHandler): void {
  const handler = make(createClinic(readSettings((name) => Deno.env.get(name))));
  const runtime = (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime; // absent in plain Deno
  const alive = runtime === undefined ? {} : { waitUntil: (work: Promise<unknown>) => runtime.waitUntil(work) };
  Deno.serve((request, { remoteAddr }) => handler(request, { remoteAddr: remoteAddr as Deno.NetAddr, ...alive })); // of TCP
}
