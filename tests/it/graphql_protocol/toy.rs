//! A server with a schema small enough to know by heart.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    time::Duration,
};

use async_graphql::{Context, ID, Object, Result, Schema, SimpleObject, Subscription};
use clipqueue::clock::{Clock, ManualClock};
use clipqueue::graphql::{
    cost,
    error::{ApiError, Code},
};
use clipqueue::http::graphql::{
    AuthFailure, Authenticate, Credentials, Endpoint, Engine, Session, Settings, router,
};
use clipqueue_entities::Timestamp;
use futures::{Stream, StreamExt, future::BoxFuture, stream};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The instant at which the server's clock starts.
const START: i64 = 1_800_000_000_000;
/// How long a test waits for something that should happen at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Who asks, as the toy resolvers see it.
#[derive(Clone)]
struct Actor(&'static str);

#[derive(SimpleObject, Clone)]
#[graphql(complex)]
struct Item {
    id: ID,
}

#[async_graphql::ComplexObject]
impl Item {
    async fn item(&self) -> Item {
        self.clone()
    }

    #[graphql(complexity = "cost::page(first, None, child_complexity)")]
    async fn items(&self, first: Option<i32>) -> Vec<Item> {
        items(first)
    }
}

fn items(first: Option<i32>) -> Vec<Item> {
    (0..first.unwrap_or(2))
        .map(|number| Item {
            id: number.to_string().into(),
        })
        .collect()
}

/// An object whose fields fail on demand.
struct Frail;

#[Object]
impl Frail {
    async fn ok(&self) -> i32 {
        tokio::task::yield_now().await;
        1
    }

    async fn must(&self) -> Result<i32, ApiError> {
        Err(ApiError::new(Code::Conflict, "must"))
    }

    async fn may(&self) -> Result<Option<i32>, ApiError> {
        Err(ApiError::new(Code::Conflict, "may"))
    }

    async fn firm(&self) -> Frail {
        Frail
    }

    async fn soft(&self) -> Option<Frail> {
        Some(Frail)
    }

    async fn firm_list(&self) -> Vec<Frail> {
        vec![Frail, Frail]
    }

    async fn soft_list(&self) -> Vec<Option<Frail>> {
        vec![Some(Frail), None, Some(Frail)]
    }

    async fn numbers(&self) -> Vec<Result<i32, ApiError>> {
        vec![Ok(1), Err(ApiError::new(Code::Conflict, "number"))]
    }
}

#[derive(async_graphql::InputObject)]
struct Wish {
    text: String,
    count: Option<i32>,
    tags: Option<Vec<String>>,
}

/// What the resolvers count.
#[derive(Clone, Default)]
struct Tally {
    bumps: Arc<AtomicI32>,
    streams: Arc<AtomicI32>,
}

struct Query;

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "world"
    }

    async fn whoami(&self, ctx: &Context<'_>) -> Option<&'static str> {
        ctx.data_opt::<Actor>().map(|actor| actor.0)
    }

    async fn bumps(&self, ctx: &Context<'_>) -> i32 {
        ctx.data_unchecked::<Tally>().bumps.load(Ordering::SeqCst)
    }

    /// Subscriptions whose stream is alive.
    async fn streams(&self, ctx: &Context<'_>) -> i32 {
        ctx.data_unchecked::<Tally>().streams.load(Ordering::SeqCst)
    }

    async fn echo(&self, text: String) -> String {
        text
    }

    async fn double(&self, n: i32) -> i32 {
        n * 2
    }

    async fn wish(&self, wish: Wish) -> String {
        format!("{} {:?} {:?}", wish.text, wish.count, wish.tags)
    }

    async fn nested(&self, lists: Option<Vec<Vec<Vec<i32>>>>) -> i32 {
        lists.map_or(0, |lists| lists.len() as i32)
    }

    async fn item(&self) -> Item {
        Item { id: "1".into() }
    }

    #[graphql(complexity = "cost::page(first, None, child_complexity)")]
    async fn items(&self, first: Option<i32>) -> Vec<Item> {
        items(first)
    }

    async fn never(&self) -> i32 {
        std::future::pending().await
    }

    async fn broken(&self) -> Result<Option<i32>> {
        Ok(Some("secret-host:5432 refused".parse::<i32>()?))
    }

    async fn missing(&self) -> Result<Option<i32>, ApiError> {
        Err(ApiError::not_found("Item"))
    }

    async fn frail(&self) -> Option<Frail> {
        Some(Frail)
    }

    async fn rigid(&self) -> Frail {
        Frail
    }

    async fn panics(&self) -> i32 {
        "x".parse().expect("secret text of a panic")
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn bump(&self, ctx: &Context<'_>) -> i32 {
        ctx.data_unchecked::<Tally>()
            .bumps
            .fetch_add(1, Ordering::SeqCst)
            + 1
    }
}

struct Subscriptions;

/// Counts as a living stream until it is dropped.
struct Alive(Arc<AtomicI32>);

impl Alive {
    fn new(ctx: &Context<'_>) -> Self {
        let streams = ctx.data_unchecked::<Tally>().streams.clone();
        streams.fetch_add(1, Ordering::SeqCst);
        Self(streams)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[Subscription]
impl Subscriptions {
    /// 1, 2, … `to`, then the end.
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }

    /// One value, then silence until it is stopped.
    async fn forever(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        let alive = Alive::new(ctx);
        stream::iter([1])
            .chain(stream::pending())
            .inspect(move |_| {
                let _ = &alive;
            })
    }

    /// More than any socket buffers.
    async fn flood(&self, ctx: &Context<'_>) -> impl Stream<Item = String> {
        let alive = Alive::new(ctx);
        stream::repeat_with(move || {
            let _ = &alive;
            "x".repeat(100_000)
        })
    }

    /// Fails before the first value.
    async fn refused(&self) -> Result<stream::Empty<i32>, ApiError> {
        Err(ApiError::new(Code::CursorExpired, "The cursor is too old."))
    }
}

struct Doorkeeper {
    revoked: Arc<AtomicBool>,
}

impl Authenticate for Doorkeeper {
    fn authenticate<'a>(
        &'a self,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Session, AuthFailure>> {
        Box::pin(async move {
            match credentials.token {
                "ann" if self.revoked.load(Ordering::SeqCst) => Err(AuthFailure::Rejected),
                "ann" => Ok(Session::new(Actor("ann"))),
                "operator" => Ok(Session::new(Actor("operator")).introspection(true)),
                "hour" => Ok(Session::new(Actor("hour"))
                    .expires_at(Some(Timestamp::from_millis(START + 3_600_000)))),
                "slow" => std::future::pending().await,
                "many" => Err(AuthFailure::RateLimited(Duration::from_millis(1_500))),
                "away" => Err(AuthFailure::Unavailable),
                _ => Err(AuthFailure::Rejected),
            }
        })
    }
}

/// A running server; dropping it stops it.
pub(super) struct Toy {
    pub(super) address: SocketAddr,
    pub(super) clock: ManualClock,
    pub(super) shutdown: CancellationToken,
    pub(super) revoked: Arc<AtomicBool>,
    client: reqwest::Client,
}

impl Drop for Toy {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Toy {
    /// With anonymous callers and introspection, for what is not about either.
    pub(super) async fn open() -> Self {
        Self::with(|settings| {
            settings.anonymous = true;
            settings.introspection = true;
        })
        .await
    }

    pub(super) async fn with(tune: impl FnOnce(&mut Settings)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut settings = Settings::default();
        tune(&mut settings);
        let clock = ManualClock::new(Timestamp::from_millis(START));
        let shutdown = CancellationToken::new();
        let revoked = Arc::new(AtomicBool::new(false));
        let engine =
            Engine::new(Schema::build(Query, Mutation, Subscriptions).data(Tally::default()));
        let router = router(Endpoint {
            engine,
            auth: Arc::new(Doorkeeper {
                revoked: revoked.clone(),
            }),
            settings,
            clock: Clock::Manual(clock.clone()),
            shutdown: shutdown.clone(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = shutdown.clone();
        tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async move { stop.cancelled().await })
                .await
                .unwrap();
        });
        Self {
            address,
            clock,
            shutdown,
            revoked,
            client: reqwest::Client::builder().build().unwrap(),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/graphql", self.address)
    }

    pub(super) fn stream_url(&self) -> String {
        format!("http://{}/graphql/stream", self.address)
    }

    pub(super) fn ws_url(&self) -> String {
        format!("ws://{}/graphql", self.address)
    }

    pub(super) fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url).timeout(PATIENCE)
    }

    /// A POST of `body` as JSON text, to `/graphql`.
    pub(super) fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::POST, &self.url())
            .header("content-type", "application/json")
            .body(body)
    }

    /// Runs a document and gives the status and the JSON, in the strict format.
    pub(super) async fn run(&self, document: &str, variables: Value) -> (u16, Value) {
        let body = serde_json::json!({ "query": document, "variables": variables }).to_string();
        self.send(
            self.post(body)
                .header("accept", "application/graphql-response+json"),
        )
        .await
    }

    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
        (status, json)
    }

    /// How many streams of subscriptions are alive.
    pub(super) async fn streams(&self) -> i64 {
        let (_, body) = self.run("{ streams }", Value::Null).await;
        body["data"]["streams"].as_i64().unwrap()
    }
}

/// The code of the first error.
pub(super) fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_else(|| panic!("no code in {body}"))
}

/// Asks until the answer is as wanted; fails after [`PATIENCE`].
pub(super) async fn eventually<T, F>(mut ask: impl FnMut() -> F, wanted: impl Fn(&T) -> bool) -> T
where
    T: std::fmt::Debug,
    F: Future<Output = T>,
{
    crate::support::eventually(PATIENCE, "the answer is the wanted one", async || {
        let answer = ask().await;
        wanted(&answer).then_some(answer)
    })
    .await
}
