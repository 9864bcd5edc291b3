//! A look at a document's text before anything parses it.
//!
//! The parser is recursive and keeps every token; a hostile text could overflow its stack or burn its
//! time. This scan is one pass without memory beyond the open brackets, and it refuses such a text.
//! It does not know the grammar: what passes may still be nonsense.

use async_graphql::Pos;

use super::settings::Limits;
use crate::graphql::error::{ApiError, Code};

/// Directives in a whole document, for each that one place may have.
const DIRECTIVES_PER_DOCUMENT: usize = 10;

/// Refuses a text that is too long, too deeply nested or has too many tokens, aliases or directives.
pub(super) fn scan(text: &str, limits: &Limits) -> Result<(), ApiError> {
    if text.len() > limits.document_bytes {
        return Err(ApiError::new(
            Code::DocumentLimit,
            format!(
                "The document has {} bytes; {} are allowed.",
                text.len(),
                limits.document_bytes
            ),
        ));
    }
    Scan {
        bytes: text.as_bytes(),
        at: 0,
        open: Vec::new(),
        parentheses: 0,
        counts: Counts::default(),
        limits,
    }
    .run()
}

#[derive(Default)]
struct Counts {
    tokens: usize,
    aliases: usize,
    directives: usize,
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<u8>,
    parentheses: usize,
    counts: Counts,
    limits: &'a Limits,
}

impl Scan<'_> {
    fn run(mut self) -> Result<(), ApiError> {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'#' => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
                b'"' => {
                    self.token()?;
                    self.string()?;
                }
                b'{' | b'(' | b'[' => {
                    self.token()?;
                    self.enter(byte)?;
                    self.at += 1;
                }
                b'}' | b')' | b']' => {
                    self.token()?;
                    if self.open.pop() == Some(b'(') {
                        self.parentheses -= 1;
                    }
                    self.at += 1;
                }
                b':' => {
                    self.token()?;
                    // Arguments and variables live in parentheses; a colon elsewhere is an alias.
                    if self.parentheses == 0 {
                        self.counts.aliases += 1;
                        self.check(
                            self.counts.aliases,
                            self.limits.aliases,
                            Code::AliasLimit,
                            "aliases",
                        )?;
                    }
                    self.at += 1;
                }
                b'@' => {
                    self.token()?;
                    self.counts.directives += 1;
                    self.check(
                        self.counts.directives,
                        self.limits
                            .directives
                            .saturating_mul(DIRECTIVES_PER_DOCUMENT),
                        Code::DirectiveLimit,
                        "directives",
                    )?;
                    self.at += 1;
                }
                byte if is_word(byte) => {
                    self.token()?;
                    self.skip_while(is_word);
                }
                byte if byte.is_ascii_punctuation() && byte != b',' => {
                    self.token()?;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    fn token(&mut self) -> Result<(), ApiError> {
        self.counts.tokens += 1;
        self.check(
            self.counts.tokens,
            self.limits.tokens,
            Code::TokenLimit,
            "tokens",
        )
    }

    fn check(&self, count: usize, limit: usize, code: Code, what: &str) -> Result<(), ApiError> {
        if count <= limit {
            return Ok(());
        }
        Err(ApiError::new(
            code,
            format!("The document has more than {limit} {what}. Ask in smaller operations."),
        )
        .at(self.pos()))
    }

    fn enter(&mut self, bracket: u8) -> Result<(), ApiError> {
        self.open.push(bracket);
        if bracket == b'(' {
            self.parentheses += 1;
        }
        if self.open.len() > self.limits.nesting {
            return Err(ApiError::new(
                Code::DepthLimit,
                format!(
                    "The document opens more than {} brackets inside each other.",
                    self.limits.nesting
                ),
            )
            .at(self.pos()));
        }
        Ok(())
    }

    /// Skips a string. An open end is refused here: the parser might read the rest in another way.
    fn string(&mut self) -> Result<(), ApiError> {
        let start = self.pos();
        let unterminated = || {
            ApiError::new(
                Code::GraphqlParseFailed,
                "Syntax error: a string has no end.",
            )
            .at(start)
        };
        if self.bytes[self.at..].starts_with(br#"""""#) {
            self.at += 3;
            loop {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                if rest.is_empty() {
                    return Err(unterminated());
                } else if rest.starts_with(br#"\""""#) {
                    self.at += 4;
                } else if rest.starts_with(br#"""""#) {
                    self.at += 3;
                    return Ok(());
                } else {
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                None | Some(b'\n' | b'\r') => return Err(unterminated()),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
    }

    fn skip_while(&mut self, belongs: impl Fn(u8) -> bool) {
        while self.bytes.get(self.at).is_some_and(|&byte| belongs(byte)) {
            self.at += 1;
        }
    }

    fn pos(&self) -> Pos {
        let before = &self.bytes[..self.at.min(self.bytes.len())];
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |newline| newline + 1);
        Pos {
            line: 1 + before.iter().filter(|&&byte| byte == b'\n').count(),
            column: 1 + String::from_utf8_lossy(&before[line_start..])
                .chars()
                .count(),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+')
}
