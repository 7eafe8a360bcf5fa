export { examineSql } from './doctor/examine-sql.ts';
export type { DoctorReport, Finding, Severity } from './doctor/finding.ts';
