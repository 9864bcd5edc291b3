//! What is kept, for how long, how it is proved, and how it is given to whom it is about.

mod chain;
mod completeness;
mod exports;
mod media;
mod rules;
