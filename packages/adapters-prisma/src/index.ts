export * from './prisma-stores.ts';
export * from './prisma-wire.ts';
