import { MedzenError, type ObjectStore, type Recording, type RecordingStorage } from '@medzen/core';

/** The object stores that are configured. */
export interface ObjectStores<Store extends Pick<ObjectStore, 'location'> = ObjectStore> {
  /** Store of the recordings that start from now on. */
  readonly first: Store;
  /** Returns the store of a recording; undefined when it is not configured. */
  of(recording: Pick<Recording, 'storage'>): Store | undefined;
}

/**
 * Finds the store of each recording by the location that stands in its row.
 *
 * @throws MedzenError `invalid_configuration`
 */
export function objectStores<Store extends Pick<ObjectStore, 'location'>>(
  given: Store | readonly Store[],
): ObjectStores<Store> {
  const stores: readonly Store[] = isList(given) ? given : [given];
  const [first] = stores;
  if (first === undefined) throw new MedzenError('invalid_configuration', 'objects must name at least one store');
  const byPlace = new Map<string, Store>();
  for (const store of stores) {
    const { location } = store;
    if (typeof location?.store !== 'string' || typeof location.bucket !== 'string')
      throw new MedzenError('invalid_configuration', 'Each of objects must have a location with store and bucket');
    const place = placeOf(location);
    if (byPlace.has(place))
      throw new MedzenError('invalid_configuration', 'objects must not name two stores of the same location');
    byPlace.set(place, store);
  }
  return {
    first,
    of: ({ storage }) => {
      if (storage !== undefined) return byPlace.get(placeOf(storage));
      return stores.length === 1 ? first : undefined;
    },
  };
}

/**
 * The store of a recording, for work that cannot go on without it.
 *
 * @throws MedzenError `invalid_configuration` when the store is not configured
 */
export function storeOf<Store extends Pick<ObjectStore, 'location'>>(
  room: { readonly objects: ObjectStores<Store> },
  recording: Pick<Recording, 'storage'>,
): Store {
  const store = room.objects.of(recording);
  if (store !== undefined) return store;
  throw new MedzenError(
    'invalid_configuration',
    'objects must name the store in which this recording lies; add the earlier store to the list',
  );
}

/** Describes a store as a row remembers it. */
export function storageOf({ location }: Pick<ObjectStore, 'location'>): RecordingStorage {
  const { store, bucket, region } = location;
  return { store, bucket, ...(region === undefined ? {} : { region }) };
}

function isList<Store>(given: Store | readonly Store[]): given is readonly Store[] {
  return Array.isArray(given);
}

function placeOf({ store, bucket }: Pick<RecordingStorage, 'store' | 'bucket'>): string {
  return `${store}/${bucket}`;
}
