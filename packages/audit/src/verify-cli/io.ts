import type { TileSource } from '../tile-storage.ts';

/** Functions of the machine that the command needs. */
export interface VerifyIo {
  /** A file's bytes. @throws when it cannot be read */
  readonly readFile: (path: string) => Promise<Uint8Array>;
  readonly isFolder: (path: string) => Promise<boolean>;
  readonly folder: (path: string) => TileSource;
  readonly web: (url: string) => TileSource;
  /** @throws when there is no SDK to reach a bucket with */
  readonly bucket: (name: string, prefix: string) => Promise<TileSource>;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly version: string;
  /** Ends the command, which then could not look; what interrupts it, while a server does not answer too. */
  readonly signal?: AbortSignal;
}
