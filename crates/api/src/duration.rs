//! Durations as the API stores them: Go's text, kept as it was written and read when asked for.
//! Text that Go would refuse stays readable as text, so that one bad object never hides all others.
//! It never rewrites a duration: `2160h` stays `2160h`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use everleaf_core::go_duration::{self, GoDurationError};
use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in Go's text form, such as `2160h` or `1h30m`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct GoDuration(Box<str>);

impl GoDuration {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value, read by Go's rules; it can be negative.
    pub fn parse(&self) -> Result<SignedDuration, GoDurationError> {
        go_duration::parse(&self.0)
    }

    /// The value; `None` if the text is no duration or is negative.
    pub fn as_std(&self) -> Option<Duration> {
        self.parse().ok()?.try_into().ok()
    }
}

impl From<&str> for GoDuration {
    fn from(text: &str) -> Self {
        GoDuration(text.into())
    }
}

impl From<Duration> for GoDuration {
    /// In Go's own form: an hour is `1h0m0s`.
    fn from(duration: Duration) -> Self {
        let signed = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        GoDuration(go_duration::format(signed).into())
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(GoDuration(text.into()))
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_survives_as_it_was_written() {
        for text in ["2160h", "2160h0m0s", "90m", "1.50h", "+5s", "0", "ninety days", ""] {
            let json = serde_json::to_string(text).unwrap();
            let duration: GoDuration = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&duration).unwrap(), json);
        }
    }

    #[test]
    fn text_that_is_no_duration_has_no_value_but_can_be_read() {
        for text in ["ninety days", "90d", "", "-1h", "1"] {
            assert_eq!(GoDuration::from(text).as_std(), None, "{text}");
        }
        assert_eq!(GoDuration::from("90m").as_std(), Some(Duration::from_secs(5_400)));
    }

    #[test]
    fn a_duration_of_ours_is_written_in_go_s_form() {
        assert_eq!(GoDuration::from(Duration::from_secs(7_776_000)).as_str(), "2160h0m0s");
    }

    proptest! {
        #[test]
        fn what_we_write_we_read_back(nanos in 0..i64::MAX) {
            let duration = Duration::from_nanos(nanos.unsigned_abs());
            prop_assert_eq!(GoDuration::from(duration).as_std(), Some(duration));
        }
    }
}
