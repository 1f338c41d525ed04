//! Finds loopback ports for servers that must know their port before they start.
//! Ports come from below the range that the system hands out for outgoing connections, so a server that is
//! killed finds its port free when it comes back. It never keeps a port: a start that loses the race is an error.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

use super::folder::random_u64;

const LOWEST: u64 = 10_000;
const HIGHEST: u64 = 31_000;
const TRIES: usize = 200;

/// `count` ports in a row that nobody listens on, the first of them returned.
pub(crate) fn free_row(count: u16) -> Result<u16> {
    for _ in 0..TRIES {
        let first = u16::try_from(LOWEST + random_u64()? % (HIGHEST - LOWEST))?;
        let all_free =
            (first..first + count).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
        if all_free {
            return Ok(first);
        }
    }
    bail!("no {count} free ports in a row between {LOWEST} and {HIGHEST} on loopback")
}

/// One port that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    free_row(1)
}
