import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { BodyReader } from './body/body-reader.ts';
import type { Auth } from './identity/auth.ts';
import type { Policy } from './policy.ts';
import type { Route } from './route.ts';

/** A policy of any kind: what the guard works with once the types have tied it to its handler. */
export type AnyPolicy = Policy<
  Route,
  Auth,
  StandardSchemaV1 | undefined,
  StandardSchemaV1 | undefined,
  BodyReader<unknown> | undefined
>;

/** A handler of any kind. */
export type AnyHandler = (request: Request, ctx: unknown) => Response | Promise<Response>;
