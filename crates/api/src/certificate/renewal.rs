//! Whether and when a Certificate may be renewed.
//! Held as written; cron expressions and time zones are read by [`crate::wanted`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;

/// Whether, and in which windows of time, the certificate may be renewed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateRenewal {
    /// `RenewBefore` renews at the time that `renewBefore` or `renewBeforePercentage` gives, or when a third of the life is
    /// left. `Disabled` never renews because of time; the certificate then expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<RenewalPolicyName>,
    /// Windows of time in which renewal may happen, for `RenewBefore` only. A renewal that falls outside of all windows
    /// waits for the next one to open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<RenewalWindow>>,
}

open_enum! {
    /// When a certificate is renewed.
    pub enum RenewalPolicyName {
        /// Before it expires.
        RenewBefore = "RenewBefore",
        /// Never because of time.
        Disabled = "Disabled",
    }
}

/// A window of time in which renewal may happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RenewalWindow {
    /// When the window opens: minute, hour, day of month, month and day of week, such as `0 22 * * MON-FRI`, or a word such
    /// as `@daily`.
    #[schemars(length(min = 1))]
    pub cron: String,
    /// How long the window stays open. Units are h, m and s.
    #[schemars(extend("pattern" = r"^([0-9]+(\.[0-9]+)?(s|m|h))+$"))]
    pub window_duration: GoDuration,
    /// The time zone that `cron` is meant in, by its IANA name such as `Europe/Berlin`; UTC where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub timezone: Option<String>,
}
