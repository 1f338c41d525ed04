//! Subject alternative names, as read from a CSR or a certificate.
//! It never judges a name.

use std::net::IpAddr;

use crate::wanted::OtherName;

/// Subject alternative names, in the order found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// DNS names.
    pub dns: Vec<String>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// IP addresses.
    pub ips: Vec<IpAddr>,
    /// URIs.
    pub uris: Vec<String>,
    /// otherNames that hold a UTF8String; others are left out.
    pub other_names: Vec<OtherName>,
}
