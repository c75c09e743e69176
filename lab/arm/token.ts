import {
  createHash,
  createPrivateKey,
  createPublicKey,
  randomUUID,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Answer } from './http.ts';
import { ArmError } from './http.ts';
import type { Identity } from './identity.ts';

const MANAGEMENT_AUDIENCES = ['https://management.azure.com', 'https://management.core.windows.net'];

const claimsSchema = z.looseObject({ aud: z.string(), exp: z.number(), tid: z.string(), appid: z.string() });

/** Microsoft Entra's token endpoint for one tenant and one client secret, and the check of its tokens. */
export class TokenService {
  readonly #identity: Identity;
  readonly #key: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #url: () => string;
  readonly #keyId: string;

  constructor(identity: Identity, url: () => string) {
    this.#identity = identity;
    this.#url = url;
    this.#key = createPrivateKey(identity.signingKeyPem);
    this.#publicKey = createPublicKey(this.#key);
    const spki = this.#publicKey.export({ type: 'spki', format: 'der' });
    this.#keyId = createHash('sha256').update(spki).digest('base64url');
  }

  /** Null: not a path of this service. */
  answer(method: string, path: string, body: string, tokenSeconds: number): Answer | null {
    const [, tenant, rest] = /^\/([^/]+)\/(.+)$/.exec(path) ?? [];
    const kind = endpoints[`${method} ${rest?.toLowerCase() ?? ''}`];
    if (tenant === undefined || kind === undefined) return null;
    if (tenant.toLowerCase() !== this.#identity.tenantId) {
      return refusal(400, 'invalid_request', 90_002, `Tenant '${tenant}' not found.`);
    }
    if (kind === 'configuration') return { status: 200, json: this.#configuration() };
    if (kind === 'keys') return { status: 200, json: { keys: [this.#jwk()] } };
    return this.#token(new URLSearchParams(body), tokenSeconds);
  }

  /** @throws ArmError 401 with WWW-Authenticate when the bearer token is absent, foreign, altered or expired. */
  check(authorization: string | undefined): void {
    const [, token] = /^Bearer (.+)$/.exec(authorization ?? '') ?? [];
    if (token === undefined) {
      throw this.#unauthorized(
        'AuthenticationFailed',
        "Authentication failed. The 'Authorization' header is missing.",
      );
    }
    const claims = this.#verify(token);
    if (claims === null)
      throw this.#unauthorized('InvalidAuthenticationToken', 'The access token is invalid.');
    if (!MANAGEMENT_AUDIENCES.includes(claims.aud.replace(/\/$/, ''))) {
      throw this.#unauthorized(
        'InvalidAuthenticationTokenAudience',
        `The access token has been obtained for wrong audience or resource '${claims.aud}'.`,
      );
    }
    if (claims.tid !== this.#identity.tenantId) {
      throw this.#unauthorized(
        'InvalidAuthenticationTokenTenant',
        'The access token is from the wrong tenant.',
      );
    }
    if (claims.exp * 1_000 <= Date.now()) {
      throw this.#unauthorized('ExpiredAuthenticationToken', 'The access token expiry has passed.');
    }
  }

  #verify(token: string): z.infer<typeof claimsSchema> | null {
    const [header, payload, signature] = token.split('.');
    if (header === undefined || payload === undefined || signature === undefined) return null;
    const signed = Buffer.from(`${header}.${payload}`);
    if (!verify('RSA-SHA256', signed, this.#publicKey, Buffer.from(signature, 'base64url'))) return null;
    const claims = claimsSchema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
    return claims.success ? claims.data : null;
  }

  #unauthorized(code: string, message: string): ArmError {
    const authority = `${this.#url()}/${this.#identity.tenantId}`;
    return new ArmError(401, code, message, {
      'www-authenticate': `Bearer authorization_uri="${authority}", error="invalid_token", error_description="${message.replaceAll('"', "'")}"`,
    });
  }

  #token(form: URLSearchParams, tokenSeconds: number): Answer {
    if (form.get('grant_type') !== 'client_credentials') {
      return refusal(400, 'unsupported_grant_type', 70_003, 'The app requested an unsupported grant type.');
    }
    const scope = (form.get('scope') ?? '').split(' ').find((each) => each.endsWith('/.default'));
    if (scope === undefined) {
      return refusal(
        400,
        'invalid_scope',
        1_002_012,
        'The provided value for scope is not valid. It must end with /.default.',
      );
    }
    if (form.get('client_id')?.toLowerCase() !== this.#identity.clientId) {
      return refusal(
        400,
        'unauthorized_client',
        700_016,
        `Application with identifier '${form.get('client_id') ?? ''}' was not found in the directory.`,
      );
    }
    if (!isSame(form.get('client_secret') ?? '', this.#identity.clientSecret)) {
      return refusal(401, 'invalid_client', 7_000_215, 'Invalid client secret provided.');
    }
    const access_token = this.#sign(scope.slice(0, -'/.default'.length), tokenSeconds);
    return {
      status: 200,
      json: { token_type: 'Bearer', expires_in: tokenSeconds, ext_expires_in: tokenSeconds, access_token },
    };
  }

  #sign(audience: string, tokenSeconds: number): string {
    const { tenantId, clientId, objectId } = this.#identity;
    const now = Math.floor(Date.now() / 1_000);
    const header = { typ: 'JWT', alg: 'RS256', kid: this.#keyId };
    const claims = {
      aud: audience,
      iss: `https://sts.windows.net/${tenantId}/`,
      iat: now,
      nbf: now,
      exp: now + tokenSeconds,
      appid: clientId,
      oid: objectId,
      sub: objectId,
      tid: tenantId,
      ver: '1.0',
    };
    const signed = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), this.#key).toString('base64url')}`;
  }

  #configuration() {
    const authority = `${this.#url()}/${this.#identity.tenantId}`;
    return {
      token_endpoint: `${authority}/oauth2/v2.0/token`,
      authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
      issuer: `${authority}/v2.0`,
      jwks_uri: `${authority}/discovery/v2.0/keys`,
      token_endpoint_auth_methods_supported: ['client_secret_post'],
      response_types_supported: ['code', 'token'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
    };
  }

  #jwk() {
    const { n = '', e = '' } = this.#publicKey.export({ format: 'jwk' });
    return { kty: 'RSA', use: 'sig', kid: this.#keyId, n, e };
  }
}

const endpoints: Readonly<Record<string, 'token' | 'configuration' | 'keys'>> = {
  'POST oauth2/v2.0/token': 'token',
  'GET v2.0/.well-known/openid-configuration': 'configuration',
  'GET discovery/v2.0/keys': 'keys',
};

function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Entra's error form, with its AADSTS code. */
function refusal(status: number, error: string, code: number, message: string): Answer {
  const trace = randomUUID();
  return {
    status,
    json: {
      error,
      error_description: `AADSTS${code}: ${message} Trace ID: ${trace}`,
      error_codes: [code],
      timestamp: new Date().toISOString(),
      trace_id: trace,
      correlation_id: randomUUID(),
    },
  };
}
