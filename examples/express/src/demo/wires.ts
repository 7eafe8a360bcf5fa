import type { DemoDatabase } from './demo-database.ts';

/** What `--wire` takes. */
export type WireName = 'pglite' | 'pg' | 'postgres.js' | 'prisma' | 'supabase';

/** Each opens a database of the demo's own; only the chosen one's drivers are loaded. */
const wires: Readonly<Record<WireName, () => Promise<DemoDatabase>>> = {
  pglite: async () => (await import('./wires/pglite.ts')).openPglite(),
  pg: async () => (await import('./wires/pg.ts')).openPg(),
  'postgres.js': async () => (await import('./wires/postgres-js.ts')).openPostgresJs(),
  prisma: async () => (await import('./wires/prisma.ts')).openPrisma(),
  supabase: async () => (await import('./wires/supabase.ts')).openSupabase(),
};

/** All of them, the default first. */
export const wireNames: readonly WireName[] = Object.keys(wires) as WireName[]; // Object.keys forgets the key type

/** Opens the database that a wire needs, migrated, with the clock that the demo moves. */
export function openWire(name: WireName): Promise<DemoDatabase> {
  return wires[name]();
}
