//! Pages for people who cannot sign in and want their data deleted: the form at `/privacy/delete`, and the
//! page of a request, for whoever has its code.
//!
//! Both work without scripts. The answer to the form is the same whether the creator is known here or
//! not. A code is as good as a key to its page: pages are not kept by browsers and tell no other site
//! where they were linked from.

use askama::Template;
use axum::{
    Form, Json, Router,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use clipqueue_entities::deletion_request::RequestState;
use serde::Deserialize;
use serde_json::json;

use super::{
    caller, cookies,
    lone::{self, Has},
    same_origin,
    ui::show::minute,
};
use crate::{
    app::App,
    domain::{
        deletions::{
            self, NewRequest, Standing,
            prove::{NOT_HELD, OTHER_NAME},
        },
        error::{Error, Refusal},
    },
};

pub use crate::app::{DELETION_PATH as PATH, DELETION_REQUEST_PATH as REQUEST_PATH};

/// No form sends more.
const MAX_FORM: usize = 16 * 1024;
/// Longer than any code.
const MAX_CODE: usize = 64;

/// The public routes.
pub fn router(app: App) -> Router {
    Router::new()
        .route(PATH, get(form).post(ask))
        .route(&format!("{REQUEST_PATH}/{{code}}"), get(request))
        .route(&format!("{REQUEST_PATH}/{{code}}/sign-in"), post(sign_in))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .with_state(app)
}

/// The form as it was filled in.
#[derive(Clone, Debug, Default, Deserialize)]
struct Filled {
    #[serde(default)]
    username: String,
    #[serde(default)]
    profile_url: String,
    #[serde(default)]
    description: String,
    /// Separated by spaces, commas or line breaks.
    #[serde(default)]
    job_ids: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    key: String,
}

impl Filled {
    fn request(&self) -> NewRequest {
        let ids = self.job_ids.split([' ', ',', '\n', '\r', '\t']);
        NewRequest {
            username: self.username.clone(),
            profile_url: Some(self.profile_url.clone()),
            description: Some(self.description.clone()),
            job_ids: ids.filter(|id| !id.is_empty()).map(str::to_owned).collect(),
            email: Some(self.email.clone()),
        }
    }
}

#[derive(Template)]
#[template(path = "deletion_form.html")]
struct FormPage {
    action: String,
    filled: Filled,
    problems: Vec<String>,
}

#[derive(Template)]
#[template(path = "deletion_request.html")]
struct RequestPage {
    title: &'static str,
    text: &'static str,
    /// What is to stand in the profile, while that helps.
    proof: Option<String>,
    /// Where to sign in with TikTok, while that helps.
    sign_in: Option<String>,
    /// What came of signing in.
    told: Option<&'static str>,
    /// By when it is over, while it is not.
    due: Option<String>,
    /// The page of the erasure, once it runs.
    erasure: Option<String>,
    /// Where to ask again.
    again: Option<String>,
}

async fn form(State(app): State<App>) -> Response {
    let filled = Filled {
        key: uuid::Uuid::new_v4().to_string(),
        ..Filled::default()
    };
    show_form(&app, StatusCode::OK, filled, Vec::new())
}

async fn ask(
    State(app): State<App>,
    headers: HeaderMap,
    extensions: Extensions,
    Form(filled): Form<Filled>,
) -> Response {
    let source = caller::source(&headers, &extensions, app.config.http.proxies);
    match deletions::ask(&app, source, filled.request(), &filled.key).await {
        Ok(ticket) => {
            let address = app.deletion_request_url(&ticket.code);
            // Only the path: the address that people use here may be another than the public one.
            dressed(&app, Redirect::to(address.path()))
        }
        Err(Error::Refused(refusals)) => refused(&app, filled, &refusals),
        Err(error) => {
            tracing::error!(?error, "a request for deletion cannot be taken");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn refused(app: &App, filled: Filled, refusals: &[Refusal]) -> Response {
    let problems = refusals.iter().map(|refusal| match refusal.field.last() {
        Some(field) => format!("{} {}", label(field), refusal.message),
        None => refusal.message.clone(),
    });
    let again = refusals.iter().find_map(|refusal| refusal.retry_at);
    let status = match again {
        Some(_) => StatusCode::TOO_MANY_REQUESTS,
        None => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut answer = show_form(app, status, filled, problems.collect());
    if let Some(at) = again {
        let wait = at.since(app.clock.now()).as_secs().max(1);
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    answer
}

/// What the form calls a field.
fn label(field: &str) -> &str {
    match field {
        "username" => "The username",
        "profileUrl" => "The link",
        "description" => "The description",
        "jobIds" => "The ids",
        "email" => "The address",
        other => other,
    }
}

/// What a page of a request is asked with.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    proof: String,
}

impl Asked {
    /// What came of a proof that proved nothing.
    fn told(&self) -> Option<&'static str> {
        match self.proof.as_str() {
            OTHER_NAME => Some(
                "You signed in as somebody else than the request names. Sign in with that account, or ask anew for the one that you signed in with.",
            ),
            NOT_HELD => {
                Some("Nothing is held here about the TikTok account that you signed in with.")
            }
            _ => None,
        }
    }
}

async fn request(
    State(app): State<App>,
    Path(code): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let found = match code.len() > MAX_CODE {
        true => Err(Error::NotFound),
        false => deletions::by_code(&app, &code).await,
    };
    match (found, lone::wants_json(&headers)) {
        (Ok(standing), true) => dressed(&app, Json(standing.to_json())),
        (Ok(standing), false) => {
            let told = asked.told();
            show(
                &app,
                StatusCode::OK,
                &RequestPage {
                    told,
                    ..of(&app, &standing)
                },
            )
        }
        (Err(Error::NotFound), true) => {
            let body = json!({ "error": "no request has this code" });
            dressed(&app, (StatusCode::NOT_FOUND, Json(body)))
        }
        (Err(Error::NotFound), false) => show(&app, StatusCode::NOT_FOUND, &unknown(&app)),
        (Err(error), _) => {
            tracing::error!(?error, "a request for deletion cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Sends the browser to TikTok, to prove who its owner is. Only a button of our own page does: whoever is
/// lured here from elsewhere proves nothing.
async fn sign_in(State(app): State<App>, Path(code): Path<String>, headers: HeaderMap) -> Response {
    if code.len() > MAX_CODE || !same_origin::is_ours(&app, &headers) {
        return show(&app, StatusCode::FORBIDDEN, &unknown(&app));
    }
    let browser = cookies::browser(&app, &headers);
    match deletions::begin_proof(&app, &code, &browser).await {
        Ok(page) => {
            let mut answer = dressed(&app, Redirect::to(page.url.as_str()));
            cookies::keep_browser(&app, &mut answer, &browser);
            answer
        }
        Err(Error::NotFound) => show(&app, StatusCode::NOT_FOUND, &unknown(&app)),
        // The page says how the request stands.
        Err(Error::Refused(_)) => {
            let address = app.deletion_request_url(&code);
            dressed(&app, Redirect::to(address.path()))
        }
        Err(error) => {
            tracing::error!(?error, "a proof cannot be begun");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn of(app: &App, standing: &Standing) -> RequestPage {
    let row = &standing.row;
    let again = || Some(app.deletion_form_url().path().to_owned());
    let page = RequestPage {
        title: "",
        text: "",
        proof: None,
        sign_in: None,
        told: None,
        due: None,
        erasure: standing
            .erasure
            .as_deref()
            .map(|code| app.erasure_url(code).path().to_owned()),
        again: None,
    };
    match row.state {
        RequestState::Open => RequestPage {
            title: "Please prove that the account is yours",
            text: "Nothing is deleted before we know that the request comes from the owner of the TikTok account. Keep the address of this page: it is the only way back to your request.",
            proof: Some(standing.proof.clone()),
            sign_in: Some(format!(
                "{}/sign-in",
                app.deletion_request_url(&standing.code).path()
            )),
            due: Some(minute(row.due_at)),
            ..page
        },
        RequestState::Proven => RequestPage {
            title: "Your data is being deleted",
            text: "The request was proved. The deletion goes on by itself.",
            due: Some(minute(row.due_at)),
            ..page
        },
        RequestState::Done => RequestPage {
            title: "Your data is deleted",
            text: "Everything that was held about you is gone, and so is what you wrote with the request.",
            ..page
        },
        RequestState::Lapsed => RequestPage {
            title: "The request has lapsed",
            text: "Nobody proved it in time, so nothing was deleted but the request itself.",
            again: again(),
            ..page
        },
        RequestState::Refused => RequestPage {
            title: "The request was refused",
            text: "It could not be found to come from the owner of the account, so nothing was deleted but the request itself.",
            again: again(),
            ..page
        },
    }
}

fn unknown(app: &App) -> RequestPage {
    RequestPage {
        title: "Nothing is known by this code",
        text: "Look whether it is complete. A request that has been over for some time is deleted as well.",
        proof: None,
        sign_in: None,
        told: None,
        due: None,
        erasure: None,
        again: Some(app.deletion_form_url().path().to_owned()),
    }
}

fn show_form(app: &App, status: StatusCode, filled: Filled, problems: Vec<String>) -> Response {
    let page = FormPage {
        action: app.deletion_form_url().path().to_owned(),
        filled,
        problems,
    };
    show(app, status, &page)
}

fn show(app: &App, status: StatusCode, page: &impl Template) -> Response {
    lone::show(status, page, Has::Forms(app))
}

fn dressed(app: &App, answer: impl IntoResponse) -> Response {
    lone::dress(answer.into_response(), Has::Forms(app))
}
