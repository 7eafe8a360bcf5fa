import type { Person } from './local-issuer.ts';
import type { Visit } from './visits.ts';

/** Who appears. */
export type Role = 'patient' | 'provider' | 'stranger' | 'officer' | 'auditor' | 'scheduler' | 'outsider';

/** Invented people of an invented practice, and of another tenant that must never see them. */
export const people: Readonly<Record<Role, Person>> = {
  patient: { id: 'patient-ama', tenant: 'peachtree', roles: ['patient'] },
  provider: { id: 'provider-mensah', tenant: 'peachtree', roles: ['provider'] },
  stranger: { id: 'provider-okafor', tenant: 'peachtree', roles: ['provider'] },
  officer: { id: 'officer-reyes', tenant: 'peachtree', roles: ['compliance_officer'] },
  auditor: { id: 'auditor-lind', tenant: 'peachtree', roles: ['auditor'] },
  scheduler: { id: 'scheduler', tenant: 'peachtree', roles: ['scheduler'] },
  outsider: { id: 'officer-novak', tenant: 'lakeside', roles: ['compliance_officer', 'provider'] },
};

const atlanta = {
  tenant: 'peachtree',
  patient: people.patient.id,
  participants: [
    { id: people.patient.id, role: 'patient', location: 'US-GA' },
    { id: people.provider.id, role: 'provider', location: 'US-GA' },
  ],
  retentionClass: { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'America/New_York' },
} as const satisfies Partial<Visit>;

/** Appointments with a licensed psychologist in Georgia. The first is the one that the demo carries through its whole life. */
export const visits: readonly Visit[] = [
  { ...atlanta, id: 'visit-1', roomSid: 'RM00000000000000000000000000000001' },
  { ...atlanta, id: 'visit-2', roomSid: 'RM00000000000000000000000000000002' },
  { ...atlanta, id: 'visit-3', roomSid: 'RM00000000000000000000000000000003' },
];

/** The patient's birth date: without it the longest rule for minors would be assumed. */
export const patientBirth = { date: '1984-05-06', zone: 'America/New_York' };
