//! What the lab tells the person in front of it: how to reach it, what to try, and what to look at when it fails.
//! The root token of the lab's Vault goes to a file, not to the screen.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use everleaf_testkit::servers::Program;

use super::Stage;

/// Prints how to use the lab.
pub(super) fn explain(stage: &Stage, manifests: &Path) -> Result<()> {
    let kubectl = Program::Kubectl.locate()?;
    let tools = kubectl.parent().context("kubectl stands in a folder")?;
    let vault = Program::Vault.locate()?;
    let vault_tools = vault.parent().context("vault stands in a folder")?;
    let manifests = manifests.display();
    let settings = write_vault_settings(stage)?;
    println!(
        "\nReady. In another terminal:\n\n\
         export KUBECONFIG={kubeconfig}\n\
         export PATH={tools}:{vault_tools}:$PATH\n\n\
         kubectl apply -f {manifests}/issuer.yaml -f {manifests}/certificate.yaml\n\
         kubectl get certificates,certificaterequests,issuers\n\
         kubectl get secret web-tls -o jsonpath='{{.data.tls\\.crt}}' | base64 -d | openssl x509 -noout -text\n\
         kubectl get events\n\n\
         Then break something: take Vault's policy away, and give it back.\n\n\
         . {settings}\n\
         vault policy delete pki-web\n\
         kubectl delete secret web-tls; kubectl get certificate web -o wide -w\n\
         echo 'path \"pki/sign/web\" {{ capabilities = [\"create\", \"update\"] }}' | vault policy write pki-web -\n\n\
         The controller logs to {log}. Ctrl-C ends it all.",
        kubeconfig = stage.kube.kubeconfig().display(),
        tools = tools.display(),
        vault_tools = vault_tools.display(),
        settings = settings.display(),
        log = stage.controller.folder().join("everleaf.log").display(),
    );
    Ok(())
}

/// A file to be read by a shell, with address and root token of the lab's Vault.
fn write_vault_settings(stage: &Stage) -> Result<std::path::PathBuf> {
    let (vault, _) = stage.vault()?;
    let path = stage.kube.folder().join("vault.env");
    let text = format!("export VAULT_ADDR={}\nexport VAULT_TOKEN={}\n", vault.url(), vault.api().token());
    std::fs::write(&path, text)?;
    Ok(path)
}

/// What tells most when no certificate came: the objects as they are, and the controller's log.
pub(super) async fn trouble(stage: &Stage) -> String {
    let mut text = String::new();
    for arguments in [
        ["get", "certificates,certificaterequests,issuers", "-A", "-o", "yaml"],
        ["get", "events", "-A", "-o", "wide"],
    ] {
        let seen = stage.kube.kubectl(&arguments).await.unwrap_or_else(|error| format!("{error:#}"));
        let _ = writeln!(text, "--- kubectl {}\n{seen}", arguments.join(" "));
    }
    let log = stage.controller.log().unwrap_or_else(|error| format!("{error:#}"));
    let _ = writeln!(text, "--- log of the controller\n{log}");
    text
}
