//! A real application on a temporary directory, with a simulator beside it and a clock of its own.

use std::time::Duration;

use async_graphql::{Request, Response, Schema, Variables};
use bytes::Bytes;
use clipqueue::{
    app::App,
    clock::{Clock, ManualClock},
    config::{self, Sources},
    domain::{
        accounts,
        actor::{Actor, Scope},
        api_keys, connect,
    },
    graphql::schema::{self, Mutation, Query, Subscription},
    job::Jobs,
    media::{Media, MediaState, NewUpload},
    service::{self, Role},
};
use clipqueue_entities::{ApiKeyId, Timestamp, account};
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tempfile::TempDir;
use tiktok_sim::{Consent, Sim, SimConfig};

use crate::support::eventually;

/// The instant at which the clock starts: 2027-01-15T08:00:00Z.
const START: i64 = 1_800_000_000_000;
/// How long a test waits for something that should happen at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a test moves the clock before it only waits.
const STEPS: u32 = 5;
/// A playable video that passes TikTok's rules.
pub(super) const CLIP: &[u8] = include_bytes!("../../media/clip.mp4");

/// A picture that passes TikTok's rules.
const PHOTO: &[u8] = include_bytes!("../../media/photo.jpg");

/// Everything that a test needs.
pub(super) struct World {
    pub(super) app: App,
    pub(super) clock: ManualClock,
    pub(super) sim: Sim,
    pub(super) schema: Schema<Query, Mutation, Subscription>,
    _dir: TempDir,
}

impl Drop for World {
    /// No rule of TikTok's was broken, and nothing was refused that the test did not expect.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let verdict = self.sim.verify();
            assert!(verdict.is_clean(), "the simulator disagrees: {verdict}");
        }
    }
}

/// A user with every scope and a connected account.
pub(super) struct Tenant {
    pub(super) actor: Actor,
    pub(super) account: account::Model,
}

impl World {
    /// A fresh application.
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::start(SimConfig {
            client_key: "demo-client-key".into(),
            client_secret: "demo-client-secret".into(),
            ..SimConfig::default()
        })
        .await
        .unwrap();
        let place = |name: &str| dir.path().join(name).display().to_string();
        let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let config = config::load(&Sources {
            settings: vec![
                set("database.url", &format!("sqlite:{}", place("db.sqlite"))),
                set("media.url", &place("media")),
                set("mail.url", &place("outbox")),
                set("media.min_free_bytes", "0"),
                set("tiktok.authorize_base", sim.base_url()),
                set("tiktok.api_base", sim.base_url()),
                set("tiktok.audited", "true"),
                set("graphql.introspection", "false"),
            ],
            ..Sources::default()
        })
        .unwrap();
        let clock = ManualClock::new(Timestamp::from_millis(START));
        let app = service::prepare(&config, &Role::everything(), Clock::Manual(clock.clone()))
            .await
            .unwrap();
        Self {
            schema: schema::build(app.clone()).finish(),
            app,
            clock,
            sim,
            _dir: dir,
        }
    }

    /// A user named `name` who connected a TikTok account of the same name.
    pub(super) async fn tenant(&self, name: &str) -> Tenant {
        let user = api_keys::ensure_user(&self.app, name).await.unwrap();
        let actor = Actor {
            user_id: user.id,
            user_name: user.name,
            key_id: Some(ApiKeyId::new()),
            session_id: None,
            scopes: Scope::ALL.to_vec(),
            expires_at: None,
            accounts: None,
        };
        let page = connect::begin(&self.app, &actor, None).await.unwrap();
        self.sim.account(name, Default::default());
        let back = self
            .sim
            .consent(page.url.as_str(), name, &Consent::All)
            .unwrap();
        let query = url::Url::parse(&back).unwrap().query().unwrap().to_owned();
        let connected = connect::finish(&self.app, &query).await.unwrap();
        let account = accounts::get(self.app.db.read(), actor.user_id, connected.account.id)
            .await
            .unwrap();
        Tenant { actor, account }
    }

    /// A video of `actor`, ready to be posted.
    pub(super) async fn media(&self, actor: &Actor) -> Media {
        self.file(actor, CLIP).await
    }

    /// A photo of `actor`, ready to be posted.
    pub(super) async fn photo(&self, actor: &Actor) -> Media {
        self.file(actor, PHOTO).await
    }

    async fn file(&self, actor: &Actor, bytes: &'static [u8]) -> Media {
        let new = NewUpload {
            size: bytes.len() as u64,
            filename: Some("clip.mp4".into()),
            ..NewUpload::default()
        };
        let media = self.app.media.create(actor.user_id, new).await.unwrap();
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(bytes))]);
        let appended = self
            .app
            .media
            .append(actor.user_id, media.id, 0, None, body)
            .await
            .unwrap();
        assert_eq!(
            appended.media.state,
            MediaState::Ready,
            "{:?}",
            appended.media
        );
        appended.media
    }

    fn request(actor: Option<&Actor>, document: &str, variables: Value) -> Request {
        let request = Request::new(document).variables(Variables::from_json(variables));
        match actor {
            Some(actor) => request.data(actor.clone()),
            None => request,
        }
    }

    /// Runs a query or mutation, whatever comes of it.
    pub(super) async fn run(
        &self,
        actor: Option<&Actor>,
        document: &str,
        variables: Value,
    ) -> Value {
        let request = Self::request(actor, document, variables);
        to_json(self.schema.execute(request).await)
    }

    /// Runs a query or mutation that must succeed, and gives its data.
    pub(super) async fn ask(&self, tenant: &Tenant, document: &str, variables: Value) -> Value {
        let mut answer = self.run(Some(&tenant.actor), document, variables).await;
        assert_eq!(answer["errors"], Value::Null, "{document}");
        answer["data"].take()
    }

    /// Starts a subscription.
    pub(super) fn watch(
        &self,
        actor: Option<&Actor>,
        document: &str,
        variables: Value,
    ) -> impl Stream<Item = Value> + Unpin + use<> {
        let request = Self::request(actor, document, variables);
        self.schema.execute_stream(request).map(to_json).boxed()
    }

    /// Runs every job that is due.
    pub(super) async fn drain(&self) {
        let jobs = Jobs::new(&self.app.config.queue);
        let runner = service::runner(self.app.clone());
        let drained = self.app.queue.drain(&jobs, &runner).await.unwrap();
        assert_eq!(drained.errors, [], "{drained:?}");
    }

    /// Runs jobs and moves time until `post` is in `state`.
    pub(super) async fn until(&self, tenant: &Tenant, post: &str, state: &str) {
        let mut seen = Vec::new();
        for _ in 0..200 {
            self.drain().await;
            let answer = self
                .ask(
                    tenant,
                    "query ($id: ID!) { node(id: $id) { ... on Post { state failure { code message } } } }",
                    json!({ "id": post }),
                )
                .await;
            if answer["node"]["state"] == state {
                return;
            }
            seen.push(answer["node"].clone());
            self.clock.advance(Duration::from_secs(5));
            self.sim.clock().advance(Duration::from_secs(5));
        }
        panic!("never {state}: {seen:?}");
    }
}

/// The next result of a subscription.
pub(super) async fn next(stream: &mut (impl Stream<Item = Value> + Unpin)) -> Value {
    tokio::time::timeout(PATIENCE, stream.next())
        .await
        .expect("nothing came")
        .expect("the stream ended")
}

/// Nothing comes, so that the subscription waits for something new from here on.
pub(super) async fn quiet(stream: &mut (impl Stream<Item = Value> + Unpin)) {
    let came = tokio::time::timeout(Duration::from_millis(200), stream.next()).await;
    assert!(came.is_err(), "{came:?}");
}

/// Advances the clock by `step` a few times until the subscription gives something.
pub(super) async fn next_by(
    clock: &ManualClock,
    step: Duration,
    stream: &mut (impl Stream<Item = Value> + Unpin),
) -> Value {
    for _ in 0..STEPS {
        // Time passes when whoever looks has looked, and waits for an instant that a step reaches.
        let now = clock.now();
        let waiting = eventually(PATIENCE, "somebody waits for the clock", async || {
            let awaited = clock.awaits()?;
            (awaited > now && awaited <= now + step).then_some(())
        });
        tokio::select! {
            biased;
            value = next(stream) => return value,
            () = waiting => clock.advance(step),
        }
    }
    next(stream).await
}

fn to_json(response: Response) -> Value {
    let mut answer = serde_json::to_value(response).unwrap();
    if answer.get("errors").is_none() {
        answer["errors"] = Value::Null;
    }
    answer
}

/// The codes of an answer's errors.
pub(super) fn codes(answer: &Value) -> Vec<String> {
    answer["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| {
            let code = error["extensions"]["code"].as_str();
            code.unwrap_or("(none)").to_owned()
        })
        .collect()
}
