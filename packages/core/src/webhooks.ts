export { decodeForm } from './webhooks/form.ts';
export type { WebhookRequest, WebhookVerdict } from './webhooks/request.ts';
export { verifyTwilio } from './webhooks/twilio.ts';
