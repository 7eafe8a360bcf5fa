export * from './as-service.ts';
export * from './as-user.ts';
export type {
  StorageAnswer,
  StorageBucketLike,
  StorageRow,
  SupabaseStorageLike,
} from './objects/storage-client.ts';
export * from './supabase-client.ts';
export * from './supabase-objects.ts';
export * from './supabase-stores.ts';
export * from './supabase-wire.ts';
