//! Key usages: the words of the API, and what they are in `core`.
//! Unknown words stay readable as written; only [`crate::wanted()`] and the validation refuse them.

use everleaf_core::wanted::Usage;

open_enum! {
    /// What a key may be used for.
    pub enum UsageName {
        /// The same as `digital signature`.
        Signing = "signing",
        /// Signatures other than on certificates and CRLs.
        DigitalSignature = "digital signature",
        /// Signatures that can't be denied later.
        ContentCommitment = "content commitment",
        /// Encrypting keys.
        KeyEncipherment = "key encipherment",
        /// Agreeing on keys.
        KeyAgreement = "key agreement",
        /// Encrypting data.
        DataEncipherment = "data encipherment",
        /// Signing certificates.
        CertSign = "cert sign",
        /// Signing CRLs.
        CrlSign = "crl sign",
        /// Key agreement for encrypting only.
        EncipherOnly = "encipher only",
        /// Key agreement for decrypting only.
        DecipherOnly = "decipher only",
        /// Everything.
        Any = "any",
        /// TLS servers.
        ServerAuth = "server auth",
        /// TLS clients.
        ClientAuth = "client auth",
        /// Signing code.
        CodeSigning = "code signing",
        /// E-mail.
        EmailProtection = "email protection",
        /// The same as `email protection`.
        SMime = "s/mime",
        /// IPsec end systems.
        IpsecEndSystem = "ipsec end system",
        /// IPsec tunnels.
        IpsecTunnel = "ipsec tunnel",
        /// IPsec users.
        IpsecUser = "ipsec user",
        /// Time stamps.
        Timestamping = "timestamping",
        /// OCSP answers.
        OcspSigning = "ocsp signing",
        /// Microsoft server gated cryptography.
        MicrosoftSgc = "microsoft sgc",
        /// Netscape server gated cryptography.
        NetscapeSgc = "netscape sgc",
    }
}

/// Each word with the usage it stands for. (`core` names usages by meaning, this file by their words.)
const USAGES: [(UsageName, Usage); 23] = [
    (UsageName::Signing, Usage::Signing),
    (UsageName::DigitalSignature, Usage::DigitalSignature),
    (UsageName::ContentCommitment, Usage::ContentCommitment),
    (UsageName::KeyEncipherment, Usage::KeyEncipherment),
    (UsageName::KeyAgreement, Usage::KeyAgreement),
    (UsageName::DataEncipherment, Usage::DataEncipherment),
    (UsageName::CertSign, Usage::CertSign),
    (UsageName::CrlSign, Usage::CrlSign),
    (UsageName::EncipherOnly, Usage::EncipherOnly),
    (UsageName::DecipherOnly, Usage::DecipherOnly),
    (UsageName::Any, Usage::Any),
    (UsageName::ServerAuth, Usage::ServerAuth),
    (UsageName::ClientAuth, Usage::ClientAuth),
    (UsageName::CodeSigning, Usage::CodeSigning),
    (UsageName::EmailProtection, Usage::EmailProtection),
    (UsageName::SMime, Usage::SMime),
    (UsageName::IpsecEndSystem, Usage::IpsecEndSystem),
    (UsageName::IpsecTunnel, Usage::IpsecTunnel),
    (UsageName::IpsecUser, Usage::IpsecUser),
    (UsageName::Timestamping, Usage::Timestamping),
    (UsageName::OcspSigning, Usage::OcspSigning),
    (UsageName::MicrosoftSgc, Usage::MicrosoftSgc),
    (UsageName::NetscapeSgc, Usage::NetscapeSgc),
];

/// The usages asked for where a spec names none.
pub const DEFAULT_USAGES: [Usage; 2] = [Usage::DigitalSignature, Usage::KeyEncipherment];

/// The usage that a word stands for; `None` for words that no version knows.
pub fn usage(name: &UsageName) -> Option<Usage> {
    USAGES.iter().find(|(known, _)| known == name).map(|(_, usage)| *usage)
}

/// The word for a usage.
pub fn usage_name(usage: Usage) -> UsageName {
    let found = USAGES.iter().find(|(_, known)| *known == usage);
    found.map_or_else(|| UsageName::Other(Box::default()), |(name, _)| name.clone())
}

/// The usages a spec names, without the words that no version knows (those are refused by the validation).
pub fn usages(names: &Option<Vec<UsageName>>) -> Vec<Usage> {
    crate::items(names).iter().filter_map(usage).collect()
}

/// What a certificate is to be used for: what the spec names, or the default pair; `cert sign` is added for a CA.
pub fn effective_usages(names: &Option<Vec<UsageName>>, is_ca: bool) -> Vec<Usage> {
    let mut effective = usages(names);
    if effective.is_empty() {
        effective.extend(DEFAULT_USAGES);
    }
    if is_ca && !effective.contains(&Usage::CertSign) {
        effective.push(Usage::CertSign);
    }
    effective
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_one_usage_and_each_usage_its_word() {
        assert_eq!(UsageName::WORDS.len(), USAGES.len());
        for word in UsageName::WORDS {
            let name = UsageName::from(*word);
            let meaning = usage(&name);
            assert_eq!(meaning.map(usage_name), Some(name), "{word}");
        }
        let mut meanings: Vec<Usage> = USAGES.iter().map(|(_, usage)| *usage).collect();
        meanings.sort_unstable();
        meanings.dedup();
        assert_eq!(meanings.len(), USAGES.len());
    }

    #[test]
    fn a_ca_can_sign_certificates_whatever_it_names() {
        let table: [(&[&str], bool, &[Usage]); 5] = [
            (&[], false, &DEFAULT_USAGES),
            (&[], true, &[Usage::DigitalSignature, Usage::KeyEncipherment, Usage::CertSign]),
            (&["server auth"], false, &[Usage::ServerAuth]),
            (&["server auth"], true, &[Usage::ServerAuth, Usage::CertSign]),
            (&["cert sign", "crl sign"], true, &[Usage::CertSign, Usage::CrlSign]),
        ];
        for (words, is_ca, expected) in table {
            let names = Some(words.iter().map(|word| UsageName::from(*word)).collect());
            assert_eq!(effective_usages(&names, is_ca), expected, "{words:?} {is_ca}");
        }
    }
}
