// Subscribes by graphql-ws to the URL in argv[2] with the query in argv[3]; prints each event.
// TOKEN in the environment goes into connection_init.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const print = (event) => console.log(JSON.stringify(event));
const client = createClient({
  url: process.argv[2],
  webSocketImpl: WebSocket,
  retryAttempts: 0,
  connectionParams: process.env.TOKEN ? { Authorization: `Bearer ${process.env.TOKEN}` } : undefined,
});
await new Promise((done) => {
  client.subscribe(
    { query: process.argv[3] },
    {
      next: (payload) => print({ next: payload }),
      error: (error) => {
        print(Array.isArray(error) ? { errors: error } : { closed: error?.code, reason: error?.reason });
        done();
      },
      complete: () => {
        print({ complete: true });
        done();
      },
    },
  );
});
await client.dispose();
