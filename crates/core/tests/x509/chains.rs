//! Chains: the table of vault-issuer 2.5, the cases of its section 6.4 (S5), and the ways up through cross-signed CAs.

use everleaf_core::x509::{Certificate, Chain, ChainError, PemLimits};

use crate::makers::Entity;

/// A root, two CAs one below the other, and a leaf.
struct Line {
    root: Certificate,
    upper: Certificate,
    lower: Certificate,
    leaf: Certificate,
}

fn line() -> Line {
    let [root, upper, lower, leaf] = ["root", "upper", "lower", "leaf"].map(Entity::new);
    let root_certificate = root.root();
    let upper_certificate = upper.ca_by(&root, &root_certificate);
    let lower_certificate = lower.ca_by(&upper, &upper_certificate);
    let leaf = leaf.leaf_by(&lower, &lower_certificate);
    Line { root: root_certificate, upper: upper_certificate, lower: lower_certificate, leaf }
}

/// Common names of `certificates`, then of `ca`.
fn names(chain: &Chain) -> String {
    let name = |certificate: &Certificate| certificate.subject().common_name().unwrap();
    let ca = chain.ca.as_ref().map_or("-".to_owned(), name);
    format!("{} | {ca}", chain.certificates.iter().map(name).collect::<Vec<_>>().join(" "))
}

#[test]
fn what_vault_returns_becomes_the_chain_users_expect() {
    let Line { root, upper, lower, leaf } = line();
    let table: [(&[&Certificate], &str); 7] = [
        (&[&leaf, &lower, &upper, &root], "leaf lower upper | root"),
        (&[&leaf, &lower, &upper], "leaf lower upper | upper"),
        (&[&leaf, &lower], "leaf lower | lower"),
        (&[&leaf], "leaf | -"),
        (&[&lower], "lower | -"),
        (&[&root], "root | root"),
        (&[&upper, &root], "upper | root"),
    ];
    for (bag, expected) in table {
        let bag: Vec<Certificate> = bag.iter().map(|certificate| (*certificate).clone()).collect();
        let chain = Chain::order(bag.clone()).unwrap();
        assert_eq!(names(&chain), expected);
        assert_eq!(chain.leaf(), &chain.certificates[0]);
        let mut reversed = bag.clone();
        reversed.reverse();
        assert_eq!(names(&Chain::order(reversed).unwrap()), expected);
        // The leaf's own search comes to the same.
        let (first, rest) = bag.split_first().unwrap();
        assert_eq!(names(&Chain::for_leaf(first.clone(), rest.to_vec()).unwrap()), expected);
    }
}

#[test]
fn the_order_of_the_bag_and_duplicates_in_it_do_not_matter() {
    let Line { root, upper, lower, leaf } = line();
    let bags = [
        [&upper, &leaf, &root, &lower, &leaf],
        [&root, &root, &leaf, &upper, &lower],
        [&lower, &upper, &root, &lower, &leaf],
    ];
    for bag in bags {
        let chain = Chain::order(bag.into_iter().cloned().collect()).unwrap();
        assert_eq!(names(&chain), "leaf lower upper | root");
    }
}

#[test]
fn a_bag_that_is_no_single_line_is_refused() {
    let Line { root, upper, lower, leaf } = line();
    let stranger = Entity::new("stranger").root();
    let second_leaf = {
        let (ca, other) = (Entity::new("ca"), Entity::new("other"));
        let certificate = ca.root();
        [other.leaf_by(&ca, &certificate), Entity::new("twin").leaf_by(&ca, &certificate), certificate]
    };
    let table: [(&str, Vec<Certificate>); 4] = [
        ("missing link", vec![leaf.clone(), upper.clone(), root.clone()]),
        ("stranger", vec![leaf, lower, upper, root, stranger.clone()]),
        ("branch", second_leaf.to_vec()),
        ("two roots", vec![stranger, Entity::new("another").root()]),
    ];
    for (what, bag) in table {
        assert_eq!(Chain::order(bag).unwrap_err(), ChainError::Broken, "{what}");
    }
    assert_eq!(Chain::order(Vec::new()).unwrap_err(), ChainError::Empty);
}

#[test]
fn two_certificates_with_one_name_are_told_apart_by_their_keys() {
    let (one, two) = (Entity::new("same"), Entity::new("same"));
    let (first, second) = (one.root(), two.root());
    let leaf = Entity::new("leaf").leaf_by(&two, &second);
    let chain = Chain::for_leaf(leaf.clone(), vec![first.clone(), second.clone()]).unwrap();
    assert_eq!(chain.ca, Some(second.clone()));
    assert_eq!(Chain::order(vec![leaf, first, second]).unwrap_err(), ChainError::Broken);
}

#[test]
fn a_leaf_finds_its_way_past_strangers_and_missing_links() {
    let Line { root, upper, lower, leaf } = line();
    let strangers = vec![Entity::new("stranger").root(), line().upper];
    let with = |rest: &[&Certificate]| {
        let rest = rest.iter().map(|certificate| (*certificate).clone()).chain(strangers.clone()).collect();
        names(&Chain::for_leaf(leaf.clone(), rest).unwrap())
    };
    assert_eq!(with(&[&root, &lower, &upper]), "leaf lower upper | root");
    assert_eq!(with(&[&upper, &root]), "leaf | -", "the link to upper is missing");
    assert_eq!(with(&[&lower, &root]), "leaf lower | lower");
}

/// Vault's documented way to change a root: the new root is signed by the old one too (vault-issuer 5.F3).
#[test]
fn a_cross_signed_root_is_climbed_to_the_farthest_root() {
    let (old, new, leaf) = (Entity::new("old"), Entity::new("new"), Entity::new("leaf"));
    let (old_root, new_root) = (old.root(), new.root());
    let bridge = new.ca_by(&old, &old_root);
    let leaf = leaf.leaf_by(&new, &new_root);
    let bag = [&new_root, &bridge, &old_root];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let rest = order.iter().map(|at| bag[*at].clone()).collect();
        let chain = Chain::for_leaf(leaf.clone(), rest).unwrap();
        assert_eq!(names(&chain), "leaf new | old");
        assert_eq!(chain.certificates[1], bridge);
    }
    // Without the old root, the way that ends in a root wins over the longer one that doesn't.
    let chain = Chain::for_leaf(leaf.clone(), vec![bridge.clone(), new_root.clone()]).unwrap();
    assert_eq!((names(&chain).as_str(), chain.ca.clone()), ("leaf | new", Some(new_root.clone())));
    // Without any root, the longest way is taken.
    let chain = Chain::for_leaf(leaf.clone(), vec![bridge.clone()]).unwrap();
    assert_eq!(names(&chain), "leaf new | new");
    assert_eq!(Chain::order(vec![leaf, new_root, bridge, old_root]).unwrap_err(), ChainError::Broken);
}

#[test]
fn two_roots_that_signed_each_other_do_not_lead_in_circles() {
    let (a, b) = (Entity::new("a"), Entity::new("b"));
    let (a_root, b_root) = (a.root(), b.root());
    let (a_by_b, b_by_a) = (a.ca_by(&b, &b_root), b.ca_by(&a, &a_root));
    let leaf = Entity::new("leaf").leaf_by(&a, &a_root);
    let all = vec![a_by_b.clone(), b_by_a.clone(), a_root, b_root];
    assert_eq!(names(&Chain::for_leaf(leaf.clone(), all).unwrap()), "leaf a | b");
    let only_crossed = Chain::for_leaf(leaf, vec![a_by_b.clone(), b_by_a.clone()]).unwrap();
    assert_eq!(names(&only_crossed), "leaf a b | b");
    assert_eq!(
        Chain::order(vec![a_by_b, b_by_a]).unwrap_err(),
        ChainError::Broken,
        "a ring has no beginning"
    );
}

#[test]
fn a_certificate_that_is_no_ca_signs_nothing() {
    let (fake, leaf) = (Entity::new("fake"), Entity::new("leaf"));
    let fake_certificate = fake.self_signed_leaf();
    let leaf = leaf.leaf_by(&fake, &fake_certificate);
    assert!(!leaf.was_signed_by(&fake_certificate));
    assert_eq!(names(&Chain::for_leaf(leaf, vec![fake_certificate.clone()]).unwrap()), "leaf | -");
    // What a SelfSigned issuer makes is its own CA all the same.
    assert_eq!(names(&Chain::for_leaf(fake_certificate.clone(), vec![]).unwrap()), "fake | fake");
    assert_eq!(names(&Chain::order(vec![fake_certificate]).unwrap()), "fake | fake");
}

#[test]
fn a_long_chain_is_put_in_order_and_a_longer_one_is_refused() {
    let mut above = Entity::new("ca 0");
    let mut certificates = vec![above.root()];
    for number in 1..40 {
        let below = Entity::new(&format!("ca {number}"));
        certificates.push(below.ca_by(&above, certificates.last().unwrap()));
        above = below;
    }
    let chain = Chain::order(certificates).unwrap();
    assert_eq!((chain.certificates.len(), chain.leaf().subject().to_string()), (39, "CN=ca 39".to_owned()));
}

/// The same CA many times over, as somebody might send to keep us busy: a bound on the work, not a bound on the time, is what is checked.
#[test]
fn a_bag_of_equal_names_costs_no_more_than_the_bound() {
    let root = Entity::new("same");
    let certificate = root.root();
    let bag: Vec<Certificate> = (0..80).map(|_| Entity::new("same").ca_by(&root, &certificate)).collect();
    assert_eq!(Chain::order(bag.clone()).unwrap_err(), ChainError::Ambiguous);
    let leaf = Entity::new("leaf").leaf_by(&root, &certificate);
    assert_eq!(names(&Chain::for_leaf(leaf, [bag, vec![certificate]].concat()).unwrap()), "leaf | same");
}

#[test]
fn too_many_certificates_are_refused() {
    let root = Entity::new("root");
    let bag: Vec<Certificate> = (0..1_001).map(|_| root.root()).collect();
    assert_eq!(Chain::order(bag.clone()).unwrap_err(), ChainError::TooMany { found: 1_001, limit: 1_000 });
    let text: String = bag.iter().map(Certificate::to_pem).collect();
    let error = Certificate::all_from_pem(text.as_bytes(), 10_000_000).unwrap_err();
    assert_eq!(error.to_string(), "more than 1000 certificates");
}

#[test]
fn a_chain_is_written_leaf_first_and_read_back_with_its_very_text() {
    let Line { root, upper, lower, leaf } = line();
    let chain = Chain::order(vec![root.clone(), upper.clone(), leaf.clone(), lower.clone()]).unwrap();
    let text = chain.to_pem();
    assert_eq!(text, [leaf.to_pem(), lower.to_pem(), upper.to_pem()].concat());
    assert_eq!(chain.ca_pem(), Some(root.to_pem()));
    // What another issuer wrote: a comment, and a bundle as the CA.
    let (commented, bundle) = (format!("# issued today\n{text}"), [root.to_pem(), upper.to_pem()].concat());
    let read = Chain::from_pem(commented.as_bytes(), bundle.as_bytes(), &PemLimits::DEFAULT).unwrap();
    assert_eq!((read.to_pem(), read.ca_pem()), (commented, Some(bundle)));
    assert_eq!(names(&read), "leaf lower upper | root");
    let without = Chain::from_pem(text.as_bytes(), b"", &PemLimits::DEFAULT).unwrap();
    assert_eq!((without.ca, Chain::from_pem(b"", b"", &PemLimits::DEFAULT).is_err()), (None, true));
}

#[test]
fn the_first_certificate_is_read_whatever_stands_behind_it() {
    let Line { leaf, lower, .. } = line();
    let text = [leaf.to_pem(), "-----BEGIN CERTIFICATE-----\nrubbish".to_owned()].concat();
    assert_eq!(Certificate::from_pem(text.as_bytes()).unwrap(), leaf);
    assert!(Certificate::all_from_pem(text.as_bytes(), 95_000).is_err());
    let key = "-----BEGIN PRIVATE KEY-----\nAQ==\n-----END PRIVATE KEY-----\n";
    let mixed = [key, &leaf.to_pem(), key, &lower.to_pem()].concat();
    assert_eq!(Certificate::from_pem(mixed.as_bytes()).unwrap(), leaf);
    assert_eq!(Certificate::all_from_pem(mixed.as_bytes(), 95_000).unwrap(), [leaf, lower]);
    let error = Certificate::all_from_pem(key.as_bytes(), 95_000).unwrap_err();
    assert_eq!(error.to_string(), "expected certificates, found a PEM block \"PRIVATE KEY\"");
}
