//! The console's own files, which are part of the binary, and how browsers keep them.
//!
//! An address holds a hash of the content, so that a browser keeps a file for ever and asks for
//! another one after an upgrade.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::secrets::sha256;

const FOREVER: &str = "public, max-age=31536000, immutable";

/// One file.
struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static str,
}

const FILES: [Asset; 5] = [
    Asset {
        name: "console.css",
        kind: "text/css; charset=utf-8",
        body: include_str!("assets/console.css"),
    },
    Asset {
        name: "htmx.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("assets/htmx-2.0.11.min.js"),
    },
    Asset {
        name: "htmx-sse.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("assets/htmx-ext-sse-2.2.4.min.js"),
    },
    Asset {
        name: "mark.svg",
        kind: "image/svg+xml",
        body: include_str!("assets/mark.svg"),
    },
    Asset {
        name: "licences.txt",
        kind: "text/plain; charset=utf-8",
        body: include_str!("assets/LICENSES.txt"),
    },
];

static ADDRESSES: LazyLock<[String; FILES.len()]> = LazyLock::new(|| {
    FILES.map(|file| {
        let hash = hex::encode(&sha256(file.body.as_bytes())[..6]);
        format!("{}?v={hash}", file.name)
    })
});

/// The address of a file, below `/ops/assets/`.
pub(in crate::http) fn address(name: &str) -> &'static str {
    FILES
        .iter()
        .position(|file| file.name == name)
        .map_or("", |at| &ADDRESSES[at])
}

/// Gives a file.
pub(in crate::http) async fn serve(Path(name): Path<String>) -> Response {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, file.kind),
        (header::CACHE_CONTROL, FOREVER),
    ];
    (headers, file.body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_an_address_of_its_content() {
        for file in &FILES {
            let address = address(file.name);
            assert!(address.starts_with(&format!("{}?v=", file.name)));
            assert_eq!(address.len(), file.name.len() + 3 + 12);
        }
    }

    #[test]
    fn the_licences_of_all_foreign_files_are_part_of_the_binary() {
        let licences = FILES.iter().find(|file| file.name == "licences.txt");
        let text = licences.map_or("", |file| file.body);
        assert!(text.contains("htmx.org 2.0.11") && text.contains("htmx-ext-sse 2.2.4"));
        assert_eq!(text.matches("PROVIDED").count(), 2);
    }
}
