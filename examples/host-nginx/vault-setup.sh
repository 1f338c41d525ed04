#!/bin/sh
# Sets a Vault up for this example: a PKI with a role, a policy that allows to sign by it and nothing else, and an AppRole with that policy.
# Needs VAULT_ADDR and a token that may do all that. Prints the role id; writes the secret id to the file named, for its owner only.
set -eu
secret_id_file=${1:?usage: vault-setup.sh FILE-FOR-THE-SECRET-ID}

vault secrets enable -max-lease-ttl=87600h pki
vault write -field=certificate pki/root/generate/internal common_name="Example CA" key_type=ec key_bits=256 ttl=87600h >/dev/null
vault write pki/roles/web allowed_domains=example.com allow_subdomains=true require_cn=false key_type=any max_ttl=2160h >/dev/null

vault policy write everleaf-web - <<'POLICY'
path "pki/sign/web" {
  capabilities = ["create", "update"]
}
POLICY

vault auth enable approle
vault write auth/approle/role/everleaf-web token_policies=everleaf-web token_ttl=1h token_max_ttl=24h >/dev/null

umask 077
vault write -f -field=secret_id auth/approle/role/everleaf-web/secret-id >"$secret_id_file"
vault read -field=role_id auth/approle/role/everleaf-web/role-id
