//! Posts, from the request to TikTok.

mod publish;
