//! What the arguments of cert-manager's controller ask for that works otherwise here.
//! Arguments that mean the same, or nothing, are not worth a word.

use serde_json::Value;

use super::findings::{Finding, Weight};
use crate::guard::{list, text};

/// Gates whose state matters: name, the value that matters, and what is said.
const GATES: [(&str, &str, Weight, &str); 6] = [
    (
        "ExperimentalCertificateSigningRequestControllers",
        "true",
        Weight::NotSupported,
        "CertificateSigningRequests of Kubernetes are not signed here",
    ),
    ("ServerSideApply", "true", Weight::Note, "status is written by update here, whatever the gate says"),
    (
        "UseCertificateRequestBasicConstraints",
        "true",
        Weight::Changes,
        "CSRs are made without basic constraints here, unless they are for a CA",
    ),
    ("ACMEUseARI", "true", Weight::Note, "there is no ACME here yet"),
    ("LiteralCertificateSubject", "false", Weight::Changes, "literalSubject is always on here"),
    ("NameConstraints", "false", Weight::Changes, "nameConstraints are always on here"),
];

/// Looks at every Deployment that runs cert-manager's controller.
pub(super) fn findings(deployments: &[Value]) -> Vec<Finding> {
    deployments.iter().filter(|deployment| is_controller(deployment)).flat_map(of_one).collect()
}

fn is_controller(deployment: &Value) -> bool {
    let named = text(deployment, "/metadata/labels/app.kubernetes.io~1name") == "cert-manager"
        && text(deployment, "/metadata/labels/app.kubernetes.io~1component") == "controller";
    named
        || containers(deployment)
            .any(|container| text(container, "/image").contains("cert-manager-controller"))
}

fn containers(deployment: &Value) -> impl Iterator<Item = &Value> {
    deployment.pointer("/spec/template/spec").into_iter().flat_map(|spec| list(spec, "containers"))
}

fn of_one(deployment: &Value) -> Vec<Finding> {
    let about = format!(
        "Deployment {}/{}",
        text(deployment, "/metadata/namespace"),
        text(deployment, "/metadata/name")
    );
    let arguments: Vec<&str> = containers(deployment)
        .flat_map(|container| list(container, "args"))
        .filter_map(Value::as_str)
        .collect();
    let mut found = Vec::new();
    let mut say = |weight, says: String| found.push(Finding { weight, about: about.clone(), says });
    for argument in arguments {
        let (flag, value) = argument.split_once('=').unwrap_or((argument, ""));
        match flag {
            "--feature-gates" => {
                for (gate, matters, weight, says) in GATES {
                    if value.split(',').any(|set| set.trim() == format!("{gate}={matters}")) {
                        say(weight, format!("--feature-gates={gate}={matters}: {says}"));
                    }
                }
            }
            "--enable-gateway-api" if value != "false" => {
                say(Weight::NotSupported, format!("{flag}: Certificates for Gateways are not made here"));
            }
            "--config" => {
                say(Weight::Note, format!("{flag}: the file is not read here; give its settings as flags"))
            }
            "--controllers" => say(Weight::Note, format!("{argument}: the names are the same here")),
            _ => {}
        }
    }
    found
}
