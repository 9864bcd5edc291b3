//! Debian's Chromium, steered over its DevTools protocol, and everything that it complains about.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use crate::support::{eventually, within};

/// A browser has to start on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(90);
/// An answer to a command, and what a page has to come to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    // Clicks before the first paint count.
    "--allow-pre-commit-input",
    "--remote-debugging-port=0",
    "about:blank",
];

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    last_id: u64,
    complaints: Vec<String>,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its other processes end with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Browser {
    /// Starts one with a fresh profile.
    pub(crate) async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let process = launch(&profile);
        let place = profile.path().join("DevToolsActivePort");
        let (port, path) = eventually(START, "the browser listens", async || {
            let text = fs::read_to_string(&place).ok()?;
            let (port, path) = text.split_once('\n')?;
            (!path.trim().is_empty()).then(|| (port.to_owned(), path.trim().to_owned()))
        })
        .await;
        let address = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) = tokio_tungstenite::connect_async(address).await.unwrap();
        let mut browser = Self {
            process,
            socket,
            session: String::new(),
            last_id: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = browser
            .call("Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let attached = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attached).await;
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Sends a command and gives its answer, which must be no error.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params).await;
        assert!(
            answer.get("error").is_none(),
            "{method}: {}",
            answer["error"]
        );
        answer["result"].clone()
    }

    /// Sends a command and waits for what comes back.
    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut command = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let answer = tokio::time::timeout(PATIENCE, async {
            let command = Message::text(command.to_string());
            self.socket.send(command).await.unwrap();
            loop {
                let message = self.socket.next().await.unwrap().unwrap();
                let Message::Text(text) = message else {
                    continue;
                };
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["id"] == id {
                    return message;
                }
                self.hear(&message);
            }
        });
        let answer = answer.await;
        answer.unwrap_or_else(|_| panic!("{method} is not answered"))
    }

    /// Keeps what a developer would see in red.
    fn hear(&mut self, event: &Value) {
        let params = &event["params"];
        let complaint = match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => true,
            "Runtime.consoleAPICalled" => matches!(
                params["type"].as_str(),
                Some("error" | "warning" | "assert")
            ),
            "Log.entryAdded" => {
                matches!(params["entry"]["level"].as_str(), Some("error" | "warning"))
            }
            "Audits.issueAdded" => params["issue"]["code"] == "ContentSecurityPolicyIssue",
            "Network.loadingFailed" => params["canceled"] != true,
            _ => false,
        };
        if complaint {
            self.complaints.push(event.to_string());
        }
    }

    /// Everything that the browser complained about since the last time.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    /// What an expression gives in the page; null while a page is on its way out.
    pub(crate) async fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask("Runtime.evaluate", params).await;
        answer["result"]["result"]["value"].clone()
    }

    /// Opens an address.
    pub(crate) async fn open(&mut self, address: &str) {
        self.call("Page.navigate", json!({"url": address})).await;
        self.wait(
            "document.readyState === 'complete'",
            "the page is loaded",
            || {},
        )
        .await;
    }

    /// Waits until an expression is true; `between` is called between two looks.
    pub(crate) async fn wait(&mut self, expression: &str, what: &str, mut between: impl FnMut()) {
        let condition = format!("Boolean({expression})");
        let seen = within(PATIENCE, async || {
            if self.eval(&condition).await == true {
                return Some(());
            }
            between();
            None
        });
        if seen.await.is_none() {
            let page = self
                .eval("location.href + '\\n' + document.body.innerText")
                .await;
            panic!("waited in vain until {what}: {page}; {:?}", self.complaints);
        }
    }

    /// Clicks with the mouse on what a selector finds.
    pub(crate) async fn click(&mut self, selector: &str) {
        self.wait(
            &format!(
                "document.readyState === 'complete' && document.querySelector({selector:?}) !== null"
            ),
            selector,
            || {},
        )
        .await;
        let place = self
            .eval(&format!(
                "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{block: 'center'}}); \
                 const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
            ))
            .await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Types into what has the focus.
    pub(crate) async fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text})).await;
    }

    /// Presses a key that has a name.
    pub(crate) async fn press(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if key == "Enter" && kind == "keyDown" {
                event["text"] = json!("\r");
            }
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }
}

fn launch(profile: &TempDir) -> Child {
    for name in NAMES {
        let started = Command::new(name)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if let Ok(process) = started {
            return process;
        }
    }
    panic!("Chromium is missing: run tests/install-tools.sh");
}
