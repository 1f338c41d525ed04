//! Where a trouble plays: the issuer as it is written, and the names that a command to mend it needs.
//! It only reads specs; a part that isn't written is told by a word in capitals for the reader to fill in.

use everleaf_api::issuer::VaultIssuer;

use super::objects::IssuerSeen;
use super::subject::Kind;

/// The surroundings of a trouble.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// Namespace of the subject.
    pub namespace: &'a str,
    /// The Certificate, where there is one.
    pub certificate: Option<&'a str>,
    /// The issuer, where it is there.
    pub issuer: Option<&'a IssuerSeen>,
}

impl Scene<'_> {
    fn vault(&self) -> Option<&VaultIssuer> {
        self.issuer?.spec.vault.as_deref()
    }

    /// The address of the Vault.
    pub(crate) fn server(&self) -> &str {
        self.vault().map_or("THE_SERVER", |vault| vault.server.as_str())
    }

    /// The sign path as policies write it.
    pub(crate) fn sign_path(&self) -> String {
        let path = self.vault().map_or("MOUNT/sign/ROLE", |vault| vault.path.as_str());
        let path = path.trim_matches('/');
        path.strip_prefix("v1/").unwrap_or(path).to_owned()
    }

    /// The mount of the PKI engine.
    pub(crate) fn mount(&self) -> String {
        let path = self.sign_path();
        ["/sign/", "/sign-verbatim/", "/issue/"]
            .iter()
            .find_map(|word| path.split_once(word).map(|(mount, _)| mount.to_owned()))
            .unwrap_or_else(|| "MOUNT".to_owned())
    }

    /// The role of the PKI engine.
    pub(crate) fn role(&self) -> String {
        let path = self.sign_path();
        path.rsplit_once('/').map_or_else(|| "ROLE".to_owned(), |(_, role)| role.to_owned())
    }

    /// `issuer vault -n default`, as kubectl takes it.
    pub(crate) fn issuer_words(&self) -> String {
        match self.issuer {
            Some(issuer) if issuer.kind == Kind::ClusterIssuer => format!("clusterissuer {}", issuer.name),
            Some(issuer) => format!("issuer {} -n {}", issuer.name, self.namespace),
            None => format!("issuer NAME -n {}", self.namespace),
        }
    }

    /// Where the Secrets and ServiceAccounts of the issuer lie.
    pub(crate) fn resource_namespace(&self) -> &str {
        self.issuer.map_or(self.namespace, |issuer| {
            issuer.namespace.as_deref().unwrap_or("CLUSTER_RESOURCE_NAMESPACE")
        })
    }

    /// `certificate web -n default`, as kubectl takes it.
    pub(crate) fn certificate_words(&self) -> String {
        format!("certificate {} -n {}", self.certificate.unwrap_or("NAME"), self.namespace)
    }

    /// `-l`-less arguments of our own commands: `web -n default`.
    pub(crate) fn name_and_namespace(&self) -> String {
        format!("{} -n {}", self.certificate.unwrap_or("NAME"), self.namespace)
    }

    /// The role that is logged in to, as a path in Vault: `auth/kubernetes/role/web`.
    pub(crate) fn auth_role(&self) -> String {
        let Some(auth) = self.vault().map(|vault| &vault.auth) else {
            return "auth/MOUNT/role/ROLE".to_owned();
        };
        let mount = |path: &Option<String>, usual: &str| {
            let path = path.as_deref().filter(|path| !path.is_empty()).unwrap_or(usual);
            path.trim_matches('/').trim_start_matches("v1/").to_owned()
        };
        if let Some(kubernetes) = &auth.kubernetes {
            return format!("{}/role/{}", mount(&kubernetes.mount_path, "auth/kubernetes"), kubernetes.role);
        }
        if let Some(approle) = &auth.app_role {
            let path = approle.path.trim_matches('/');
            let path = if path.is_empty() { "approle" } else { path };
            return format!("auth/{}/role/ROLE", path.trim_start_matches("auth/"));
        }
        if let Some(aws) = &auth.aws {
            return format!("{}/role/{}", mount(&aws.mount_path, "auth/aws"), aws.role);
        }
        if let Some(cert) = &auth.client_certificate {
            let name = cert.name.as_deref().unwrap_or("NAME");
            return format!("{}/certs/{name}", mount(&cert.mount_path, "auth/cert"));
        }
        "auth/MOUNT/role/ROLE".to_owned()
    }

    /// Secret and key of the credentials.
    pub(crate) fn credentials(&self) -> (String, String) {
        let auth = self.vault().map(|vault| &vault.auth);
        let selector = auth.and_then(|auth| {
            let kubernetes =
                || auth.kubernetes.as_ref().and_then(|kubernetes| kubernetes.secret_ref.as_ref());
            let approle = || auth.app_role.as_ref().map(|approle| &approle.secret_ref);
            auth.token_secret_ref.as_ref().or_else(approle).or_else(kubernetes)
        });
        match selector {
            Some(selector) => (selector.name.clone(), selector.key_or("token").to_owned()),
            None => ("SECRET".to_owned(), "KEY".to_owned()),
        }
    }

    /// The ServiceAccount whose token logs in.
    pub(crate) fn service_account(&self) -> String {
        let auth = self.vault().map(|vault| &vault.auth);
        let named = auth.and_then(|auth| {
            let kubernetes = auth.kubernetes.as_ref().and_then(|auth| auth.service_account_ref.as_ref());
            kubernetes.or_else(|| auth.aws.as_ref().and_then(|aws| aws.service_account_ref.as_ref()))
        });
        named.map_or_else(|| "SERVICE_ACCOUNT".to_owned(), |account| account.name.clone())
    }

    /// The Secret of a CA issuer.
    pub(crate) fn ca_secret(&self) -> &str {
        let ca = self.issuer.and_then(|issuer| issuer.spec.ca.as_ref());
        ca.map_or("SECRET", |ca| ca.secret_name.as_str())
    }
}
