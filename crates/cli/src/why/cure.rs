//! The command or the policy line that would mend what a condition tells: an ordered table, first row that fits wins.
//! A row is found by the words of the one who refused, never by a theory of ours; words that nobody knows have no cure here.

use super::scene::Scene;

/// A row of the table.
struct Row {
    /// Any of these stands in what was said (lower case).
    words: &'static [&'static str],
    /// Somebody must act, as far as such words tell: for messages that don't say so themselves.
    person: bool,
    /// What to do.
    cure: fn(&Scene<'_>, &str) -> String,
}

/// What would mend a trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cure {
    /// Somebody must act.
    pub person: bool,
    /// The command or line.
    pub line: String,
}

/// The cure for what was said.
pub(crate) fn cure(scene: &Scene<'_>, says: &str) -> Option<Cure> {
    let lower = says.to_lowercase();
    let row = ROWS.iter().find(|row| row.words.iter().any(|word| lower.contains(word)))?;
    Some(Cure { person: row.person, line: (row.cure)(scene, says) })
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // The key.
    Row { words: &["user intervention required"], person: true, cure: rotation },
    // Vault as a whole.
    Row { words: &["is sealed"], person: false, cure: unseal },
    Row { words: &["rate limit", "status 429", "code: 429"], person: false, cure: quota },
    Row { words: &["namespace not found", "no such namespace"], person: true, cure: vault_namespace },
    // TLS and clocks.
    Row { words: &["not accepted: it is for ", "certificate is valid for"], person: true, cure: server_name },
    Row { words: &["certificate has expired", "certificate expired", "not accepted: it has expired"], person: true, cure: server_certificate },
    Row { words: &["(nbf) claim", "(iat) claim", "(exp) claim", "token used before issued", "not yet valid", "isn't valid yet"], person: true, cure: clocks },
    Row { words: &["certificate is not accepted", "signed by unknown authority", "x509: certificate"], person: true, cure: ca_bundle },
    Row { words: &["gave http response to https", "doesn't speak tls", "http request to an https"], person: true, cure: scheme },
    // Logging in.
    Row { words: &["invalid role or secret id", "invalid secret id", "invalid secret_id", "invalid role id"], person: true, cure: secret_id },
    Row { words: &["refuses the token", "bad token", "invalid token", "token expired", "token is expired"], person: true, cure: token },
    Row { words: &["service account name not authorized", "namespace not authorized"], person: true, cure: bound_account },
    Row { words: &["invalid audience"], person: true, cure: audience },
    Row { words: &["invalid role name", "could not be found"], person: true, cure: auth_role },
    // What the issuer refers to.
    Row { words: &["serviceaccounts/token"], person: true, cure: token_rights },
    Row { words: &["serviceaccount ", "serviceaccounts \""], person: true, cure: service_account },
    Row { words: &["the ca certificate in secret", "is not a ca", "doesn't belong to the certificate in tls.crt"], person: true, cure: ca_secret },
    Row { words: &["has no key ", "no data for ", " of secret "], person: true, cure: secret_key },
    Row { words: &["secret ", "secrets \"", "secrets is forbidden"], person: true, cure: secret },
    // The policy and the PKI.
    Row { words: &["lacks update on", "grants update on", "permission denied"], person: true, cure: policy },
    Row { words: &["unknown role"], person: true, cure: pki_role },
    Row { words: &["no handler for route", "unsupported path"], person: true, cure: mount },
    Row { words: &["ttl would result in notafter", "ends too soon", "notafter date", "notafter before notbefore"], person: true, cure: life },
    Row { words: &["role requires keys of type", "requires a minimum of"], person: true, cure: key },
    Row { words: &["common_name field is required"], person: true, cure: common_name },
    Row { words: &["not allowed by this role", "not allowed in this role"], person: true, cure: name },
    Row { words: &["default issuer", "pki issuer for reference"], person: true, cure: pki_issuer },
    // The network.
    Row { words: &["connection refused", "could not be resolved", "can't be reached", "no such host", "no connection within", "no answer within", "i/o timeout", "deadline exceeded"], person: false, cure: reach },
];

fn unseal(scene: &Scene<'_>, _: &str) -> String {
    format!("VAULT_ADDR={} vault operator unseal   (unless it unseals itself)", scene.server())
}

fn quota(_: &Scene<'_>, _: &str) -> String {
    "vault list sys/quotas/rate-limit   (raise the rate if this lasts)".to_owned()
}

fn vault_namespace(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "kubectl edit {}   (spec.vault.namespace; `vault namespace list` shows those there are)",
        scene.issuer_words()
    )
}

fn server_certificate(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "openssl s_client -connect HOST:PORT   (renew the certificate of {}; or the clocks differ)",
        scene.server()
    )
}

fn server_name(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "kubectl edit {}   (spec.vault.server, or serverName: a name that the certificate is for)",
        scene.issuer_words()
    )
}

fn ca_bundle(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "kubectl edit {}   (spec.vault.caBundle or caBundleSecretRef: the CA that signed the certificate of {})",
        scene.issuer_words(),
        scene.server()
    )
}

fn clocks(scene: &Scene<'_>, _: &str) -> String {
    format!("timedatectl   (on the nodes, and on {}: their clocks differ)", scene.server())
}

fn scheme(scene: &Scene<'_>, _: &str) -> String {
    format!("kubectl edit {}   (spec.vault.server: https:// or http://, and the port)", scene.issuer_words())
}

fn token_rights(scene: &Scene<'_>, says: &str) -> String {
    let (account, namespace) = (scene.service_account(), scene.resource_namespace());
    let user = quoted_after(says, "User ").unwrap_or("CONTROLLER");
    format!(
        "kubectl create role {account}-token -n {namespace} --verb=create --resource=serviceaccounts/token --resource-name={account} \
         && kubectl create rolebinding {account}-token -n {namespace} --role={account}-token --user={user}"
    )
}

fn service_account(scene: &Scene<'_>, _: &str) -> String {
    format!("kubectl create serviceaccount {} -n {}", scene.service_account(), scene.resource_namespace())
}

fn ca_secret(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "kubectl create secret tls {} -n {} --cert=CA.crt --key=CA.key --dry-run=client -o yaml | kubectl apply -f -",
        scene.ca_secret(),
        scene.resource_namespace()
    )
}

fn secret_key(scene: &Scene<'_>, says: &str) -> String {
    let secret = word_after(says, "Secret ").unwrap_or("NAME");
    let key = word_after(says, "has no key ").or_else(|| word_after(says, "key ")).unwrap_or("KEY");
    format!("kubectl edit secret {secret} -n {}   (give it the key {key})", scene.resource_namespace())
}

fn secret(scene: &Scene<'_>, says: &str) -> String {
    let name = quoted_after(says, "secrets ").or_else(|| word_after(says, "Secret ")).unwrap_or("NAME");
    let namespace = scene.resource_namespace();
    if says.contains("forbidden") {
        return format!(
            "kubectl create role secrets -n {namespace} --verb=get,list,watch --resource=secrets   (and bind it to the controller's account)"
        );
    }
    let (of_credentials, key) = scene.credentials();
    if name == scene.ca_secret() {
        return format!("kubectl create secret tls {name} -n {namespace} --cert=CA.crt --key=CA.key");
    }
    let key = if of_credentials == name { key } else { "KEY".to_owned() };
    format!("kubectl create secret generic {name} -n {namespace} --from-literal={key}=VALUE")
}

fn secret_id(scene: &Scene<'_>, _: &str) -> String {
    let (secret, key) = scene.credentials();
    format!(
        "vault write -f {}/secret-id, and put it into Secret {secret} (key {key}) in namespace {}",
        scene.auth_role(),
        scene.resource_namespace()
    )
}

fn token(scene: &Scene<'_>, _: &str) -> String {
    let (secret, key) = scene.credentials();
    format!(
        "vault token create -policy=POLICY, and put it into Secret {secret} (key {key}) in namespace {}",
        scene.resource_namespace()
    )
}

fn bound_account(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "vault write {} bound_service_account_names={} bound_service_account_namespaces={} policies=POLICY",
        scene.auth_role(),
        scene.service_account(),
        scene.resource_namespace()
    )
}

fn audience(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "vault read {}   (its audience must be one of the token's: serviceAccountRef.audiences)",
        scene.auth_role()
    )
}

fn auth_role(scene: &Scene<'_>, _: &str) -> String {
    format!("vault read {}   (make the role, or name another in the issuer)", scene.auth_role())
}

fn policy(scene: &Scene<'_>, says: &str) -> String {
    let named = ["policy ", "policies "].iter().find_map(|word| word_after(says, word));
    let policy = named.map_or_else(|| "the policy of the login".to_owned(), |name| format!("policy {name}"));
    format!("path \"{}\" {{ capabilities = [\"create\", \"update\"] }}   (in {policy})", scene.sign_path())
}

fn pki_role(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "vault write {}/roles/{} allowed_domains=DOMAIN allow_subdomains=true   (or name a role that is there: vault list {}/roles)",
        scene.mount(),
        scene.role(),
        scene.mount()
    )
}

fn mount(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "vault secrets enable -path={} pki   (or mend spec.vault.path: {})",
        scene.mount(),
        scene.sign_path()
    )
}

fn life(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "vault write {mount}/root/rotate/internal common_name=NAME   (the CA of {mount} ends too soon; or a shorter spec.duration)",
        mount = scene.mount()
    )
}

fn key(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "kubectl edit {}   (spec.privateKey; or vault patch {}/roles/{} key_type=any)",
        scene.certificate_words(),
        scene.mount(),
        scene.role()
    )
}

fn common_name(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "vault patch {}/roles/{} require_cn=false   (or give the Certificate a spec.commonName)",
        scene.mount(),
        scene.role()
    )
}

fn name(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "vault patch {}/roles/{} allowed_domains=DOMAIN allow_subdomains=true   (or kubectl edit {})",
        scene.mount(),
        scene.role(),
        scene.certificate_words()
    )
}

fn pki_issuer(scene: &Scene<'_>, _: &str) -> String {
    format!("vault list {0}/issuers, then vault write {0}/config/issuers default=ISSUER", scene.mount())
}

fn rotation(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "kubectl edit {}   (privateKey.rotationPolicy: Always; or delete the Secret)",
        scene.certificate_words()
    )
}

fn reach(scene: &Scene<'_>, _: &str) -> String {
    format!(
        "curl -sS {}/v1/sys/health   (from a node: is the server up, and is this its address?)",
        scene.server().trim_end_matches('/')
    )
}

/// The word behind `start`, without what punctuation follows it.
fn word_after<'a>(says: &'a str, start: &str) -> Option<&'a str> {
    let (_, rest) = says.split_once(start)?;
    let word = rest.split(|c: char| c.is_whitespace() || ",:;()".contains(c)).next()?;
    let word = word.trim_matches(['"', '\'', '.']);
    (!word.is_empty()).then_some(word)
}

/// The quoted text behind `start`.
fn quoted_after<'a>(says: &'a str, start: &str) -> Option<&'a str> {
    let (_, rest) = says.split_once(start)?;
    rest.strip_prefix('"')?.split_once('"').map(|(inside, _)| inside)
}
