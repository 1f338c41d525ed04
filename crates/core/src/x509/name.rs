//! Distinguished names: built from fields in Go's order, parsed from `literalSubject`, kept as DER.
//! Two names are equal when their DER is. It never guesses at a value it can't read.

use std::fmt;

use crate::wanted::SubjectFields;

/// Why a `literalSubject` isn't a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// An attribute key that isn't known.
    #[error("unrecognized key {0:?}")]
    UnrecognizedKey(String),
    /// Not an LDAP distinguished name.
    #[error("{what} at position {position}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Bytes from the start.
        position: usize,
    },
}

/// A distinguished name, as the DER of an RDNSequence.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    der: Box<[u8]>,
}

impl DistinguishedName {
    /// Parses `spec.literalSubject`.
    pub fn parse_literal(_text: &str) -> Result<DistinguishedName, NameError> {
        Err(NameError::Malformed { what: "not written yet", position: 0 })
    }

    /// Builds a name from fields.
    pub fn from_fields(_fields: &SubjectFields) -> DistinguishedName {
        DistinguishedName { der: [0x30, 0].into() }
    }

    /// The fields a spec can name; what else the name holds is left out.
    pub fn to_fields(&self) -> SubjectFields {
        SubjectFields::default()
    }

    /// The DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// True if it has no attributes.
    pub fn is_empty(&self) -> bool {
        self.der.len() <= 2
    }

    /// The common name.
    pub fn common_name(&self) -> Option<String> {
        self.to_fields().common_name
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinguishedName({} bytes)", self.der.len())
    }
}
