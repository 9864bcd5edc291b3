//! What is served over HTTP, one module per surface. Handlers stand on the domain and on `media`; they
//! hold no rule of their own.

pub mod uploads;
