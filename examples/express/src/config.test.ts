import { isMedzenError, reveal } from '@medzen/core';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';

const complete = {
  PUBLIC_URL: 'https://api.clinic.example/',
  TENANT: 'peachtree',
  ALLOWED_ORIGINS: 'https://app.clinic.example, https://*.clinic.example',
  OIDC_ISSUER: 'https://id.clinic.example',
  OIDC_AUDIENCE: 'api',
  OIDC_JWKS_URL: 'https://id.clinic.example/jwks',
  TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
  TWILIO_AUTH_TOKEN: 'a-token',
  LINK_SECRET: 'x'.repeat(32),
  LIMIT_SECRET: '0'.repeat(64),
  CHECKPOINT_ORIGIN: 'api.clinic.example/audit',
  CHECKPOINT_SEED: 'f'.repeat(64),
};

describe('readConfig', () => {
  it('reads a complete environment and fills in the rest', () => {
    const config = readConfig(complete);
    expect(config).toMatchObject({ port: 3000, host: '127.0.0.1', publicUrl: 'https://api.clinic.example' });
    expect(config.origins).toEqual(['https://app.clinic.example', 'https://*.clinic.example']);
    expect(reveal(config.twilio.authToken)).toBe('a-token');
  });

  it('shows no secret when it is logged', () => {
    const logged = JSON.stringify(readConfig(complete));
    for (const secret of ['a-token', 'x'.repeat(32), 'f'.repeat(64)]) expect(logged).not.toContain(secret);
  });

  it('names everything that is wrong at once, and no value', () => {
    const { TENANT: _, ...rest } = complete;
    try {
      readConfig({ ...rest, LINK_SECRET: 'short', PORT: 'http' });
      expect.unreachable();
    } catch (error) {
      expect(isMedzenError(error) && error.code).toBe('invalid_configuration');
      expect(String(error)).toContain('LINK_SECRET, PORT, TENANT');
      expect(String(error)).not.toContain('short');
    }
  });
});
