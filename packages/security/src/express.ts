export * from './express/express-request.ts';
export * from './express/mount.ts';
export * from './express/to-express.ts';
