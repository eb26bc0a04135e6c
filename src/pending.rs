//! Orders that wait for payment, as somebody else's list has them: a database, a page, a file, or what a program
//! prints. The list is only read, and what it says is a reason to ask WeChat Pay, never a fact.

// Values as sources write them.
mod cell;

// What was read.
pub mod listing;

// Why nothing was.
pub mod error;

// Lists in JSON.
mod json;

// Databases.
pub mod sql;

mod sqlite;

mod postgres;

mod mysql;

// Whom an encrypted connection ends at.
mod tls;

// Lists that come as one text.
pub mod http;

mod file;

pub mod command;

// Any of them.
pub mod source;
