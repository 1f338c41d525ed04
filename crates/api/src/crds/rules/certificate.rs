//! Rules over Certificates, in the order of certificate-lifecycle 1.7.
//! What CEL can't say (names of time zones, most of cron, keys of labels, names that aren't ASCII) is left to status and webhook.

use super::{GO_DURATION, Rules, SUBDOMAIN, SUBDOMAIN_MAX, bound, duration, issuer_reference, rule};

/// More entries of any list than a certificate could carry: the PEM of 10,000 names is above every limit of size.
const MOST_NAMES: usize = 10_000;
/// The same for names that take more bytes.
const MOST_EMAILS: usize = 4_000;
/// Longer literal subjects are above the limit of size, too.
const LITERAL_MAX: usize = 65_536;
/// The longest text of an address: IPv6 with an IPv4 address at its end, and of a range with its prefix.
const IP_MAX: usize = 64;
/// RFC 5321: no longer address can be delivered to.
const EMAIL_MAX: usize = 254;
const OID_MAX: usize = 128;
const CRON_MAX: usize = 500;
const MOST_WINDOWS: usize = 1_000;
/// The longest value of a label.
const LABEL_MAX: usize = 63;
const MOST_LABELS: usize = 10_000;

/// One attribute of a literal subject: known keys by their only spelling, OIDs, and whatever is written with escapes.
const ATTRIBUTE: &str = r"[ =]*(C|O|OU|CN|SERIALNUMBER|L|ST|STREET|DC|UID|[0-9]+(\\.[0-9]+)*|[^=,;+]*\\\\[^=]*) *=(\\\\.|[^\\\\,;+])*";
/// A common name in it.
const LITERAL_COMMON_NAME: &str = r"(^|[,;+])[ =]*(CN|2\\.5\\.4\\.3|[^=,;+]*\\\\[^=]*) *=";
/// Characters of a bare e-mail address.
const MAIL: &str = r#"[^\\s@()<>\\[\\]:;\\\\,"]+"#;

pub(super) fn rules() -> Rules {
    let mut all = Rules::default();
    names_of_objects(&mut all);
    subject(&mut all);
    alternative_names(&mut all);
    key(&mut all);
    life(&mut all);
    renewal(&mut all);
    secret(&mut all);
    constraints(&mut all);
    all
}

fn names_of_objects(all: &mut Rules) {
    const AT: &str = "spec.secretName";
    all.bounds.push(bound(AT, "maxLength", SUBDOMAIN_MAX));
    all.rules.push(rule(AT, "self != ''", "must be specified").required());
    let subdomain = format!("self == '' || self.matches('{SUBDOMAIN}')");
    let telling = "'\"' + self + '\" is no name for a Secret: a lowercase RFC 1123 subdomain is needed'";
    all.rules.push(rule(AT, subdomain, "must be a lowercase RFC 1123 subdomain").telling(telling));
    all.rules.extend(issuer_reference("spec.issuerRef"));
}

fn subject(all: &mut Rules) {
    const LITERAL: &str = "spec.literalSubject";
    const NO_LITERAL: &str = "!has(self.literalSubject) || self.literalSubject == ''";
    let common_name = format!("{NO_LITERAL} || !has(self.commonName) || self.commonName == ''");
    let alone = "when providing a literalSubject no commonName may be provided";
    all.rules.push(rule("spec", common_name, alone).field("commonName"));
    let lists = [
        "organizations",
        "countries",
        "organizationalUnits",
        "localities",
        "provinces",
        "streetAddresses",
        "postalCodes",
    ];
    let empty: Vec<String> = lists
        .iter()
        .map(|list| format!("(!has(self.subject.{list}) || self.subject.{list}.size() == 0)"))
        .collect();
    let empty = format!(
        "{NO_LITERAL} || !has(self.subject) || ({} && (!has(self.subject.serialNumber) || self.subject.serialNumber == ''))",
        empty.join(" && ")
    );
    let alone = "when providing a literalSubject no subject properties may be provided";
    all.rules.push(rule("spec", empty, alone).field("subject").forbidden());

    all.bounds.push(bound(LITERAL, "maxLength", LITERAL_MAX));
    let readable = format!("self.matches('(?s)^([ ]*|{ATTRIBUTE}([,;+]{ATTRIBUTE})*)$')");
    let telling = "'\"' + self + '\" is no distinguished name with the keys C, O, OU, CN, SERIALNUMBER, L, ST, STREET, DC, UID or \
                   dotted numbers'";
    let message = "must be a distinguished name such as CN=web,OU=ops with known keys";
    all.rules.push(rule(LITERAL, readable, message).telling(telling));

    let named = format!(
        "(has(self.commonName) && self.commonName != '') \
         || (has(self.literalSubject) && self.literalSubject.matches('{LITERAL_COMMON_NAME}')) \
         || (has(self.dnsNames) && self.dnsNames.size() > 0) || (has(self.uris) && self.uris.size() > 0) \
         || (has(self.emailAddresses) && self.emailAddresses.size() > 0) \
         || (has(self.ipAddresses) && self.ipAddresses.size() > 0) || (has(self.otherNames) && self.otherNames.size() > 0)"
    );
    let message = "at least one of commonName (from the commonName field or from a literalSubject), dnsNames, uris, \
                   emailAddresses, ipAddresses or otherNames must be set";
    all.rules.push(rule("spec", named, message));
    all.rules.push(rule("spec.commonName", "bytes(self).size() <= 64", "must not be more than 64 bytes"));
}

fn alternative_names(all: &mut Rules) {
    for (list, most) in
        [("ipAddresses", MOST_NAMES), ("emailAddresses", MOST_EMAILS), ("otherNames", MOST_NAMES)]
    {
        all.bounds.push(bound(format!("spec.{list}"), "maxItems", most));
    }
    all.bounds.push(bound("spec.ipAddresses[]", "maxLength", IP_MAX));
    // The library of the API server refuses IPv4 addresses in IPv6 clothes; certificates take them.
    let address = "isIP(self) || self.matches('^[0:]+:[fF]{4}:')";
    let telling = "'\"' + self + '\" is not an IP address'";
    all.rules.push(rule("spec.ipAddresses[]", address, "invalid IP address").telling(telling));

    all.bounds.push(bound("spec.emailAddresses[]", "maxLength", EMAIL_MAX));
    let shape = format!(r"self.matches('^{MAIL}@({MAIL}|\\[[0-9a-fA-F:.]+\\])$')");
    let dots = "!self.startsWith('.') && !self.endsWith('.') && !self.contains('..') && !self.contains('.@') && !self.contains('@.')";
    let bare = format!("{shape} && {dots}");
    let message =
        "invalid email address: make sure the supplied value only contains the email address itself";
    all.rules.push(rule("spec.emailAddresses[]", bare, message));

    const OTHER: &str = "spec.otherNames[]";
    all.bounds.push(bound("spec.otherNames[].oid", "maxLength", OID_MAX));
    all.rules
        .push(rule(OTHER, "has(self.oid) && self.oid != ''", "must be specified").field("oid").required());
    let oid = r"self == '' || self.matches('^0*([01]\\.0*[0-3]?[0-9]|2\\.[0-9]+)(\\.[0-9]+)*$')";
    let telling = "'\"' + self + '\": invalid oid syntax'";
    all.rules.push(rule("spec.otherNames[].oid", oid, "invalid oid syntax").telling(telling));
    let value = "must be set to a valid non-empty UTF8 string";
    all.rules.push(
        rule(OTHER, "has(self.utf8Value) && self.utf8Value != ''", value).field("utf8Value").required(),
    );
}

fn key(all: &mut Rules) {
    const AT: &str = "spec.privateKey";
    const UNSET: &str = "!has(self.size) || self.size <= 0";
    let rsa = format!(
        "{UNSET} || (has(self.algorithm) && self.algorithm != 'RSA') || (self.size >= 2048 && self.size <= 8192)"
    );
    all.rules.push(rule(AT, rsa, "must be between 2048 and 8192 for RSA keys").field("size"));
    let ecdsa = format!(
        "{UNSET} || !has(self.algorithm) || self.algorithm != 'ECDSA' || self.size in [256, 384, 521]"
    );
    all.rules.push(rule(AT, ecdsa, "must be 256, 384 or 521 for ECDSA keys").field("size"));
    let suits = "!has(self.signatureAlgorithm) || (has(self.privateKey) && has(self.privateKey.algorithm) \
                 ? (self.privateKey.algorithm == 'ECDSA' ? self.signatureAlgorithm.startsWith('ECDSAWith') \
                 : self.privateKey.algorithm == 'Ed25519' ? self.signatureAlgorithm == 'PureEd25519' \
                 : self.signatureAlgorithm.endsWith('WithRSA')) : self.signatureAlgorithm.endsWith('WithRSA'))";
    let message = "must suit the key algorithm: SHA256WithRSA, SHA384WithRSA or SHA512WithRSA for RSA (where nothing is given), \
                   ECDSAWithSHA256, ECDSAWithSHA384 or ECDSAWithSHA512 for ECDSA, PureEd25519 for Ed25519";
    all.rules.push(rule("spec", suits, message).field("signatureAlgorithm"));
}

fn life(all: &mut Rules) {
    const DURATION: &str = "spec.duration";
    const BEFORE: &str = "spec.renewBefore";
    for at in [DURATION, BEFORE] {
        let (rule, bound) = duration(at);
        all.rules.push(rule);
        all.bounds.push(bound);
    }
    let at_least = |at: &str, least: &str, message: &str| {
        let no_duration = format!("!self.matches('{GO_DURATION}')");
        rule(at, format!("{no_duration} || duration(self) >= duration('{least}')"), message)
    };
    all.rules.push(at_least(DURATION, "1h", "certificate duration must be at least 1h"));
    all.rules.push(at_least(BEFORE, "5m", "certificate renewBefore must be at least 5m"));
    let readable = |field: &str| format!("self.{field}.matches('{GO_DURATION}')");
    let shorter = format!(
        "!has(self.renewBefore) || !{} || (has(self.duration) && !{}) \
         || duration(self.renewBefore) < (has(self.duration) ? duration(self.duration) : duration('2160h'))",
        readable("renewBefore"),
        readable("duration")
    );
    let message = "must be less than the certificate's duration (2160h where none is given)";
    all.rules.push(rule("spec", shorter, message).field("renewBefore"));
    let once = "!has(self.renewBefore) || !has(self.renewBeforePercentage)";
    let message = "renewBefore and renewBeforePercentage cannot both be set";
    all.rules.push(rule("spec", once, message).field("renewBeforePercentage"));
    let share = "!has(self.renewBeforePercentage) || (!has(self.duration) && !has(self.renewBefore)) \
                 || (self.renewBeforePercentage > 0 && self.renewBeforePercentage < 100)";
    let message = "must be greater than 0 and less than 100";
    all.rules.push(rule("spec", share, message).field("renewBeforePercentage"));
    all.rules.push(rule("spec.revisionHistoryLimit", "self >= 1", "must not be less than 1"));
}

fn renewal(all: &mut Rules) {
    const AT: &str = "spec.renewal";
    let message = "must be RenewBefore or Disabled";
    all.rules.push(rule(AT, "has(self.policy)", message).field("policy").required());
    let windows =
        "!has(self.policy) || self.policy != 'Disabled' || !has(self.windows) || self.windows.size() == 0";
    let message = "windows cannot be set when the policy is Disabled";
    all.rules.push(rule(AT, windows, message).field("windows").forbidden());
    const CRON: &str = "spec.renewal.windows[].cron";
    all.bounds.push(bound("spec.renewal.windows", "maxItems", MOST_WINDOWS));
    all.bounds.push(bound(CRON, "maxLength", CRON_MAX));
    // Blanks other than spaces are left to the controller.
    let fields = [
        r"self.matches('^ *[^@ ][^ ]*( +[^ ]+){4} *$')",
        "self.matches('[^ -~]')",
        "self.matches('^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every .+)$')",
    ]
    .join(" || ");
    let telling = "'\"' + self + '\": invalid cron syntax: five fields (minute, hour, day of month, month, day of week) or a word \
                   such as @daily are needed'";
    all.rules.push(rule(CRON, fields, "invalid cron syntax").telling(telling));
}

fn secret(all: &mut Rules) {
    const ANNOTATIONS: &str = "spec.secretTemplate.annotations";
    let ours = "self.all(key, !key.startsWith('cert-manager.io/') || key == 'cert-manager.io/allow-direct-injection')";
    let message =
        "annotations under cert-manager.io/ are not allowed, save cert-manager.io/allow-direct-injection";
    all.rules.push(rule(ANNOTATIONS, ours, message));
    const LABELS: &str = "spec.secretTemplate.labels";
    all.bounds.push(bound(LABELS, "maxProperties", MOST_LABELS));
    all.bounds.push(bound(format!("{LABELS}{{}}"), "maxLength", LABEL_MAX));
    let value = "self == '' || self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')";
    let message = "a label value must be empty or consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
                   an alphanumeric character";
    all.rules.push(rule(format!("{LABELS}{{}}"), value, message));
    const FORMATS: &str = "spec.additionalOutputFormats";
    // There are two formats only.
    let unique = "self.size() < 2 || (self.size() == 2 && self[0].type != self[1].type)";
    let telling = "'each format may be given once: ' + self[0].type + (self[0].type == self[1].type ? ' is there twice' : ' or ' \
                   + self[1].type + ' is there twice')";
    all.rules.push(rule(FORMATS, unique, "each format may be given once").telling(telling));
    for keystore in ["jks", "pkcs12"] {
        let at = format!("spec.keystores.{keystore}");
        let one = "has(self.password) != (has(self.passwordSecretRef) && self.passwordSecretRef.name != '')";
        let message = "exactly one of passwordSecretRef and password must be provided";
        all.rules.push(rule(at.as_str(), one, message).forbidden());
        let password = "!has(self.password) || self.password != ''";
        let message = "literal password cannot be empty if set";
        all.rules.push(rule(at, password, message).field("password").forbidden());
    }
}

fn constraints(all: &mut Rules) {
    const AT: &str = "spec.nameConstraints";
    let ca = "!has(self.nameConstraints) || (has(self.isCA) && self.isCA)";
    let message = "isCA should be true when nameConstraints is set";
    all.rules.push(rule("spec", ca, message).field("nameConstraints").forbidden());
    let something = "has(self.permitted) || has(self.excluded)";
    all.rules.push(rule(AT, something, "either permitted or excluded must be set").required());
    for side in ["permitted", "excluded"] {
        let list = format!("{AT}.{side}.ipRanges");
        all.bounds.push(bound(list.as_str(), "maxItems", MOST_NAMES));
        all.bounds.push(bound(format!("{list}[]"), "maxLength", IP_MAX));
        let range = "isCIDR(self) || self.matches('^[0:]+:[fF]{4}:')";
        let telling = "'\"' + self + '\" is not a network address with a prefix length, such as 10.0.0.0/8'";
        let message = "must be a network address with a prefix length, such as 10.0.0.0/8";
        all.rules.push(rule(format!("{list}[]"), range, message).telling(telling));
    }
}
