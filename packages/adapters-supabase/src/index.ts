export * from './supabase-client.ts';
export * from './supabase-stores.ts';
export * from './supabase-wire.ts';
