import type { PrismaLike } from './prisma-wire.ts';

/** The schema of a clinic: audited models, reached in all the ways that Prisma knows, also from one that is not audited. */
export const clinicModels = `
model Practice {
  id       Int       @id
  title    String
  patients Patient[]

  @@map("practice")
}

model Patient {
  id           String        @id
  name         String
  mrn          Int           @unique
  weight       Int?
  practiceId   Int?          @map("practice_id")
  practice     Practice?     @relation(fields: [practiceId], references: [id])
  notes        Note[]
  appointments Appointment[]

  @@map("patient")
}

model Note {
  id        Int      @id
  text      String
  topic     String
  patientId String?  @map("patient_id")
  patient   Patient? @relation(fields: [patientId], references: [id])

  @@map("note")
}

model Appointment {
  id        Int       @id
  room      String
  patientId String?   @map("patient_id")
  patient   Patient?  @relation(fields: [patientId], references: [id])
  findings  Finding[]

  @@map("appointment")
}

model Finding {
  id            Int         @id
  code          String
  appointmentId Int         @map("appointment_id")
  appointment   Appointment @relation(fields: [appointmentId], references: [id])

  @@map("finding")
}

model Relative {
  id        Int        @id
  name      String
  ofId      Int?       @map("of_id")
  of        Relative?  @relation("of", fields: [ofId], references: [id])
  relatives Relative[] @relation("of")

  @@map("relative")
}
`;

/** Its tables, which Prisma does not create here. */
export const clinicSql = `
CREATE TABLE practice (id int PRIMARY KEY, title text NOT NULL);
CREATE TABLE patient (
  id text PRIMARY KEY, name text NOT NULL, mrn int NOT NULL UNIQUE, weight int, practice_id int REFERENCES practice
);
CREATE TABLE note (id int PRIMARY KEY, text text NOT NULL, topic text NOT NULL, patient_id text REFERENCES patient);
CREATE TABLE appointment (id int PRIMARY KEY, room text NOT NULL, patient_id text REFERENCES patient);
CREATE TABLE finding (id int PRIMARY KEY, code text NOT NULL, appointment_id int NOT NULL REFERENCES appointment);
CREATE TABLE relative (id int PRIMARY KEY, name text NOT NULL, of_id int REFERENCES relative);
INSERT INTO practice VALUES (1, 'North');
INSERT INTO patient VALUES ('p1', 'Ada', 101, 60, 1), ('p2', 'Bo', 102, 70, 1), ('p3', 'Cy', 103, NULL, NULL);
INSERT INTO note VALUES (1, 'cough', 'lungs', 'p1'), (2, 'rash', 'skin', 'p1'), (3, 'fever', 'lungs', 'p2'), (4, 'test', 'none', NULL);
INSERT INTO appointment VALUES (1, 'A', 'p1'), (2, 'B', 'p2'), (3, 'C', NULL);
INSERT INTO finding VALUES (1, 'R05', 1), (2, 'R50', 2), (3, 'Z00', 3);
INSERT INTO relative VALUES (1, 'Eve', NULL);
`;

/** A delegate, as loose as tests need: what a host's types are is put to the compiler in `prisma-types.test.ts`. */
export type Delegate = Record<
  string,
  (args?: object) => Promise<unknown> & Record<string, (args?: object) => Promise<unknown>>
>;

/** The delegates. */
interface ClinicTransaction extends PrismaLike {
  readonly practice: Delegate;
  readonly patient: Delegate;
  readonly note: Delegate;
  readonly appointment: Delegate;
  readonly finding: Delegate;
  readonly relative: Delegate;
}

/** The client. */
export interface ClinicClient extends ClinicTransaction {
  $transaction(queries: readonly Promise<unknown>[]): Promise<unknown>;
  $transaction<T>(work: (tx: ClinicTransaction) => Promise<T>, options?: object): Promise<T>;
  $extends(extension: unknown): ClinicClient;
  $disconnect(): Promise<void>;
}
