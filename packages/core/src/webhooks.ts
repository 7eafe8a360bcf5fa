export * from './webhooks/request.ts';
export * from './webhooks/twilio.ts';
