export * from './memory-limits.ts';
export * from './memory-objects.ts';
export * from './memory-stores.ts';
