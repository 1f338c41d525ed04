//! Names that others read: annotations, labels, finalizers, keys of Secrets, reasons (certificate-lifecycle 1.8).
//! They are a contract with GUIs, GitOps tools and external issuers: none may change.
//! Only constants live here.

pub use everleaf_core::annotations::{
    CERTIFICATE_NAME, FAO_LABEL, ISSUER_GROUP, ISSUER_KIND, ISSUER_NAME, OWN_PREFIXES,
};

/// The API group of Certificates, requests and issuers.
pub const GROUP: &str = "cert-manager.io";
/// The API group of orders and challenges.
pub const ACME_GROUP: &str = "acme.cert-manager.io";
/// The only version of both groups.
pub const VERSION: &str = "v1";

/// Value of labels and annotations that are switches.
pub const TRUE: &str = "true";

/// Labels.
pub mod label {
    /// On Secrets: keep them in the cache whole. Set on target Secrets and on those that hold the next private key.
    pub const FAO: &str = super::FAO_LABEL;
    /// On Secrets that hold the private key of a running issuance.
    pub const NEXT_PRIVATE_KEY: &str = "cert-manager.io/next-private-key";
    /// On namespaces where the webhook doesn't look.
    pub const DISABLE_VALIDATION: &str = "cert-manager.io/disable-validation";
    /// On solver pods, services, ingresses and routes: a checksum of the domain.
    pub const HTTP_DOMAIN: &str = "acme.cert-manager.io/http-domain";
    /// On solver objects: a checksum of the token.
    pub const HTTP_TOKEN: &str = "acme.cert-manager.io/http-token";
    /// On solver objects.
    pub const HTTP01_SOLVER: &str = "acme.cert-manager.io/http01-solver";
}

/// Annotations.
pub mod annotation {
    /// On Secret, CertificateRequest and Order: the owning Certificate.
    pub const CERTIFICATE_NAME: &str = super::CERTIFICATE_NAME;
    /// On the Secret: name of the issuer that signed.
    pub const ISSUER_NAME: &str = super::ISSUER_NAME;
    /// On the Secret: its kind as the reference wrote it.
    pub const ISSUER_KIND: &str = super::ISSUER_KIND;
    /// On the Secret: its group as the reference wrote it.
    pub const ISSUER_GROUP: &str = super::ISSUER_GROUP;
    /// On the Secret: common name of the leaf.
    pub const COMMON_NAME: &str = "cert-manager.io/common-name";
    /// On the Secret: DNS names of the leaf.
    pub const ALT_NAMES: &str = "cert-manager.io/alt-names";
    /// On the Secret: IP addresses of the leaf.
    pub const IP_SANS: &str = "cert-manager.io/ip-sans";
    /// On the Secret: URIs of the leaf.
    pub const URI_SANS: &str = "cert-manager.io/uri-sans";
    /// On the Secret, where the leaf has some: e-mail addresses.
    pub const EMAIL_SANS: &str = "cert-manager.io/email-sans";
    /// On the Secret, where the leaf has some: organizations of the subject.
    pub const SUBJECT_ORGANIZATIONS: &str = "cert-manager.io/subject-organizations";
    /// On the Secret, where the leaf has some: organizational units of the subject.
    pub const SUBJECT_ORGANIZATIONAL_UNITS: &str = "cert-manager.io/subject-organizationalunits";
    /// On the Secret, where the leaf has some: countries of the subject.
    pub const SUBJECT_COUNTRIES: &str = "cert-manager.io/subject-countries";
    /// On the Secret, where the leaf has some: provinces of the subject.
    pub const SUBJECT_PROVINCES: &str = "cert-manager.io/subject-provinces";
    /// On the Secret, where the leaf has some: localities of the subject.
    pub const SUBJECT_LOCALITIES: &str = "cert-manager.io/subject-localities";
    /// On the Secret, where the leaf has some: postal codes of the subject.
    pub const SUBJECT_POSTAL_CODES: &str = "cert-manager.io/subject-postalcodes";
    /// On the Secret, where the leaf has some: street addresses of the subject.
    pub const SUBJECT_STREET_ADDRESSES: &str = "cert-manager.io/subject-streetaddresses";
    /// On the Secret, where the leaf has one: serial number of the subject.
    pub const SUBJECT_SERIAL_NUMBER: &str = "cert-manager.io/subject-serialnumber";
    /// On CertificateRequests: the revision they are for.
    pub const CERTIFICATE_REVISION: &str = "cert-manager.io/certificate-revision";
    /// On CertificateRequests: the Secret that holds (or will hold) the private key.
    pub const PRIVATE_KEY_SECRET_NAME: &str = "cert-manager.io/private-key-secret-name";
    /// On Certificates: make a temporary self-signed certificate while waiting.
    pub const ISSUE_TEMPORARY_CERTIFICATE: &str = "cert-manager.io/issue-temporary-certificate";
    /// On Ingress, Gateway and ListenerSet: the Issuer to use.
    pub const SHIM_ISSUER: &str = "cert-manager.io/issuer";
    /// On Ingress, Gateway and ListenerSet: the ClusterIssuer to use.
    pub const SHIM_CLUSTER_ISSUER: &str = "cert-manager.io/cluster-issuer";
    /// On objects that take a CA bundle: the Certificate to take it from.
    pub const INJECT_CA_FROM: &str = "cert-manager.io/inject-ca-from";
    /// On objects that take a CA bundle: the Secret to take it from.
    pub const INJECT_CA_FROM_SECRET: &str = "cert-manager.io/inject-ca-from-secret";
    /// On objects that take a CA bundle: take that of the API server.
    pub const INJECT_APISERVER_CA: &str = "cert-manager.io/inject-apiserver-ca";
    /// On Secrets: their CA may be injected without a Certificate.
    pub const ALLOW_DIRECT_INJECTION: &str = "cert-manager.io/allow-direct-injection";
    /// On Certificate, request and order: edit this ingress to solve HTTP01.
    pub const HTTP01_OVERRIDE_INGRESS_NAME: &str = "acme.cert-manager.io/http01-override-ingress-name";
    /// On Certificate, request and order: ingress class (as annotation) to solve HTTP01 with.
    pub const HTTP01_OVERRIDE_INGRESS_CLASS: &str = "acme.cert-manager.io/http01-override-ingress-class";
    /// On Certificate, request and order: ingress class name to solve HTTP01 with.
    pub const HTTP01_OVERRIDE_INGRESS_CLASS_NAME: &str =
        "acme.cert-manager.io/http01-override-ingress-ingressclassname";
    /// On Certificate, request and order: name of the parent of the solver's route.
    pub const HTTP01_PARENT_REF_NAME: &str = "acme.cert-manager.io/http01-parentrefname";
    /// On Certificate, request and order: kind of the parent of the solver's route.
    pub const HTTP01_PARENT_REF_KIND: &str = "acme.cert-manager.io/http01-parentrefkind";
    /// On Certificate, request and order: namespace of the parent of the solver's route.
    pub const HTTP01_PARENT_REF_NAMESPACE: &str = "acme.cert-manager.io/http01-parentrefnamespace";
    /// On Issuer, Certificate and request: fields for Venafi.
    pub const VENAFI_CUSTOM_FIELDS: &str = "venafi.cert-manager.io/custom-fields";
    /// On requests: the id under which Venafi hands out the certificate.
    pub const VENAFI_PICKUP_ID: &str = "venafi.cert-manager.io/pickup-id";
    /// On CertificateSigningRequests of Kubernetes: the life asked for.
    pub const CSR_DURATION: &str = "experimental.cert-manager.io/request-duration";
    /// On CertificateSigningRequests of Kubernetes: a CA is asked for.
    pub const CSR_IS_CA: &str = "experimental.cert-manager.io/request-is-ca";
    /// On CertificateSigningRequests of Kubernetes: the Secret with the private key.
    pub const CSR_PRIVATE_KEY_SECRET_NAME: &str = "experimental.cert-manager.io/private-key-secret-name";
}

/// Finalizers.
pub mod finalizer {
    /// On Challenges, until their solver is cleaned up.
    pub const CHALLENGE: &str = "acme.cert-manager.io/finalizer";
    /// Its old name, replaced on sight.
    pub const CHALLENGE_LEGACY: &str = "finalizer.acme.cert-manager.io";
}

/// Keys of the target Secret.
pub mod data_key {
    /// The chain, leaf first.
    pub const CERTIFICATE: &str = "tls.crt";
    /// The private key.
    pub const PRIVATE_KEY: &str = "tls.key";
    /// The topmost certificate the issuer gave.
    pub const CA: &str = "ca.crt";
    /// The private key as DER.
    pub const KEY_DER: &str = "key.der";
    /// Private key and chain in one.
    pub const COMBINED_PEM: &str = "tls-combined.pem";
    /// A PKCS#12 keystore.
    pub const PKCS12_KEYSTORE: &str = "keystore.p12";
    /// A PKCS#12 truststore.
    pub const PKCS12_TRUSTSTORE: &str = "truststore.p12";
    /// A Java keystore.
    pub const JKS_KEYSTORE: &str = "keystore.jks";
    /// A Java truststore.
    pub const JKS_TRUSTSTORE: &str = "truststore.jks";
}

/// Types of conditions.
pub mod condition_type {
    /// On Certificates, requests and issuers.
    pub const READY: &str = "Ready";
    /// On Certificates: an issuance is running.
    pub const ISSUING: &str = "Issuing";
    /// On requests: may be signed.
    pub const APPROVED: &str = "Approved";
    /// On requests: may not be signed.
    pub const DENIED: &str = "Denied";
    /// On requests: can't be signed as it stands.
    pub const INVALID_REQUEST: &str = "InvalidRequest";
}

/// Keys that a reader takes where a selector names none.
pub mod default_key {
    /// Of a CA bundle.
    pub const CA_BUNDLE: &str = "ca.crt";
    /// Of a client certificate.
    pub const CLIENT_CERTIFICATE: &str = "tls.crt";
    /// Of a client's private key.
    pub const CLIENT_KEY: &str = "tls.key";
    /// Of a Vault token and of a ServiceAccount token.
    pub const TOKEN: &str = "token";
    /// Of an ACME account key.
    pub const ACME_ACCOUNT_KEY: &str = "tls.key";
}
