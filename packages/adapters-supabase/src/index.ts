export * from './as-service.ts';
export * from './as-user.ts';
export * from './supabase-client.ts';
export * from './supabase-stores.ts';
export * from './supabase-wire.ts';
