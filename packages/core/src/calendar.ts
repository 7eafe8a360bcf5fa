export * from './calendar/local-date.ts';
