//! What is wrong with a field: its path, the kind of fault, and why; said as Kubernetes says it.
//! Values in the text are bound in length, and secrets never get into one.

use std::fmt;

/// The most characters of a value that an error repeats (certificate-lifecycle 1.7).
const LONGEST_VALUE: usize = 100;

/// A field that can't stay as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where it is: `spec.privateKey.size`, `spec.dnsNames[0]`.
    pub path: String,
    /// The kind of fault.
    pub fault: FieldFault,
    /// Why, in words; may be empty.
    pub detail: String,
}

/// Kinds of faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldFault {
    /// It must be set.
    Required,
    /// It must be another value.
    Invalid {
        /// The value as the error shows it.
        value: String,
    },
    /// It must be one of a few values.
    NotSupported {
        /// The value as the error shows it.
        value: String,
        /// Those that can be.
        supported: Vec<String>,
    },
    /// It must not be set.
    Forbidden,
    /// It is there twice.
    Duplicate {
        /// The value as the error shows it.
        value: String,
    },
    /// It has too many bytes.
    TooLong {
        /// How many it may have.
        most_bytes: usize,
    },
}

impl FieldError {
    /// A field that must be set.
    pub fn required(path: impl Into<String>, detail: impl Into<String>) -> Self {
        FieldError { path: path.into(), fault: FieldFault::Required, detail: detail.into() }
    }

    /// A text that must be another one.
    pub fn invalid(path: impl Into<String>, value: &str, detail: impl Into<String>) -> Self {
        FieldError {
            path: path.into(),
            fault: FieldFault::Invalid { value: quoted(value) },
            detail: detail.into(),
        }
    }

    /// A number or switch that must be another one.
    pub fn invalid_number(
        path: impl Into<String>,
        value: impl fmt::Display,
        detail: impl Into<String>,
    ) -> Self {
        FieldError {
            path: path.into(),
            fault: FieldFault::Invalid { value: value.to_string() },
            detail: detail.into(),
        }
    }

    /// A text that must be one of a few.
    pub fn not_supported(path: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        FieldError {
            path: path.into(),
            fault: FieldFault::NotSupported {
                value: quoted(value),
                supported: supported.iter().map(|&word| word.to_owned()).collect(),
            },
            detail: String::new(),
        }
    }

    /// A field that must not be set.
    pub fn forbidden(path: impl Into<String>, detail: impl Into<String>) -> Self {
        FieldError { path: path.into(), fault: FieldFault::Forbidden, detail: detail.into() }
    }

    /// A value that is there twice.
    pub fn duplicate(path: impl Into<String>, value: &str) -> Self {
        FieldError {
            path: path.into(),
            fault: FieldFault::Duplicate { value: quoted(value) },
            detail: String::new(),
        }
    }

    /// A text with too many bytes.
    pub fn too_long(path: impl Into<String>, most_bytes: usize) -> Self {
        FieldError { path: path.into(), fault: FieldFault::TooLong { most_bytes }, detail: String::new() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.fault {
            FieldFault::Required => f.write_str("Required value")?,
            FieldFault::Invalid { value } => write!(f, "Invalid value: {value}")?,
            FieldFault::NotSupported { value, supported } => {
                let supported: Vec<String> = supported.iter().map(|word| quoted(word)).collect();
                write!(f, "Unsupported value: {value}: supported values: {}", supported.join(", "))?;
            }
            FieldFault::Forbidden => f.write_str("Forbidden")?,
            FieldFault::Duplicate { value } => write!(f, "Duplicate value: {value}")?,
            FieldFault::TooLong { most_bytes } => {
                write!(f, "Too long: may not be more than {most_bytes} bytes")?;
            }
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl std::error::Error for FieldError {}

/// All errors in one line, as the webhook answers them.
pub fn all_in_one(errors: &[FieldError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match lines.as_slice() {
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn quoted(value: &str) -> String {
    if value.chars().count() <= LONGEST_VALUE {
        return format!("{value:?}");
    }
    let start: String = value.chars().take(LONGEST_VALUE).collect();
    format!("{:?}", format!("{start}..."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_said_as_kubernetes_says_them() {
        let table = [
            (
                FieldError::required("spec.secretName", "must be set"),
                "spec.secretName: Required value: must be set",
            ),
            (FieldError::required("spec.vault.server", ""), "spec.vault.server: Required value"),
            (
                FieldError::invalid("spec.dnsNames[0]", "bücher", "not ASCII"),
                "spec.dnsNames[0]: Invalid value: \"bücher\": not ASCII",
            ),
            (
                FieldError::invalid_number("spec.privateKey.size", 1024, "too small"),
                "spec.privateKey.size: Invalid value: 1024: too small",
            ),
            (
                FieldError::not_supported("spec.renewal.policy", "Maybe", &["Disabled", "RenewBefore"]),
                "spec.renewal.policy: Unsupported value: \"Maybe\": supported values: \"Disabled\", \"RenewBefore\"",
            ),
            (FieldError::forbidden("spec.ca", "one only"), "spec.ca: Forbidden: one only"),
            (FieldError::duplicate("spec.a", "DER"), "spec.a: Duplicate value: \"DER\""),
            (
                FieldError::too_long("spec.commonName", 64),
                "spec.commonName: Too long: may not be more than 64 bytes",
            ),
        ];
        for (error, text) in table {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn long_values_are_cut() {
        let error = FieldError::invalid("spec.request", &"é".repeat(5_000), "no PEM").to_string();
        assert!(error.len() < 300 && error.contains("...") && error.ends_with("no PEM"), "{error}");
    }

    #[test]
    fn several_errors_are_told_in_brackets() {
        let one = FieldError::required("spec.a", "");
        let two = FieldError::required("spec.b", "");
        assert_eq!(all_in_one(std::slice::from_ref(&one)), "spec.a: Required value");
        assert_eq!(all_in_one(&[one, two]), "[spec.a: Required value, spec.b: Required value]");
    }
}
