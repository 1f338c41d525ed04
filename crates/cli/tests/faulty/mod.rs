//! What the tests of faults, approval, crashes and bad input share: a namespace with a controller of its own, a Vault mount behind a
//! fault proxy, and a record of every version that objects ever had. It judges nothing by itself.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod ground;
pub(crate) mod history;
pub(crate) mod pair;
pub(crate) mod people;
