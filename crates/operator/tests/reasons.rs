//! Every condition reason has its page in docs/reasons.

use std::path::Path;

use everleaf_core::conditions::request_reason;
use everleaf_core::reissue::Reason;

#[test]
fn every_reason_of_a_condition_has_its_page() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reasons");
    let certificate = Reason::ALL.iter().map(|reason| reason.as_str());
    let request =
        [request_reason::PENDING, request_reason::FAILED, request_reason::ISSUED, request_reason::DENIED];
    let others = [
        "Ready",
        "InvalidSpec",
        "InvalidRequest",
        "VaultVerified",
        "VaultError",
        "KeyPairVerified",
        "ErrGetKeyPair",
        "ErrInvalidKeyPair",
        "IsReady",
        "NotSupported",
        "IssuerTypeMissing",
    ];
    for reason in certificate.chain(request).chain(others) {
        assert!(pages.join(format!("{reason}.md")).is_file(), "docs/reasons/{reason}.md is missing");
    }
}
