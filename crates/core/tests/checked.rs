//! What is wrong with a signed answer: each flaw alone.
#![allow(clippy::unwrap_used)]

mod makers;

use everleaf_core::checked::{Checked, Flaw};
use everleaf_core::x509::{Chain, Csr, PrivateKey};
use makers::{certificate, hours, key, start, wanted};

#[test]
fn an_answer_is_taken_only_without_a_flaw() {
    let (wish, key, other) = (wanted("a.example"), key(), key());
    let names = Csr::build(&wish, &key).unwrap().sans().clone();
    let leaf = certificate(&wish, &key, start(), hours(24));
    let check = |leaves, key: &PrivateKey, now| {
        Checked::new(Chain::from_parts(leaves, None).unwrap(), key.public(), &names, now).map(drop)
    };
    let now = start() + hours(1);
    assert_eq!(check(vec![leaf.clone()], &key, now), Ok(()));
    assert_eq!(check(vec![leaf.clone()], &other, now), Err(Flaw::OtherKey));
    assert_eq!(check(vec![leaf.clone()], &key, start() + hours(25)), Err(Flaw::Expired(leaf.not_after())));
    let unnamed = certificate(&wanted("b.example"), &key, start(), hours(24));
    assert_eq!(check(vec![unnamed], &key, now), Err(Flaw::LacksNames(vec!["a.example".into()])));
    let stranger = certificate(&wish, &other, start(), hours(24));
    assert_eq!(check(vec![leaf.clone(), stranger], &key, now), Err(Flaw::BrokenChain(0)));
    let long = check(vec![leaf; 400], &key, now).unwrap_err();
    assert!(long.to_string().ends_with("more than the limit of 95000"), "{long}");
}
