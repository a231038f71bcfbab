// One step of an operator's server built on openid-client: what to do comes as JSON on stdin, what came goes to stdout.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';

import { Issuer, custom } from 'openid-client';

const told = JSON.parse(readFileSync(0, 'utf8'));
const [ca, cert, key] = [told.ca, told.certificate, told.private_key].map((path) => readFileSync(path));
const ours = { org_code: told.org_code };

const issuer = new Issuer({
  issuer: told.gateway,
  authorization_endpoint: `${told.gateway}/oauth/2.0/authorize`,
  token_endpoint: `${told.gateway}/oauth/2.0/token`,
  revocation_endpoint: `${told.gateway}/oauth/2.0/revoke`,
});
const client = new issuer.Client({
  client_id: told.client_id,
  client_secret: told.client_secret,
  redirect_uris: [told.callback],
  response_types: ['code'],
  token_endpoint_auth_method: 'client_secret_post',
});
client[custom.http_options] = (_, options) => ({
  ca,
  cert,
  key,
  headers: { ...options.headers, 'x-api-tran-id': told.tran_id },
});

const get = (url, headers) =>
  new Promise((resolve, reject) => {
    request(url, { ca, cert, key, headers }, (answer) => resolve(answer.resume())).on('error', reject).end();
  });

const steps = {
  authorize: async () => {
    const url = client.authorizationUrl({ ...ours, app_scheme: told.app_scheme, state: told.state });
    const answer = await get(url, { 'x-api-tran-id': told.tran_id, 'x-user-ci': told.ci });
    return answer.headers.location;
  },
  redeem: () =>
    client.oauthCallback(told.callback, client.callbackParams(told.back), { state: told.state }, { exchangeBody: ours }),
  refresh: () => client.refresh(told.refresh_token, { exchangeBody: ours }),
  revoke: async () => (await client.revoke(told.access_token, undefined, { revokeBody: ours })) ?? '',
  ask: async () => {
    const headers = { 'x-api-type': 'user-refresh' };
    const answer = await client.requestResource(told.url, told.access_token, { headers });
    return JSON.parse(answer.body);
  },
};
process.stdout.write(JSON.stringify(await steps[told.step]()));
