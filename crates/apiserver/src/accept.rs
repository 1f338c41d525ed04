//! What form of answer the caller wants: the object, its metadata alone, a table, or aggregated discovery.
//! The first form in the `Accept` header that we can make wins.
//! It never falls back to a form that the caller didn't name.

use crate::status::{Outcome, Rejection};

/// The form of an answer about objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is stored.
    Whole,
    /// `PartialObjectMetadata`, alone or as a list.
    Metadata,
    /// `Table`
    Table,
}

/// The form of an answer about what is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiscoveryForm {
    /// `APIGroupDiscoveryList` of v2: everything at once.
    Aggregated,
    /// `APIVersions`, `APIGroupList`.
    Legacy,
}

/// One entry of the header.
struct Offer<'a> {
    media: &'a str,
    kind: Option<&'a str>,
    group: Option<&'a str>,
    version: Option<&'a str>,
}

/// The form of objects for this header.
pub(crate) fn form(header: Option<&str>) -> Outcome<Form> {
    for offer in offers(header.unwrap_or_default()) {
        if !offer.is_json() {
            continue;
        }
        match (offer.kind, offer.group, offer.version) {
            (None, _, _) => return Ok(Form::Whole),
            (Some("Table"), Some("meta.k8s.io"), Some("v1")) => return Ok(Form::Table),
            (
                Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                Some("meta.k8s.io"),
                Some("v1"),
            ) => {
                return Ok(Form::Metadata);
            }
            _ => {}
        }
    }
    match header.map(str::trim) {
        None | Some("") => Ok(Form::Whole),
        Some(_) => Err(Rejection::not_acceptable()),
    }
}

/// The form of discovery for this header.
pub(crate) fn discovery_form(header: Option<&str>) -> DiscoveryForm {
    for offer in offers(header.unwrap_or_default()) {
        if offer.is_json() && offer.kind.is_none() {
            return DiscoveryForm::Legacy;
        }
        let asked = (offer.kind, offer.group, offer.version);
        if offer.is_json()
            && asked == (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2"))
        {
            return DiscoveryForm::Aggregated;
        }
    }
    DiscoveryForm::Legacy
}

impl Offer<'_> {
    fn is_json(&self) -> bool {
        matches!(self.media, "application/json" | "application/*" | "*/*")
    }
}

fn offers(header: &str) -> impl Iterator<Item = Offer<'_>> {
    header.split(',').map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let mut offer =
            Offer { media: parts.next().unwrap_or_default(), kind: None, group: None, version: None };
        for part in parts {
            match part.split_once('=') {
                Some(("as", value)) => offer.kind = Some(value),
                Some(("g", value)) => offer.group = Some(value),
                Some(("v", value)) => offer.version = Some(value),
                _ => {}
            }
        }
        offer
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_we_can_make_wins() {
        let table = [
            (None, Some(Form::Whole)),
            (Some("application/json"), Some(Form::Whole)),
            (Some("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"), Some(Form::Table)),
            (Some("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"), Some(Form::Whole)),
            (Some("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"), Some(Form::Metadata)),
            (Some("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), Some(Form::Metadata)),
            (Some("application/vnd.kubernetes.protobuf,application/json"), Some(Form::Whole)),
            (Some("application/vnd.kubernetes.protobuf, */*"), Some(Form::Whole)),
            (Some("application/xml"), None),
            (Some("application/vnd.kubernetes.protobuf"), None),
        ];
        for (header, wanted) in table {
            assert_eq!(form(header).ok(), wanted, "{header:?}");
        }
    }

    #[test]
    fn discovery_is_aggregated_only_when_version_2_is_named_first() {
        let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        assert_eq!(discovery_form(Some(&format!("{v2},{beta},application/json"))), DiscoveryForm::Aggregated);
        assert_eq!(discovery_form(Some(&format!("{beta},application/json"))), DiscoveryForm::Legacy);
        assert_eq!(discovery_form(Some(&format!("application/json,{v2}"))), DiscoveryForm::Legacy);
        assert_eq!(discovery_form(None), DiscoveryForm::Legacy);
    }
}
