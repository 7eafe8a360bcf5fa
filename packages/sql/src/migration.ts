/** One migration, embedded so that a bundle needs no file system. */
export interface Migration {
  /** The file's name without `.sql`; migrations are applied in its order. */
  readonly id: string;
  /** SHA-256 (hexadecimal) of the template above its trailer. */
  readonly checksum: string;
  /** A library that does not know it must refuse the database. */
  readonly breaking: boolean;
  /** The whole file. The word `medzen` stands for the schema. */
  readonly sql: string;
}

/** A function that a wire may call. */
export interface SqlFunction {
  /** The migration that defines it as it is now. */
  readonly migration: string;
  /** Argument name, without `p_`, to its Postgres type. */
  readonly args: Readonly<Record<string, string>>;
  /**
   * The Postgres type of its one value, or column to type of its rows. Only a wire that carries JSON asks for it, because there a
   * list may be rows or one value, and bytes look like text.
   */
  readonly returns?: string | Readonly<Record<string, string>>;
}
