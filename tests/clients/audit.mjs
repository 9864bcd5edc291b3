// Runs the graphql-http audits against the URL in argv[2] and prints one line of JSON for each.
// TOKEN in the environment is sent as the bearer.
import { auditServer } from 'graphql-http';

const headers = process.env.TOKEN ? { authorization: `Bearer ${process.env.TOKEN}` } : {};
const results = await auditServer({
  url: process.argv[2],
  fetchFn: (url, init) => fetch(url, { ...init, headers: { ...headers, ...init?.headers } }),
});
for (const { id, name, status, reason } of results) {
  console.log(JSON.stringify({ id, name, status, reason }));
}
