//! Measuring models on files: what comes of it, and what is refused.

mod command;
mod protocols;
