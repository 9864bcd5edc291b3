// Subscribes by graphql-sse to the URL in argv[2] with the query in argv[3]; prints each event.
// TOKEN in the environment is sent as the bearer.
import { createClient } from 'graphql-sse';

const print = (event) => console.log(JSON.stringify(event));
const client = createClient({
  url: process.argv[2],
  retryAttempts: 0,
  headers: process.env.TOKEN ? { authorization: `Bearer ${process.env.TOKEN}` } : undefined,
});
await new Promise((done) => {
  client.subscribe(
    { query: process.argv[3] },
    {
      next: (payload) => print({ next: payload }),
      error: (error) => {
        print({ failed: String(error?.message ?? error), status: error?.response?.status });
        done();
      },
      complete: () => {
        print({ complete: true });
        done();
      },
    },
  );
});
client.dispose();
