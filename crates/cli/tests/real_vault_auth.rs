//! Every way into a Vault, each ending in a Secret that openssl verifies against the Vault's root: token, AppRole, Kubernetes (by Secret
//! and by ServiceAccount, with real TokenReviews at a real kube-apiserver) and TLS certificate; over plain HTTP and over TLS with a CA
//! bundle inline or in a Secret, a server name and a client certificate.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::{
    CONTROLLER_USER, CertLogin, Issued, KubernetesLogin, Pki, Vault, apply_manifests,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use support::assert_none;
use support::issuers::{self, CLUSTER_NAMESPACE, Issuer, Kind, Scope};
use support::space::{Space, condition, encoded, text};
use support::stage::{Stage, role, stage};
use support::validate::validate;

/// A Vault that speaks TLS, for the whole binary.
struct Tls {
    vault: Vault,
    pki: Pki,
    client: Issued,
}

async fn tls() -> &'static Tls {
    static SHARED: OnceCell<Tls> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async {
            let vault = Vault::start_dev_tls().await.unwrap();
            let mut options = role();
            // Vault makes the client's key itself and has to be told which.
            options.role_fields = json!({"key_type": "ec", "key_bits": 256});
            let pki = vault.pki("pki", &options).await.unwrap();
            let login = CertLogin {
                mount: "cert".into(),
                role: "web".into(),
                ca: pki.root.clone(),
                policy: pki.policy.clone(),
            };
            vault.api().cert_auth(&login).await.unwrap();
            let client = vault.api().issue(&pki, "client.example").await.unwrap();
            Tls { vault, pki, client }
        })
        .await
}

/// `spec.vault` with this way in.
fn vault_issuer(vault: &Vault, pki: &Pki, auth: &Value) -> Maker {
    makers::self_signed_issuer("issuer")
        .with("/spec", json!({"vault": {"server": vault.url(), "path": pki.sign_path, "auth": auth}}))
}

/// Applies the issuer, awaits it, and lets it issue a certificate that is judged against the Vault's root.
async fn issues(space: &Space, issuer: Maker, scope: Scope, root: &str) {
    let object = match scope {
        Scope::Namespace => space.apply(issuer).await,
        Scope::Cluster => space.apply(issuer.cluster_wide()).await,
    };
    let name = text(&object, "/metadata/name");
    let ready = issuers::ready(space, scope, &name).await;
    assert_eq!(condition(&ready, "Ready")["reason"], "VaultVerified");
    let reference = match scope {
        Scope::Namespace => json!({ "name": name }),
        Scope::Cluster => json!({ "name": name, "kind": "ClusterIssuer" }),
    };
    space.apply(makers::certificate("web").with("/spec/issuerRef", reference.clone())).await;
    space.issued("web").await;
    let issuer = Issuer { kind: Kind::Vault, scope, name, reference, root: Some(root.to_owned()) };
    assert_none(&validate(space, &issuer, "web", "web").await);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_token_signs() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let made = stage.vault.write("auth/token/create", json!({"policies": [stage.pki.policy], "ttl": "1h"}));
    let token = text(&made.await.unwrap(), "/client_token");
    // A line end that an editor left behind, and the key that nobody writes because it is the default.
    space.apply(makers::secret("token", &[("token", &format!("{token}\n"))])).await;
    let auth = json!({"tokenSecretRef": {"name": "token"}});
    issues(&space, vault_issuer(&stage.vault, &stage.pki, &auth), Scope::Namespace, &stage.pki.root).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_approle_on_a_mount_of_its_own_signs_and_one_login_serves_many_certificates() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let approle = stage.vault.api().approle("teams/a", "web", &stage.pki.policy, &role()).await.unwrap();
    space.apply(makers::secret("approle", &[("id", &format!(" {}\n", approle.secret_id))])).await;
    let auth = json!({"appRole": {
        "path": "teams/a", "roleId": approle.role_id, "secretRef": {"name": "approle", "key": "id"},
    }});
    let mark = stage.vault.audit().here().unwrap();
    issues(&space, vault_issuer(&stage.vault, &stage.pki, &auth), Scope::Namespace, &stage.pki.root).await;
    for name in ["second", "third", "fourth"] {
        space.apply(makers::certificate(name)).await;
        space.issued(name).await;
    }
    let seen = stage.vault.audit().since(mark).unwrap();
    let logins = seen.iter().filter(|request| request.path == "auth/teams/a/login").count();
    assert_eq!(logins, 1, "logins for four certificates");
}

/// A role of the Kubernetes method for the ServiceAccount `vault` in `namespace`.
async fn kubernetes(stage: &Stage, mount: &str, namespace: &str, audience: Option<&str>) {
    let login = KubernetesLogin {
        mount: mount.to_owned(),
        role: "web".to_owned(),
        namespace: namespace.to_owned(),
        account: "vault".to_owned(),
        audience: audience.map(str::to_owned),
        policy: stage.pki.policy.clone(),
    };
    stage.vault.api().kubernetes_auth(stage.kube, &login).await.unwrap();
    stage.kube.service_account(namespace, "vault").await.unwrap();
}

/// Lets the controller ask for tokens of the ServiceAccount `vault`, as the documentation of the issuer says.
async fn may_ask_for_tokens(space: &Space) {
    let (_, account) = CONTROLLER_USER.rsplit_once(':').unwrap();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "vault-tokens"},
        "rules": [{
            "apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": ["vault"], "verbs": ["create"],
        }],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "vault-tokens"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "vault-tokens"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "everleaf"}],
    });
    apply_manifests(&space.client, &[role, binding], &space.name).await.unwrap();
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_service_account_token_from_a_secret_signs() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    kubernetes(stage, &format!("k8s-{}", space.name), &space.name, Some("vault")).await;
    let jwt = stage.kube.service_account_token(&space.name, "vault", &["vault"]).await.unwrap();
    space.apply(makers::secret("jwt", &[("token", &jwt)])).await;
    // An empty reference to an account is what Go's clients write beside a Secret.
    let auth = json!({"kubernetes": {
        "mountPath": format!("/v1/auth/k8s-{}", space.name), "role": "web", "secretRef": {"name": "jwt"},
    }});
    issues(&space, vault_issuer(&stage.vault, &stage.pki, &auth), Scope::Namespace, &stage.pki.root).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_service_account_of_the_namespace_signs_with_the_audience_of_its_issuer() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    may_ask_for_tokens(&space).await;
    // The one test with the mount that needs no name.
    let audience = format!("vault://{}/issuer", space.name);
    kubernetes(stage, "kubernetes", &space.name, Some(&audience)).await;
    let auth = json!({"kubernetes": {
        "role": "web", "serviceAccountRef": {"name": "vault"}, "secretRef": {"name": ""},
    }});
    issues(&space, vault_issuer(&stage.vault, &stage.pki, &auth), Scope::Namespace, &stage.pki.root).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_service_account_signs_with_an_audience_of_its_own_and_with_the_address_of_the_server() {
    let stage = stage().await;
    for audience in ["my-vault", stage.vault.url()] {
        let space = Space::new(stage).await;
        may_ask_for_tokens(&space).await;
        let mount = format!("k8s-{}", space.name);
        kubernetes(stage, &mount, &space.name, Some(audience)).await;
        let auth = json!({"kubernetes": {
            "mountPath": format!("/v1/auth/{mount}"), "role": "web",
            "serviceAccountRef": {"name": "vault", "audiences": ["my-vault"]},
        }});
        issues(&space, vault_issuer(&stage.vault, &stage.pki, &auth), Scope::Namespace, &stage.pki.root)
            .await;
    }
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_service_account_for_a_cluster_issuer_stands_in_the_namespace_of_cluster_resources() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    may_ask_for_tokens(&space.elsewhere(CLUSTER_NAMESPACE)).await;
    let (mount, name) = (format!("k8s-{}", space.name), format!("{}-issuer", space.name));
    kubernetes(stage, &mount, CLUSTER_NAMESPACE, Some(&format!("vault://{name}"))).await;
    let auth = json!({"kubernetes": {
        "mountPath": format!("/v1/auth/{mount}"), "role": "web", "serviceAccountRef": {"name": "vault"},
    }});
    let issuer = vault_issuer(&stage.vault, &stage.pki, &auth).with("/metadata/name", json!(name));
    issues(&space, issuer, Scope::Cluster, &stage.pki.root).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_issuer_that_may_not_ask_for_tokens_says_so_and_signs_once_it_may() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let mount = format!("k8s-{}", space.name);
    kubernetes(stage, &mount, &space.name, None).await;
    let auth = json!({"kubernetes": {
        "mountPath": format!("/v1/auth/{mount}"), "role": "web", "serviceAccountRef": {"name": "vault"},
    }});
    space.apply(vault_issuer(&stage.vault, &stage.pki, &auth)).await;
    let refused = space
        .until("Issuer", "issuer", "told that it lacks the right", |issuer| {
            condition(issuer, "Ready")["status"] == "False"
        })
        .await;
    let told = condition(&refused, "Ready");
    assert_eq!(told["reason"], "VaultError", "{told}");
    assert!(text(&told, "/message").contains("ServiceAccount vault"), "{told}");
    may_ask_for_tokens(&space).await;
    issues(&space, vault_issuer(&stage.vault, &stage.pki, &auth), Scope::Namespace, &stage.pki.root).await;
}

fn over_tls(tls: &Tls, auth: &Value) -> Maker {
    vault_issuer(&tls.vault, &tls.pki, auth)
        .with("/spec/vault/caBundle", json!(encoded(tls.vault.ca().unwrap())))
}

async fn approle(space: &Space, tls: &Tls) -> Value {
    space.apply(makers::approle_secret("issuer", &tls.pki.approle.secret_id)).await;
    let secret = json!({"name": "issuer-approle", "key": "secretId"});
    json!({"appRole": {"path": "approle", "roleId": tls.pki.approle.role_id, "secretRef": secret}})
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_ca_bundle_in_the_spec_makes_a_vault_over_tls_trusted() {
    let (stage, tls) = tokio::join!(stage(), tls());
    let space = Space::new(stage).await;
    let auth = approle(&space, tls).await;
    issues(&space, over_tls(tls, &auth), Scope::Namespace, &tls.pki.root).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_ca_bundle_in_a_secret_and_a_server_name_decide_whom_to_trust() {
    let (stage, tls) = tokio::join!(stage(), tls());
    let space = Space::new(stage).await;
    let auth = approle(&space, tls).await;
    space.apply(makers::secret("bundle", &[("ca.crt", &stage.pki.root)])).await;
    let issuer = |server_name: &str| {
        vault_issuer(&tls.vault, &tls.pki, &auth)
            .with("/spec/vault/caBundleSecretRef", json!({"name": "bundle"}))
            .with("/spec/vault/serverName", json!(server_name))
    };
    let not_ready = |what: &'static str| {
        let space = &space;
        async move {
            let told = |issuer: &Value| {
                let ready = condition(issuer, "Ready");
                ready["status"] == "False" && ready["observedGeneration"] == issuer["metadata"]["generation"]
            };
            let found = space.until("Issuer", "issuer", what, told).await;
            assert_eq!(condition(&found, "Ready")["reason"], "VaultError");
            text(&condition(&found, "Ready"), "/message")
        }
    };
    space.apply(issuer("localhost")).await;
    let message = not_ready("not ready with the wrong bundle").await;
    assert!(message.to_lowercase().contains("certificate"), "{message}");
    space.merge("Secret", "bundle", json!({"data": {"ca.crt": encoded(tls.vault.ca().unwrap())}})).await;
    issuers::ready(&space, Scope::Namespace, "issuer").await;
    space.apply(issuer("somebody.else.example")).await;
    let message = not_ready("not ready for another server's name").await;
    assert!(message.contains("somebody.else.example") || message.contains("name"), "{message}");
    issues(&space, issuer("localhost"), Scope::Namespace, &tls.pki.root).await;
}

fn client_pair(tls: &Tls) -> Maker {
    issuers::pair_secret("client", &tls.client.certificate, &tls.client.key)
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_client_certificate_logs_in() {
    let (stage, tls) = tokio::join!(stage(), tls());
    let space = Space::new(stage).await;
    space.apply(client_pair(tls)).await;
    let auth = json!({"clientCertificate": {"secretName": "client", "name": "web"}});
    issues(&space, over_tls(tls, &auth), Scope::Namespace, &tls.pki.root).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_client_certificate_of_the_connection_logs_in_where_no_other_is_named() {
    let (stage, tls) = tokio::join!(stage(), tls());
    let space = Space::new(stage).await;
    space.apply(client_pair(tls)).await;
    let auth = json!({"clientCertificate": {"mountPath": "/v1/auth/cert"}});
    let issuer = over_tls(tls, &auth)
        .with("/spec/vault/clientCertSecretRef", json!({"name": "client"}))
        .with("/spec/vault/clientKeySecretRef", json!({"name": "client", "key": "tls.key"}));
    issues(&space, issuer, Scope::Namespace, &tls.pki.root).await;
}
