//! `graphql-transport-ws`, message by message, with every close code.

mod door;
mod endings;
mod messages;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::toy::{PATIENCE, Toy};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(toy: &Toy) -> Self {
        Self::connect_with(toy, &[("sec-websocket-protocol", "graphql-transport-ws")])
            .await
            .unwrap()
    }

    async fn connect_with(toy: &Toy, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = toy.ws_url().into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        connect_async(request).await.map(|(socket, _)| Self(socket))
    }

    /// A socket that has been let in.
    async fn open(toy: &Toy) -> Self {
        let mut client = Self::connect(toy).await;
        client.say(json!({ "type": "connection_init" })).await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }

    async fn say(&mut self, message: Value) {
        self.say_text(message.to_string()).await;
    }

    async fn say_text(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "id": id, "type": "subscribe", "payload": { "query": query } }))
            .await;
    }

    async fn next_frame(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.0.next())
            .await
            .expect("the server is silent")
            .map(Result::unwrap)
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self.next_frame().await.expect("the socket has ended") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Reads on until the server closes; gives code and reason.
    async fn closed(mut self) -> (u16, String) {
        loop {
            match self.next_frame().await.expect("no close frame") {
                Message::Close(Some(frame)) => {
                    let reason = frame.reason.as_str().to_owned();
                    assert!(reason.len() <= 123, "{reason}");
                    return (frame.code.into(), reason);
                }
                Message::Close(None) => panic!("a close frame without a code"),
                _ => {}
            }
        }
    }
}
