// A partner's OpenID provider by somebody else: npm's oidc-provider, certified, set up for one client as FAPI 2.0 asks.
//
// node provider.mjs '{"packages": "<node_modules>", "port": 8090, "clientId": "…", "redirectUri": "…", "jwksUri": "…"}'
// says {"event": "ready"} once it listens, and each thing that happens to tokens, a line of JSON each, on standard output.
// Its own log-in page takes any login; the member's subject is that login. A new signing key with each start.

import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const set = JSON.parse(process.argv[2]);
const { default: Provider } = await import(pathToFileURL(`${set.packages}/oidc-provider/lib/index.js`));
const issuer = `http://127.0.0.1:${set.port}`;
const say = (event, more = {}) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: set.clientId,
      redirect_uris: [set.redirectUri],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      jwks_uri: set.jwksUri,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      id_token_signed_response_alg: 'ES256',
      require_pushed_authorization_requests: true,
    },
  ],
  clientAuthMethods: ['private_key_jwt'],
  cookies: { keys: [key.d] },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'], clientAuthSigningAlgValues: ['ES256'] },
  features: {
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
    revocation: { enabled: true },
  },
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }), // its own goes to no address of this machine
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, email: `${id}@mail.example` }) }),
  issueRefreshToken: async () => true,
  jwks: { keys: [{ ...key, use: 'sig', alg: 'ES256', kid: `${set.port}-${Date.now()}` }] },
  pkce: { required: () => true },
});
for (const name of ['grant.success', 'grant.revoked', 'refresh_token.destroyed', 'authorization_code.consumed']) {
  provider.on(name, () => say(name));
}
for (const name of ['authorization.error', 'grant.error', 'pushed_authorization_request.error', 'revocation.error', 'server_error']) {
  provider.on(name, (_ctx, error) => say(name, { error: error.message, why: error.error_description ?? error.error_detail }));
}
createServer(provider.callback()).listen(set.port, '127.0.0.1', () => say('ready'));
