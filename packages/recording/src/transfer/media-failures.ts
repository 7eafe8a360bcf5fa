/**
 * In `failure.code` of a recording whose media cannot be what was captured. The provider keeps its copy, and a person
 * may take it as it is.
 */
export const mediaImplausible = 'media_implausible';

/** In `failure.code` of a recording whose media is there at the provider and has no bytes. The provider keeps it. */
export const mediaEmpty = 'media_empty';

/** In `failure.code` of a recording of which the provider had something, and has deleted it before it was transferred. */
export const mediaExpired = 'media_expired';
