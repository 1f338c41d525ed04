//! When a sound Secret is written again without a new certificate, check by check (certificate-lifecycle 2.3, checks 11 to 20).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod makers;

use everleaf_core::annotations;
use everleaf_core::observed::{Entry, ManagedSet, Observed, SecretSeen};
use everleaf_core::refresh::stale;
use everleaf_core::reissue::Evidence;
use everleaf_core::wanted::*;
use makers::*;

const UID: &str = "uid-1";

fn verdict(wish: &Wanted, seen: &Observed, owned: bool) -> Option<&'static str> {
    let secret = seen.secret.as_deref();
    stale(&Evidence { wanted: wish, me: &seen.me, secret, current: None, owned, now: start() })
}

/// A Secret as our own apply leaves it: every label and annotation is there, and ours.
fn applied(wish: &Wanted) -> Observed {
    let (seen, _) = in_order(wish);
    with_secret(seen, |secret| {
        secret.labels.extend(wish.secret_template.labels.clone());
        secret.annotations.extend(wish.secret_template.annotations.clone());
        secret.managed = Ok(Some(ManagedSet {
            labels: secret.labels.keys().cloned().collect(),
            annotations: secret.annotations.keys().cloned().collect(),
            data: secret.data_keys.clone(),
            owners: [].into(),
        }));
    })
}

fn managed(secret: &mut SecretSeen) -> &mut ManagedSet {
    secret.managed.as_mut().unwrap().as_mut().unwrap()
}

/// Puts an entry that is ours into the Secret.
fn put(secret: &mut SecretSeen, key: &str) {
    secret.data_keys.insert(key.to_owned());
    managed(secret).data.insert(key.to_owned());
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn templated() -> Wanted {
    let mut wish = wanted("a.example");
    wish.secret_template.labels.insert(text("team"), text("web"));
    wish.secret_template.annotations.insert(text("note"), text("hello"));
    wish.secret_template.annotations.insert(text("cert-manager.io/allow-direct-injection"), text("true"));
    wish
}

#[test]
fn a_secret_as_we_wrote_it_is_left_alone() {
    for wish in [wanted("a.example"), templated()] {
        assert_eq!(verdict(&wish, &applied(&wish), false), None);
    }
}

#[test]
fn a_secret_without_readable_key_or_certificate_is_no_case_for_this() {
    let wish = templated();
    let broken: [fn(&mut SecretSeen); 3] = [
        |secret| secret.key = Entry::Missing,
        |secret| secret.certificate = Entry::Missing,
        |secret| secret.certificate = Entry::Unreadable("no PEM".into()),
    ];
    for damage in broken {
        let seen = with_secret(applied(&wish), |secret| {
            secret.labels.clear();
            damage(secret);
        });
        assert_eq!(verdict(&wish, &seen, false), None);
    }
}

/// A change to the Secret, and the reason it gives.
type Case = (&'static str, Option<&'static str>, fn(&mut SecretSeen));

fn judge(wish: &Wanted, owned: bool, base: &Observed, cases: &[Case]) {
    for (what, reason, change) in cases {
        let seen = with_secret(base.clone(), change);
        assert_eq!(verdict(wish, &seen, owned), *reason, "{what}");
    }
}

const METADATA: Option<&str> = Some("SecretManagedMetadataMismatch");
const TEMPLATE: Option<&str> = Some("SecretTemplateMismatch");
const FORMATS: Option<&str> = Some("AdditionalOutputFormatsMismatch");
const OWNER: Option<&str> = Some("SecretOwnerRefMismatch");
const KEYSTORE: Option<&str> = Some("SecretMismatch");

#[test]
fn labels_and_annotations_follow_certificate_and_template_and_those_of_others_stay() {
    let wish = templated();
    let cases: [Case; 17] = [
        ("the base label has another value", METADATA, |s| {
            s.labels.insert(annotations::FAO_LABEL.into(), "false".into());
        }),
        ("the base label is gone", METADATA, |s| {
            s.labels.remove(annotations::FAO_LABEL);
        }),
        ("a detail has another value", TEMPLATE, |s| {
            s.annotations.insert("cert-manager.io/alt-names".into(), "b.example".into());
        }),
        ("a detail is another's as well", None, |s| {
            s.annotations.insert("cert-manager.io/other-tool".into(), "x".into());
        }),
        ("a detail is not ours any more", METADATA, |s| {
            managed(s).annotations.remove("cert-manager.io/alt-names");
        }),
        ("a detail of an earlier certificate is left over", METADATA, |s| {
            managed(s).annotations.insert("cert-manager.io/email-sans".into());
        }),
        ("an own label is left over", METADATA, |s| {
            managed(s).labels.insert("controller.cert-manager.io/old".into());
        }),
        ("the issuer's name isn't ours", None, |s| {
            managed(s).annotations.remove(annotations::ISSUER_NAME);
        }),
        ("a template label has another value", TEMPLATE, |s| {
            s.labels.insert("team".into(), "db".into());
        }),
        ("a template label is gone", TEMPLATE, |s| {
            s.labels.remove("team");
        }),
        ("a template annotation has another value", TEMPLATE, |s| {
            s.annotations.insert("note".into(), "bye".into());
        }),
        ("a template annotation under our prefix has another value", TEMPLATE, |s| {
            s.annotations.insert("cert-manager.io/allow-direct-injection".into(), "false".into());
        }),
        ("a template label is not ours any more", TEMPLATE, |s| {
            managed(s).labels.remove("team");
        }),
        ("a label that the template no longer names", TEMPLATE, |s| {
            managed(s).labels.insert("old".into());
        }),
        ("an annotation that the template no longer names", TEMPLATE, |s| {
            managed(s).annotations.insert("old".into());
        }),
        ("labels and annotations of others", None, |s| {
            s.labels.insert("theirs".into(), "1".into());
            s.annotations.insert("theirs".into(), "1".into());
        }),
        ("nobody knows what is ours", None, |s| s.managed = Err("fieldsV1 is not an object".into())),
    ];
    judge(&wish, false, &applied(&wish), &cases);
}

#[test]
fn a_template_never_wins_over_what_is_computed_and_is_no_reason_to_write_for_ever() {
    let mut wish = wanted("a.example");
    let template = &mut wish.secret_template;
    template.labels.insert(annotations::FAO_LABEL.into(), "no".into());
    template.annotations.insert(annotations::CERTIFICATE_NAME.into(), "other".into());
    template.annotations.insert("cert-manager.io/alt-names".into(), "other".into());
    // The Secret as it is applied: computed values over those of the template.
    let seen = applied(&wanted("a.example"));
    assert_eq!(verdict(&wish, &seen, false), None);
}

#[test]
fn extra_formats_come_go_and_are_repaired() {
    let plain = wanted("a.example");
    let both = Wanted { output_formats: vec![OutputFormat::Der, OutputFormat::CombinedPem], ..plain.clone() };
    let with_both =
        with_secret(applied(&both), |s| ["key.der", "tls-combined.pem"].iter().for_each(|key| put(s, key)));
    assert_eq!(verdict(&both, &with_both, false), None);
    judge(
        &both,
        false,
        &with_both,
        &[
            ("one is missing", FORMATS, |s| {
                s.data_keys.remove("key.der");
            }),
            ("one was tampered with", FORMATS, |s| {
                s.unsound_formats.insert(OutputFormat::CombinedPem);
            }),
            ("one isn't ours any more", FORMATS, |s| {
                managed(s).data.remove("tls-combined.pem");
            }),
        ],
    );
    assert_eq!(verdict(&plain, &with_both, false), FORMATS, "they are dropped from the spec");
    judge(
        &plain,
        false,
        &applied(&plain),
        &[
            ("another's entry under the same key", None, |s| {
                s.data_keys.insert("key.der".into());
            }),
            ("another's entry under the same key, with whatever in it", None, |s| {
                s.data_keys.insert("key.der".into());
                s.unsound_formats.insert(OutputFormat::Der);
            }),
        ],
    );
}

#[test]
fn the_owner_reference_follows_the_flag_and_is_repaired() {
    let wish = wanted("a.example");
    let without = applied(&wish);
    let owned = with_secret(without.clone(), |s| {
        s.owners = vec![UID.into()];
        managed(s).owners.insert(UID.into());
    });
    assert_eq!(verdict(&wish, &without, true), OWNER, "the flag was turned on");
    assert_eq!(verdict(&wish, &owned, true), None);
    assert_eq!(verdict(&wish, &owned, false), OWNER, "the flag was turned off");
    assert_eq!(verdict(&wish, &without, false), None);
    judge(
        &wish,
        true,
        &owned,
        &[
            ("removed or edited by hand", OWNER, |s| s.owners.clear()),
            ("there, but by another's doing", OWNER, |s| managed(s).owners.clear()),
            ("another owner besides", None, |s| s.owners.push("uid-2".into())),
        ],
    );
    judge(&wish, false, &without, &[("owned by another's doing", None, |s| s.owners = vec![UID.into()])]);
}

#[test]
fn keystores_come_and_go_and_a_truststore_needs_a_ca() {
    let password = Password::Literal("secret".into());
    let jks = Jks { alias: "certificate".into(), password: password.clone() };
    let pkcs12 = Pkcs12 { profile: Pkcs12Profile::LegacyRc2, password };
    let plain = wanted("a.example");
    let both = Wanted { keystores: Keystores { jks: Some(jks), pkcs12: Some(pkcs12) }, ..plain.clone() };
    let keystores = |s: &mut SecretSeen| ["keystore.jks", "keystore.p12"].iter().for_each(|key| put(s, key));
    let with_keystores = with_secret(applied(&both), keystores);
    assert_eq!(verdict(&both, &applied(&both), false), KEYSTORE, "none is there");
    assert_eq!(verdict(&both, &with_keystores, false), None, "without a CA there are no truststores");
    assert_eq!(verdict(&plain, &with_keystores, false), KEYSTORE, "they are dropped from the spec");
    judge(
        &both,
        false,
        &with_keystores,
        &[
            ("the PKCS#12 is missing", KEYSTORE, |s| {
                s.data_keys.remove("keystore.p12");
            }),
            ("the JKS is missing", KEYSTORE, |s| {
                s.data_keys.remove("keystore.jks");
            }),
            ("a truststore of a CA that is gone", KEYSTORE, |s| put(s, "truststore.jks")),
            ("a CA without truststores", KEYSTORE, |s| s.has_ca = true),
            ("a CA with one truststore", KEYSTORE, |s| {
                s.has_ca = true;
                put(s, "truststore.p12");
            }),
            ("a CA with both", None, |s| {
                s.has_ca = true;
                put(s, "truststore.p12");
                put(s, "truststore.jks");
            }),
        ],
    );
    judge(
        &plain,
        false,
        &applied(&plain),
        &[("another's keystore", None, |s| {
            s.data_keys.insert("keystore.jks".into());
        })],
    );
}

#[test]
fn of_several_faults_the_first_in_the_peers_order_is_told() {
    let wish = templated();
    let seen = with_secret(applied(&wish), |s| {
        s.labels.insert("team".into(), "db".into());
        s.annotations.insert("cert-manager.io/alt-names".into(), "b.example".into());
        managed(s).labels.insert("controller.cert-manager.io/old".into());
    });
    assert_eq!(verdict(&wish, &seen, true), TEMPLATE, "details come before what is managed");
}
