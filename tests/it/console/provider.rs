//! A provider of identities over HTTP, for tests: discovery, a page to sign in at, tokens and keys of its
//! own. It checks what a provider must check, and lies where a test asks for it. It is written from the
//! specifications and shares nothing with the product.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clipqueue::clock::Clock;
use ring::digest;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::AbortHandle};
use url::Url;

use super::signing::{Keys, Sign, b64};

/// What the product is called here.
pub(crate) const CLIENT: &str = "clipqueue";
/// Its secret, which needs to be escaped on its way.
pub(crate) const SECRET: &str = "canary-secret of/oidc";
/// How long an ID token is good, seconds.
pub(crate) const TOKEN_LIFE: i64 = 300;

/// What an endpoint does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Silence,
    Huge,
    Redirect,
    Status(u16),
    NotJson,
    /// Claims to be somebody else.
    OtherIssuer,
}

/// What was given out for a code.
#[derive(Clone, Debug)]
struct Grant {
    challenge: String,
    nonce: String,
    redirect: String,
    claims: Value,
}

type Alter = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// What is steered, and what was seen.
pub(crate) struct Inside {
    /// Who signs in at the page that a browser is led to.
    pub(crate) person: Value,
    pub(crate) sign: Sign,
    /// Whether the second key of ES256 is published.
    pub(crate) rotated: bool,
    /// Changes claims before they are signed.
    pub(crate) alter: Alter,
    /// What an endpoint does, by its path.
    pub(crate) faults: HashMap<&'static str, Fault>,
    /// Whether secrets are taken in the body alone.
    pub(crate) secret_in_body: bool,
    /// Every path that was asked for, in order.
    pub(crate) asked: Vec<String>,
    /// Everything that must stay secret: codes, verifiers, tokens.
    pub(crate) secrets: Vec<String>,
    codes: HashMap<String, Grant>,
}

/// The provider; it ends when it is dropped.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    shared: Shared,
    task: AbortHandle,
}

#[derive(Clone)]
struct Shared {
    issuer: String,
    clock: Clock,
    keys: Arc<Keys>,
    inside: Arc<Mutex<Inside>>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn random() -> String {
    b64(uuid::Uuid::new_v4().as_bytes()) + &b64(uuid::Uuid::new_v4().as_bytes())
}

impl Provider {
    /// On this machine under the name `host`, with the time of `clock`.
    pub(crate) async fn start(host: &str, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared {
            issuer: format!("http://{host}:{port}/realms/main"),
            clock,
            keys: Arc::new(Keys::new()),
            inside: Arc::new(Mutex::new(Inside {
                person: person("ada-1", "ada", &["staff"]),
                sign: Sign::Rs256,
                rotated: false,
                alter: Arc::new(|_| {}),
                faults: HashMap::new(),
                secret_in_body: false,
                asked: Vec::new(),
                secrets: Vec::new(),
                codes: HashMap::new(),
            })),
        };
        // A connection that is kept would outlive the provider.
        let router = Router::new()
            .fallback(answer)
            .layer(map_response(closed))
            .with_state(shared.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            issuer: shared.issuer.clone(),
            shared,
            task: task.abort_handle(),
        }
    }

    /// Whatever a test steers or looks at.
    pub(crate) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.shared.inside.lock().unwrap()
    }

    /// Somebody signs in at the page of that address; gives where the browser is led back to.
    pub(crate) fn sign_in(&self, page: &str, person: &Value) -> Url {
        self.shared.authorize(page, person)
    }

    /// How often the endpoint was asked.
    pub(crate) fn count(&self, path: &str) -> usize {
        let path = format!("/realms/main{path}");
        self.inside().asked.iter().filter(|of| **of == path).count()
    }

    /// Nobody listens any more.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

/// The claims of a person.
pub(crate) fn person(subject: &str, name: &str, groups: &[&str]) -> Value {
    json!({
        "sub": subject,
        "preferred_username": name,
        "email": format!("{name}@example.com"),
        "email_verified": true,
        "groups": groups,
    })
}

impl Shared {
    /// Checks what the product asks for, as RFC 6749, RFC 7636 and OpenID Connect Core want it.
    fn authorize(&self, page: &str, person: &Value) -> Url {
        let page = Url::parse(page).unwrap();
        let mut asked = HashMap::new();
        for (key, value) in page.query_pairs() {
            let twice = asked.insert(key.into_owned(), value.into_owned());
            assert_eq!(twice, None, "a parameter stands twice: {page}");
        }
        let of = |key: &str| asked.get(key).map_or("", String::as_str);
        assert_eq!(page.path(), "/realms/main/authorize");
        assert_eq!(of("response_type"), "code");
        assert_eq!(of("client_id"), CLIENT);
        assert_eq!(of("code_challenge_method"), "S256");
        assert_eq!(of("code_challenge").len(), 43);
        assert!(of("scope").split(' ').any(|scope| scope == "openid"));
        assert!(of("redirect_uri").ends_with("/ops/oidc/callback"), "{page}");
        assert!(of("state").len() >= 43 && of("nonce").len() >= 43, "{page}");
        let code = random();
        let grant = Grant {
            challenge: of("code_challenge").to_owned(),
            nonce: of("nonce").to_owned(),
            redirect: of("redirect_uri").to_owned(),
            claims: person.clone(),
        };
        let mut back = Url::parse(of("redirect_uri")).unwrap();
        back.query_pairs_mut()
            .append_pair("state", of("state"))
            .append_pair("session_state", "of no use")
            .append_pair("iss", &self.issuer)
            .append_pair("code", &code);
        let mut inside = self.inside.lock().unwrap();
        let secrets = [&code, of("state"), of("nonce")].map(|text: &str| text.to_owned());
        inside.secrets.extend(secrets);
        inside.codes.insert(code, grant);
        back
    }

    fn discovery(&self, issuer: &str) -> Value {
        let methods = match self.inside.lock().unwrap().secret_in_body {
            true => "client_secret_post",
            false => "client_secret_basic",
        };
        let base = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
            "jwks_uri": format!("{base}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            // A provider that offers what is refused.
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": [methods],
            "scopes_supported": ["openid", "email", "profile"],
        })
    }

    /// Gives tokens for a code, once, to whoever began.
    fn exchange(&self, headers: &HeaderMap, form: &str) -> Result<Value, &'static str> {
        let form: HashMap<String, String> = serde_urlencoded::from_str(form).unwrap();
        let of = |key: &str| form.get(key).map_or("", String::as_str);
        let mut inside = self.inside.lock().unwrap();
        let shown = match inside.secret_in_body {
            true => (of("client_id").to_owned(), of("client_secret").to_owned()),
            false => basic(headers).ok_or("invalid_client")?,
        };
        if shown != (CLIENT.to_owned(), SECRET.to_owned()) {
            return Err("invalid_client");
        }
        if of("grant_type") != "authorization_code" {
            return Err("unsupported_grant_type");
        }
        let grant = inside.codes.remove(of("code")).ok_or("invalid_grant")?;
        let digest = digest::digest(&digest::SHA256, of("code_verifier").as_bytes());
        if of("redirect_uri") != grant.redirect || b64(digest) != grant.challenge {
            return Err("invalid_grant");
        }
        let now = self.clock.now().as_secs();
        let mut claims = json!({
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + TOKEN_LIFE,
            "nonce": grant.nonce,
        });
        for (key, value) in grant.claims.as_object().unwrap() {
            claims[key] = value.clone();
        }
        (inside.alter)(&mut claims);
        let token = self.keys.token(inside.sign, &claims);
        let access = random();
        let secrets = [of("code_verifier"), &token, &access].map(str::to_owned);
        inside.secrets.extend(secrets);
        Ok(json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE,
            "id_token": token,
        }))
    }
}

/// Name and secret of a client, by RFC 6749, 2.3.1.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let bytes = STANDARD.decode(text.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, secret) = text.split_once(':')?;
    let plain = |text: &str| {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        pairs
            .map(|(key, _)| key.into_owned())
            .next()
            .unwrap_or_default()
    };
    Some((plain(name), plain(secret)))
}

async fn closed(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let page = format!("http://provider{}", request.uri());
    let short = path
        .strip_prefix("/realms/main")
        .unwrap_or_default()
        .to_owned();
    let fault = {
        let mut inside = shared.inside.lock().unwrap();
        inside.asked.push(path);
        inside.faults.get(short.as_str()).copied()
    };
    match fault {
        None | Some(Fault::OtherIssuer) => {}
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Huge) => {
            let text = format!("{{\"padding\":\"{}\"}}", "x".repeat(4 << 20));
            return json_of(StatusCode::OK, text);
        }
        Some(Fault::Redirect) => {
            return Redirect::temporary(&format!("{}{short}-elsewhere", shared.issuer))
                .into_response();
        }
        Some(Fault::Status(status)) => {
            return json_of(StatusCode::from_u16(status).unwrap(), "{}".to_owned());
        }
        Some(Fault::NotJson) => return "<html>A page</html>".into_response(),
    }
    let (parts, body) = request.into_parts();
    match short.as_str() {
        "/.well-known/openid-configuration" => {
            let issuer = match fault {
                Some(Fault::OtherIssuer) => "http://localhost/realms/other",
                _ => &shared.issuer,
            };
            json_of(StatusCode::OK, shared.discovery(issuer).to_string())
        }
        "/keys" => {
            let rotated = shared.inside.lock().unwrap().rotated;
            json_of(StatusCode::OK, shared.keys.published(rotated).to_string())
        }
        "/authorize" => {
            let person = shared.inside.lock().unwrap().person.clone();
            Redirect::to(shared.authorize(&page, &person).as_str()).into_response()
        }
        "/token" => {
            let form = to_bytes(body, 1 << 20).await.unwrap();
            let form = String::from_utf8(form.to_vec()).unwrap();
            match shared.exchange(&parts.headers, &form) {
                Ok(tokens) => json_of(StatusCode::OK, tokens.to_string()),
                Err(error) => {
                    // A description that nobody may repeat.
                    let text = json!({ "error": error, "error_description": "canary-description" });
                    json_of(StatusCode::BAD_REQUEST, text.to_string())
                }
            }
        }
        _ => json_of(StatusCode::NOT_FOUND, "{}".to_owned()),
    }
}

fn json_of(status: StatusCode, text: String) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status, headers, Body::from(text)).into_response()
}
