//! The HTTP side of a practice Vault: what a request asks, how a node goes through it, what an answer looks like.
//! Bytes, header names and status codes are as measured (vault-measured, vault-answers.json).
//! No sockets here: a request comes in as a value and an answer or a transport error goes out.

pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod body;
pub(crate) mod flow;
pub(crate) mod json_limits;
pub(crate) mod paths;
pub(crate) mod phase;
pub(crate) mod respond;
pub(crate) mod transport;
