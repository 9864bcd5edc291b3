//! What an operator may tune about the GraphQL endpoint, with its defaults.

use std::time::Duration;

/// How the endpoint behaves. [`Default`] is what a public server should run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether requests without a credential are served.
    pub anonymous: bool,
    /// Mutations that strangers may call, each in a request of its own by POST.
    pub open_mutations: &'static [&'static str],
    /// Proxies before us that each add the address of whoever asked them.
    pub proxies: usize,
    /// Whether every caller may introspect; a session may allow it for itself.
    pub introspection: bool,
    /// Whether queries may come by GET. Mutations never do.
    pub get_queries: bool,
    /// How many operations one HTTP request may carry as a JSON array; 0 refuses arrays.
    pub max_batch: usize,
    /// Origins (`https://app.example`) that browsers may open sockets from, beside our own host.
    pub allowed_origins: Vec<String>,
    /// Longest time for a query, a mutation or the body of a request.
    pub execution_timeout: Duration,
    /// How often a socket's or a stream's credential is asked about again, so that a revoked key
    /// loses its open connections.
    pub recheck_every: Duration,
    /// How long a full outgoing queue may stand still before a subscription counts as too slow.
    pub slow_consumer_after: Duration,
    /// Results that wait for one client before its subscriptions are held back.
    pub outgoing_queue: usize,
    /// How often an idle event stream sends a comment, so that proxies keep it.
    pub sse_comment_every: Duration,
    /// What a document may ask for.
    pub limits: Limits,
    /// Rules of the WebSocket.
    pub socket: SocketSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            anonymous: false,
            open_mutations: &[],
            proxies: 0,
            introspection: false,
            get_queries: true,
            max_batch: 0,
            allowed_origins: Vec::new(),
            execution_timeout: Duration::from_secs(10),
            recheck_every: Duration::from_secs(60),
            slow_consumer_after: Duration::from_secs(10),
            outgoing_queue: 64,
            sse_comment_every: Duration::from_secs(12),
            limits: Limits::default(),
            socket: SocketSettings::default(),
        }
    }
}

/// The most that one request may ask for. Fragments count as often as they are spread.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// Bytes of a document.
    pub document_bytes: usize,
    /// Tokens of a document.
    pub tokens: usize,
    /// Open brackets of any kind inside each other, in the document's text.
    pub nesting: usize,
    /// Fields inside fields.
    pub depth: usize,
    /// Fields inside fields of an operation that only introspects.
    pub introspection_depth: usize,
    /// Aliases of an operation, and of the whole document's text.
    pub aliases: usize,
    /// Fields at the root of an operation.
    pub root_fields: usize,
    /// Directives on one field or fragment; ten times as many in the document.
    pub directives: usize,
    /// Selections of an operation, whatever they cost.
    pub selections: usize,
    /// Cost of an operation, as the schema counts it.
    pub cost: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            document_bytes: 100_000,
            tokens: 5_000,
            nesting: 64,
            depth: 12,
            // The introspection query of graphql-js 16 is 15 deep.
            introspection_depth: 16,
            aliases: 50,
            root_fields: 20,
            directives: 10,
            selections: 2_000,
            cost: 1_000,
        }
    }
}

/// The rules of `graphql-transport-ws` that leave a number open.
#[derive(Clone, Debug)]
pub struct SocketSettings {
    /// How long a new socket may take to send `connection_init`.
    pub init_timeout: Duration,
    /// How often the server pings.
    pub ping_every: Duration,
    /// Pings without any sign of life after which the socket is dropped.
    pub missed_pongs: u32,
    /// Operations that may run at once.
    pub operations: usize,
    /// Bytes of one message from the client.
    pub message_bytes: usize,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            init_timeout: Duration::from_secs(10),
            ping_every: Duration::from_secs(20),
            missed_pongs: 2,
            operations: 20,
            message_bytes: 64 * 1024,
        }
    }
}
