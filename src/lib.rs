//! shipslog: the black box for Docker hosts. This file lists the parts of the program and holds nothing else.
//!
//! The parts stand on floors, and imports point down only (ARCHITECTURE.md; `tests/tidy` enforces it):
//!
//! | floor | modules |
//! |---|---|
//! | 4 | `app`, `cli`, `config`, `console` (and the program, `main.rs`) |
//! | 3 | `server`, `client`, `hooks` |
//! | 2 | `archive`, `recorder`, `reader`, `projection`, `export`, `follow`, `forward`, `report`, `retention` |
//! | 1 | `log` (with `migrations`), `ingest`, `stream` |
//! | 0 | `chain`, `event`, `cursor`, `file`, `filter`, `parcel`, `redact`, `shutdown`, `text`, `time` |

pub mod app;
pub mod archive;
pub mod chain;
pub mod cli;
pub mod client;
pub mod config;
pub mod console;
pub mod cursor;
pub mod event;
pub mod export;
pub mod file;
pub mod filter;
pub mod follow;
pub mod forward;
pub mod hooks;
pub mod ingest;
pub mod log;
#[path = "../migrations/mod.rs"]
pub mod migrations;
pub mod parcel;
pub mod projection;
pub mod reader;
pub mod recorder;
pub mod redact;
pub mod report;
pub mod retention;
pub mod server;
pub mod shutdown;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
