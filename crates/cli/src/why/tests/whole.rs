//! Whole stories, letter by letter.

use everleaf_core::failure::{Blame, Call, Class};

use super::makers::{Login, failure, peer_failed, text, told, waits};

#[test]
fn a_whole_story_reads_like_this() {
    let lacks = failure(Class::Access, Call::Sign, "policy web lacks update on pki/sign/web", Blame::Issuer);
    let text = text(&told(&waits(&Login::AppRole, &lacks)));
    let wanted = r#"Certificate default/web is not ready: a person is needed.
Why:  Access (sign failed: policy web lacks update on pki/sign/web). Someone must mend the credentials or the rights of this issuer.
Mend: path "pki/sign/web" { capabilities = ["create", "update"] }   (in policy web)

Wanted
  Secret web-tls with ECDSA key, for 24h, for www.example.com
  from Issuer vault: Vault https://vault.example:8200 path pki/sign/web, login by AppRole

There
  Secret web-tls: not there
  Issuer vault: Ready=False/VaultError for 30m: Access (sign failed: policy web lacks update on pki/sign/web). Someone must mend the credentials or the rights of this issuer.
  Ready=False/DoesNotExist for 30m: Issuing certificate as Secret does not exist | Access (sign failed: policy web lacks update on pki/sign/web). Someone must mend the credentials or the rights of this issuer. Next try by 2026-11-25T12:00:30Z.
  Issuing=True/DoesNotExist for 30m: Issuing certificate as Secret does not exist | Access (sign failed: policy web lacks update on pki/sign/web). Someone must mend the credentials or the rights of this issuer. Next try by 2026-11-25T12:00:30Z.

Tried
  CertificateRequest web-1, made 30m ago, approved, Ready=False/Pending: Access (sign failed: policy web lacks update on pki/sign/web). Someone must mend the credentials or the rights of this issuer. Next try by 2026-11-25T12:00:30Z.

Next
  Next try by 2026-11-25T12:00:30Z.
"#;
    assert_eq!(text, wanted);
}

#[test]
fn a_story_of_the_peer_reads_like_this() {
    let objects = peer_failed("Code: 403. Errors:\n\n* permission denied", 2);
    let wanted = r#"Certificate default/web is not ready: a person is needed.
Why:  Vault failed to sign certificate: Code: 403. Errors: * permission denied
Mend: path "pki/sign/web" { capabilities = ["create", "update"] }   (in the policy of the login); then everleaf renew web -n default

Wanted
  Secret web-tls with ECDSA key, for 24h, for www.example.com
  from Issuer vault: Vault https://vault.example:8200 path pki/sign/web, login by AppRole

There
  Secret web-tls: not there
  Issuer vault: Ready=True/VaultVerified for 30m: Vault verified
  Ready=False/DoesNotExist for 30m: Issuing certificate as Secret does not exist
  Issuing=False/Failed for 30m: The certificate request has failed to complete and will be retried: Vault failed to sign certificate: Code: 403. Errors: * permission denied

Tried
  CertificateRequest web-1, made 30m ago, approved, Ready=False/Failed: Vault failed to sign certificate: Code: 403. Errors: * permission denied
  2 issuances in a row have failed, the last at 2026-11-25T11:30:00Z (30m ago)

Next
  Next try by 2026-11-25T13:30:00Z (in 1h 30m) (cert-manager's back-off after 2 failures in a row); at once when the spec changes, or by: everleaf renew web -n default.
"#;
    assert_eq!(text(&told(&objects)), wanted);
}
