import { z } from 'zod';
import { textSchema } from './common.ts';
import { route } from './route.ts';

export const evidenceRoutes = {
  getEvidence: route({
    method: 'GET',
    path: '/v1/jobs/:id/evidence',
    summary:
      'The evidence of a run of a recovery plan that has ended: one HTML file, signed (docs/evidence.md)',
    params: z.object({ id: textSchema.max(64) }),
    status: 200,
    answers: 'html',
    response: z.string(),
  }),
  getEvidenceKey: route({
    method: 'GET',
    path: '/v1/evidence/key',
    summary: 'The public key that signs evidence now',
    status: 200,
    response: z
      .object({
        keyId: z.string().describe('SHA-256 of the key (SubjectPublicKeyInfo, DER), hexadecimal'),
        publicKeyPem: z.string().describe('Ed25519, SubjectPublicKeyInfo'),
      })
      .meta({ id: 'EvidenceKey' }),
  }),
};
