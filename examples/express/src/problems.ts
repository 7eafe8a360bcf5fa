import { MedzenError, toProblem } from '@medzen/core';
import { securityHeaders } from '@medzen/security';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';

const headers = securityHeaders();

function answer(response: Response, error: unknown): void {
  const problem = toProblem(error);
  response.set(headers.fields).status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** What no route took. */
export const unknownRoute: RequestHandler = (_request, response) =>
  answer(response, new MedzenError('not_found', 'No such route'));

/** What fell through everything: a bare 500, unless it is one of ours. */
export const failed: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) return next(error);
  answer(response, error);
};
