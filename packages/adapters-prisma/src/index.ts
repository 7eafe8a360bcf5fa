export * from './audited-model.ts';
export * from './audited-models.ts';
export * from './prisma-stores.ts';
export * from './prisma-wire.ts';
export * from './with-actor.ts';
