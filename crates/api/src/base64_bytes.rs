//! Bytes that JSON carries as base64 (CSRs, certificates, CA bundles): held decoded, written back as they were read.
//! Text that isn't canonical base64 is kept as text, so that one bad object never hides all others.
//! `Debug` prints the length only.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are stored as base64 text.
#[derive(Clone, PartialEq, Eq)]
pub struct Base64Bytes(Held);

#[derive(Clone, PartialEq, Eq)]
enum Held {
    /// The usual case: encoding them again gives the text that was read.
    Bytes(Box<[u8]>),
    /// Line breaks in it, or no base64 at all.
    AsWritten(Box<str>),
}

impl Base64Bytes {
    /// The bytes; `None` if what is stored is no base64. Line breaks and blanks are skipped, as Go does.
    pub fn decode(&self) -> Option<Cow<'_, [u8]>> {
        match &self.0 {
            Held::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Held::AsWritten(text) => {
                let dense: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                STANDARD.decode(dense).ok().map(Cow::Owned)
            }
        }
    }

    /// True if nothing is stored.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Held::Bytes(bytes) => bytes.is_empty(),
            Held::AsWritten(text) => text.trim().is_empty(),
        }
    }
}

impl Default for Base64Bytes {
    fn default() -> Self {
        Base64Bytes(Held::Bytes(Box::default()))
    }
}

impl From<Vec<u8>> for Base64Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Base64Bytes(Held::Bytes(bytes.into()))
    }
}

impl From<&[u8]> for Base64Bytes {
    fn from(bytes: &[u8]) -> Self {
        Base64Bytes(Held::Bytes(bytes.into()))
    }
}

impl fmt::Debug for Base64Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Held::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Held::AsWritten(text) => write!(f, "{} characters", text.len()),
        }
    }
}

impl Serialize for Base64Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Held::Bytes(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Held::AsWritten(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Base64Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        // The engine takes canonical text only: encoding what it decoded gives the same text again.
        Ok(Base64Bytes(match STANDARD.decode(text.as_bytes()) {
            Ok(bytes) => Held::Bytes(bytes.into()),
            Err(_) => Held::AsWritten(text.into()),
        }))
    }
}

impl JsonSchema for Base64Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Base64Bytes".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "byte" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn stored(text: &str) -> Base64Bytes {
        serde_json::from_value(serde_json::Value::from(text)).unwrap()
    }

    #[test]
    fn whatever_is_stored_survives_and_what_is_base64_is_decoded() {
        let table = [
            ("aGVsbG8=", Some(b"hello".as_slice())),
            ("aGVs\nbG8=", Some(b"hello")),
            ("aGVs\nbG8=\n", Some(b"hello")),
            ("", Some(b"")),
            ("aGVsbG8", None),
            ("not base64!", None),
            // The last letter carries bits that no byte holds.
            ("aGVsbG9=", None),
        ];
        for (text, bytes) in table {
            let held = stored(text);
            assert_eq!(held.decode().as_deref(), bytes, "{text:?}");
            assert_eq!(serde_json::to_value(&held).unwrap(), serde_json::Value::from(text));
        }
    }

    #[test]
    fn debug_tells_no_content() {
        assert_eq!(format!("{:?}", stored("aGVsbG8=")), "5 bytes");
        assert_eq!(format!("{:?}", stored("hidden?")), "7 characters");
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "[A-Za-z0-9+/=\\n ]{0,40}") {
            prop_assert_eq!(serde_json::to_value(stored(&text)).unwrap(), serde_json::Value::from(text));
        }

        #[test]
        fn any_bytes_survive(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let json = serde_json::to_value(Base64Bytes::from(bytes.clone())).unwrap();
            let back: Base64Bytes = serde_json::from_value(json).unwrap();
            prop_assert_eq!(back.decode().unwrap().into_owned(), bytes);
        }
    }
}
