import type { ObjectStore } from '@medzen/core';

/**
 * What an adapter's author makes fresh for each case of `objectStoreCases`. Members that are functions of a capability are
 * called only by cases that require it.
 */
export interface ObjectStoreContext {
  /** Empty. */
  readonly objects: ObjectStore;
  /** Follows a link: the global `fetch`, or the store's own handler. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  /** `delete-markers`: hides a key as a console user would, beside the port. @returns the marker's version id */
  addDeleteMarker(key: string): Promise<string>;
  /** `unfinished-uploads`: leaves an upload behind as a killed process would. */
  leaveUpload(key: string): Promise<void>;
  /** `object-lock`: makes a version undeletable. */
  lock(key: string, versionId: string): Promise<void>;
  /** `movable-clock`: moves the time by which links expire. */
  advance(ms: number): Promise<void>;
  /** `direct-read`: the stored bytes, read without the store. */
  readDirectly(key: string, versionId: string): Promise<Uint8Array>;
  /** `outage`: the store answers nothing until further notice. */
  breakDown(): Promise<void>;
}
