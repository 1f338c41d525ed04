//! Distinguished names: fields in Go's order, and literal subjects with all their quirks.

use everleaf_core::wanted::SubjectFields;
use everleaf_core::x509::DistinguishedName;

use crate::openssl::openssl_text;

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Types and values in the order of the encoding, relative names apart by `,` and their attributes by `+`, as OpenSSL sees them.
fn seen_by_openssl(name: &DistinguishedName) -> String {
    let der = in_a_request(name);
    openssl_text(&["req", "-noout", "-subject", "-nameopt", "utf8,sep_comma_plus,oid"], der.as_bytes())
        .trim_end_matches('\n')
        .trim_start_matches("subject=")
        .to_owned()
}

fn in_a_request(name: &DistinguishedName) -> String {
    use crate::makers::{P256, key, wanted};
    let wanted = everleaf_core::wanted::Wanted {
        subject: everleaf_core::wanted::Subject::Literal(name.clone()),
        ..wanted()
    };
    everleaf_core::x509::Csr::build(&wanted, &key(P256)).unwrap().to_pem()
}

#[test]
fn fields_come_in_the_order_of_go_and_all_values_of_a_kind_in_one_set() {
    let fields = SubjectFields {
        common_name: Some("cn".to_owned()),
        organizations: owned(&["o2", "o1"]),
        countries: owned(&["DE"]),
        organizational_units: owned(&["ou"]),
        localities: owned(&["l"]),
        provinces: owned(&["st"]),
        street_addresses: owned(&["street"]),
        postal_codes: owned(&["zip"]),
        serial_number: Some("sn".to_owned()),
    };
    let name = DistinguishedName::from_fields(&fields);
    let expected = "2.5.4.6=DE,2.5.4.8=st,2.5.4.7=l,2.5.4.9=street,2.5.4.17=zip,2.5.4.10=o1+2.5.4.10=o2,2.5.4.11=ou,\
                    2.5.4.3=cn,2.5.4.5=sn";
    assert_eq!(seen_by_openssl(&name), expected);
    assert_eq!(
        name.to_string(),
        "SERIALNUMBER=sn,CN=cn,OU=ou,O=o2,O=o1,2.5.4.17=zip,STREET=street,L=l,ST=st,C=DE"
    );
}

#[test]
fn absent_fields_leave_nothing_behind() {
    let empty = DistinguishedName::from_fields(&SubjectFields::default());
    assert_eq!(hex(empty.der()), "3000");
    assert!(empty.is_empty());
    assert_eq!(empty.common_name(), None);
    let blank = SubjectFields { common_name: Some(String::new()), ..SubjectFields::default() };
    assert!(DistinguishedName::from_fields(&blank).is_empty());
    assert_eq!(empty.to_fields(), SubjectFields::default());
}

/// PrintableString (13) where Go would use it, UTF8String (0c) otherwise; `*`, `&`, `@` and `_` are not printable.
#[test]
fn strings_are_encoded_as_go_does() {
    let table = [
        ("Abc 019", 0x13),
        ("'()+,-./:=?", 0x13),
        ("", 0x13),
        ("*.example.com", 0x0c),
        ("A & B", 0x0c),
        ("a@b", 0x0c),
        ("a_b", 0x0c),
        ("\"", 0x0c),
        ("Köln", 0x0c),
        ("a\0", 0x0c),
    ];
    for (text, tag) in table {
        let fields = SubjectFields { organizations: owned(&[text]), ..SubjectFields::default() };
        let name = DistinguishedName::from_fields(&fields);
        let at = name.der().len() - text.len() - 2;
        assert_eq!(name.der()[at], tag, "{text:?}");
        assert_eq!(name.to_fields(), fields);
    }
}

#[test]
fn literal_subjects_are_encoded_in_reverse() {
    let table = [
        ("", ""),
        ("   ", ""),
        ("CN=a", "2.5.4.3=a"),
        ("CN=a,O=b,C=DE", "2.5.4.6=DE,2.5.4.10=b,2.5.4.3=a"),
        ("CN=a;O=b", "2.5.4.10=b,2.5.4.3=a"),
        ("CN=a,OU=2,OU=1,DC=example,DC=com", "DC=com,DC=example,2.5.4.11=1,2.5.4.11=2,2.5.4.3=a"),
        ("UID=u,STREET=s,ST=p,L=l,SERIALNUMBER=7", "2.5.4.5=7,2.5.4.7=l,2.5.4.8=p,2.5.4.9=s,UID=u"),
        // Blanks around keys and values don't count.
        (" CN = a b , O =  c ", "2.5.4.10=c,2.5.4.3=a b"),
        // Several attributes in one relative name; DER sorts them.
        ("CN=a+OU=b,O=c", "2.5.4.10=c,2.5.4.3=a+2.5.4.11=b"),
        ("OU=b+CN=a", "2.5.4.3=a+2.5.4.11=b"),
        // Any OID.
        ("1.2.3.4=x,2.999.1=y", "2.999.1=y,1.2.3.4=x"),
        // Escapes.
        ("CN=a\\,b\\+c\\;d\\=e", "2.5.4.3=a\\,b\\+c\\;d=e"),
        ("CN=K\\C3\\B6ln", "2.5.4.3=Köln"),
        ("CN=\\ a\\ ", "2.5.4.3=\\ a\\ "),
        // An equals sign in a value is nothing special.
        ("CN=a=b", "2.5.4.3=a=b"),
        // Empty values are values.
        ("CN=,O=b", "2.5.4.10=b,2.5.4.3="),
        // A key that is empty is no key: the next equals sign ends it.
        ("=CN=a", "2.5.4.3=a"),
        // Hexadecimal BER: its contents are the value.
        ("1.3.6.1.4.1.1466.0=#04024869", "1.3.6.1.4.1.1466.0=Hi"),
        ("CN=#0c034bc3b6", "2.5.4.3=Kö"),
        // Behind a blank it is plain text.
        ("CN= #04024869", "2.5.4.3=\\#04024869"),
    ];
    for (text, expected) in table {
        let name = DistinguishedName::parse_literal(text).unwrap();
        // OpenSSL escapes for display.
        let seen = seen_by_openssl(&name)
            .replace("0.9.2342.19200300.100.1.25", "DC")
            .replace("0.9.2342.19200300.100.1.1", "UID");
        let unescaped = |text: &str| text.replace('\\', "");
        assert_eq!(unescaped(&seen), unescaped(expected), "{text:?}");
    }
}

/// Quotes mean nothing to the peer's LDAP library, unlike in old LDAP: they are part of the value, and a comma between them separates.
#[test]
fn quotes_are_plain_characters() {
    let name = DistinguishedName::parse_literal("CN=\"a b\"").unwrap();
    assert_eq!(name.common_name().as_deref(), Some("\"a b\""));
    let error = DistinguishedName::parse_literal("O=\"Foo, Inc.\"").unwrap_err();
    assert_eq!(error.to_string(), "key or equals sign missing at position 7");
}

#[test]
fn a_repeated_attribute_is_kept_as_often_as_it_is_written() {
    let name = DistinguishedName::parse_literal("CN=a+CN=a").unwrap();
    let attribute = "30080603550403130161";
    assert_eq!(hex(name.der()), format!("30163114{attribute}{attribute}"));
}

#[test]
fn what_is_no_literal_subject_is_refused_with_its_place() {
    let table = [
        ("CN", "key or equals sign missing at position 0"),
        ("CN=a,", "key or equals sign missing at position 5"),
        ("CN=a+", "key or equals sign missing at position 5"),
        (",CN=a", "key or equals sign missing at position 0"),
        ("CN=a,,O=b", "key or equals sign missing at position 5"),
        ("CN=a,b", "key or equals sign missing at position 5"),
        ("=a", "key or equals sign missing at position 1"),
        ("E=a", "unrecognized key \"E\" at position 0"),
        ("cn=a", "unrecognized key \"cn\" at position 0"),
        ("CN=a, emailAddress=b", "unrecognized key \"emailAddress\" at position 5"),
        ("OID.2.5.4.3=a", "unrecognized key \"OID.2.5.4.3\" at position 0"),
        ("1=a", "unrecognized key \"1\" at position 0"),
        ("3.1=a", "unrecognized key \"3.1\" at position 0"),
        ("CN=a\\", "backslash with nothing behind it at position 3"),
        ("CN=a\\x", "backslash before something that isn't escaped at position 3"),
        ("CN=a\\4", "backslash before something that isn't escaped at position 3"),
        ("CN=a\\4g", "backslash before something that isn't escaped at position 3"),
        ("CN=\\FF", "text that isn't UTF-8 at position 3"),
        ("CN=#", "value that isn't BER after # at position 3"),
        ("CN=#0", "value that isn't hexadecimal after # at position 3"),
        ("CN=#zz", "value that isn't hexadecimal after # at position 3"),
        ("CN=#04ff00", "value that isn't BER after # at position 3"),
        ("CN=#0401ff", "value that isn't UTF-8 at position 3"),
    ];
    for (text, error) in table {
        assert_eq!(DistinguishedName::parse_literal(text).unwrap_err().to_string(), error, "{text:?}");
    }
}

#[test]
fn of_several_common_names_the_last_one_counts() {
    let name = DistinguishedName::parse_literal("CN=first,CN=second").unwrap();
    assert_eq!(name.common_name().as_deref(), Some("first"), "the encoding is in reverse");
}
