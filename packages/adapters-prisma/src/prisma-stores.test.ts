import { putStores } from '../../../test/put-stores.ts';
import { prismaContexts } from './prisma-contexts.fixture.ts';

putStores('Prisma', await prismaContexts());
