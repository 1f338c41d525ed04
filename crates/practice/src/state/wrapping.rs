//! Response wrapping: an answer kept behind a token that works once (vault-server 4.9).
//! What is kept may hold secrets: it is wiped when it goes, and `Debug` shows only its size.
//! A used or unknown wrapping token is the same to a client.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::digest;
use super::turn::{Turn, Write};
use crate::clock::later;
use crate::golang;
use crate::http::answer::{Handled, Raw, Refusal, Reply, Success, WrapBlock, envelope};
use crate::options::Product;

const WRAPPING_TOKEN_LENGTH: usize = 91;
const ACCESSOR_LENGTH: usize = 24;

/// A kept answer.
pub(crate) struct Wrapped {
    pub(crate) expires: Timestamp,
    path: String,
    ttl: Duration,
    made: Timestamp,
    body: Zeroizing<String>,
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped {{ {}, {} bytes }}", self.path, self.body.len())
    }
}

/// Keeps an answer and gives the envelope that names the wrapping token.
pub(crate) fn wrap(turn: &mut Turn<'_>, success: &Success, path: &str, ttl: Duration) -> Handled {
    turn.commit(Write::Wrapping)?;
    let request_id = turn.chance.uuid();
    let body = envelope(success, turn.product, &request_id);
    let token = Zeroizing::new(match turn.product {
        Product::Vault => format!("hvs.{}", turn.chance.word(WRAPPING_TOKEN_LENGTH)),
        Product::OpenBao => format!("s.{}", turn.chance.word(ACCESSOR_LENGTH)),
    });
    let wrapped = Wrapped {
        expires: later(turn.now, ttl),
        path: path.to_owned(),
        ttl,
        made: turn.now,
        body: Zeroizing::new(body),
    };
    turn.ledger.wrapped.insert(digest(&token), wrapped);
    let wrap = WrapBlock {
        token,
        accessor: turn.chance.word(ACCESSOR_LENGTH),
        ttl,
        creation_time: golang::rfc3339_nano(turn.now),
        creation_path: path.to_owned(),
    };
    Ok(Reply::Data(Box::new(Success { wrap: Some(wrap), ..Success::default() })))
}

/// `sys/wrapping/unwrap`: the kept answer, once.
pub(crate) fn unwrap(turn: &mut Turn<'_>, token: Option<&str>) -> Handled {
    let key = token.map(digest);
    let now = turn.now;
    let known = key.is_some_and(|key| turn.ledger.wrapped.get(&key).is_some_and(|kept| kept.expires > now));
    if !known {
        return Err(not_valid());
    }
    turn.commit(Write::Wrapping)?;
    let kept = key.and_then(|key| turn.ledger.wrapped.remove(&key)).ok_or_else(not_valid)?;
    // Without a line feed, unlike all other answers (seen on Vault 1.21.1).
    Ok(Reply::Raw(Raw { body: bytes::Bytes::from(kept.body.as_bytes().to_vec()), ..Raw::json(200, "") }))
}

/// `sys/wrapping/lookup`: what is behind a wrapping token, without using it up.
pub(crate) fn lookup(turn: &Turn<'_>, token: Option<&str>) -> Handled {
    let kept = token.and_then(|token| turn.ledger.wrapped.get(&digest(token)));
    let kept = kept.filter(|kept| kept.expires > turn.now).ok_or_else(not_valid)?;
    let data = json!({
        "creation_path": kept.path,
        "creation_time": golang::rfc3339_nano(kept.made),
        "creation_ttl": kept.ttl.as_secs(),
    });
    Ok(Success::data(data, "system"))
}

fn not_valid() -> Refusal {
    Refusal::bad("wrapping token is not valid or does not exist")
}

/// Whether a body holds the wrapping token itself; else it is the request's own token.
pub(crate) fn token_in(fields: &serde_json::Map<String, Value>) -> Option<&str> {
    fields.get("token").and_then(Value::as_str).filter(|token| !token.is_empty())
}
