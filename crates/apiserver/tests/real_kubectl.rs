//! The real kubectl against the embedded API over TLS: what people type first must work, and look as they know it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "behaviours/objects.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, clippy::needless_pass_by_value, clippy::indexing_slicing)]
mod objects;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use everleaf_apiserver::{Door, Identity, Server, Token};
use everleaf_testkit::servers::Program;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const TOKEN: &str = "a-token-for-tests";

/// kubectl with a folder of its own.
struct Kubectl {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Kubectl {
    /// A server, and this kubectl pointed at it.
    async fn with(program: PathBuf) -> Kubectl {
        let server = Server::builder().crd(objects::widget_definition()).build().unwrap();
        let door = Door::Guarded([Token::new(TOKEN, Identity::admin("admin"))].into());
        let address = support::serve(server.behind(door)).await;
        let kubectl = Kubectl { program, folder: tempfile::tempdir().unwrap() };
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{{name: x, context: {{cluster: x, user: x}}}}]\n\
             clusters: [{{name: x, cluster: {{server: 'https://{address}', insecure-skip-tls-verify: true}}}}]\n\
             users: [{{name: x, user: {{token: {TOKEN}}}}}]\n"
        );
        std::fs::write(kubectl.folder.path().join("config"), config).unwrap();
        kubectl
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path()).kill_on_drop(true);
        command.env("KUBECONFIG", self.folder.path().join("config")).env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn output(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let done = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
        done.unwrap_or_else(|_| panic!("kubectl {arguments:?} never ended")).unwrap()
    }

    /// What a command that must succeed prints, with what it complains of.
    async fn says(&self, arguments: &[&str]) -> String {
        self.says_to(arguments, "").await
    }

    async fn says_to(&self, arguments: &[&str], input: &str) -> String {
        let output = self.output(arguments, input).await;
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {arguments:?}: {text}");
        text
    }

    /// What a command that must fail prints.
    async fn refuses(&self, arguments: &[&str], input: &str) -> String {
        let output = self.output(arguments, input).await;
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "kubectl {arguments:?} went well: {text}");
        text
    }
}

fn has(text: &str, words: &str) {
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeezed(text).contains(&squeezed(words)), "{words:?} is not in:\n{text}");
}

const RED: &str = "apiVersion: behaviours.everleaf.dev/v1\nkind: Widget\nmetadata:\n  name: a\nspec:\n  color: red\n  size: 3\n";

async fn script(program: &Path) {
    let kubectl = Kubectl::with(program.to_owned()).await;
    looks_around(&kubectl).await;
    creates(&kubectl).await;
    shows(&kubectl).await;
    changes(&kubectl).await;
    applies(&kubectl).await;
    keeps_secrets(&kubectl).await;
    watches(&kubectl).await;
    tells_events(&kubectl).await;
    deletes(&kubectl).await;
}

async fn looks_around(kubectl: &Kubectl) {
    has(&kubectl.says(&["version"]).await, "Server Version: v1.36");
    let kinds = kubectl.says(&["api-resources"]).await;
    has(&kinds, "configmaps cm v1 true ConfigMap");
    has(&kinds, "widgets wi behaviours.everleaf.dev/v1 true Widget");
    has(&kinds, "namespaces ns v1 false Namespace");
    has(&kubectl.says(&["api-resources", "-o", "wide"]).await, "things");
    has(&kubectl.says(&["api-versions"]).await, "behaviours.everleaf.dev/v1");
    has(&kubectl.says(&["get", "namespaces"]).await, "default Active");
    has(&kubectl.says(&["get", "widgets"]).await, "No resources found in default namespace.");
    let explained = kubectl.says(&["explain", "widgets.spec"]).await;
    has(&explained, "KIND: Widget");
    has(&explained, "color <string> -required-");
    has(&explained, "Its color.");
    has(&kubectl.says(&["explain", "secret.data"]).await, "FIELD: data <map[string]string>");
    has(&kubectl.says(&["explain", "widget.metadata.labels"]).await, "labels <map[string]string>");
    has(&kubectl.says(&["auth", "can-i", "create", "widgets"]).await, "yes");
    has(&kubectl.says(&["auth", "can-i", "--list"]).await, "widgets.behaviours.everleaf.dev");
    has(&kubectl.says(&["auth", "whoami"]).await, "Username admin");
    has(&kubectl.says(&["get", "--raw", "/readyz"]).await, "ok");
}

async fn creates(kubectl: &Kubectl) {
    has(&kubectl.says_to(&["create", "-f", "-"], RED).await, "widget.behaviours.everleaf.dev/a created");
    has(&kubectl.refuses(&["create", "-f", "-"], RED).await, "AlreadyExists");
    let unknown = RED.replace("size", "sise");
    let refused = kubectl.refuses(&["create", "-f", "-"], &unknown.replace("name: a", "name: b")).await;
    has(&refused, "strict decoding error: unknown field \"spec.sise\"");
    let pink = RED.replace("red", "pink");
    has(
        &kubectl.refuses(&["create", "-f", "-"], &pink).await,
        "supported values: \"red\", \"green\", \"blue\"",
    );
    let dry = kubectl
        .says_to(&["create", "--dry-run=server", "-f", "-"], &RED.replace("name: a", "name: dry"))
        .await;
    has(&dry, "widget.behaviours.everleaf.dev/dry created (server dry run)");
    has(
        &kubectl.refuses(&["get", "widget", "dry"], "").await,
        "widgets.behaviours.everleaf.dev \"dry\" not found",
    );
    has(&kubectl.says(&["create", "namespace", "team"]).await, "namespace/team created");
    has(
        &kubectl.says(&["create", "configmap", "conf", "--from-literal=x=y"]).await,
        "configmap/conf created",
    );
    has(
        &kubectl.says(&["create", "secret", "generic", "sec", "--from-literal=x=y"]).await,
        "secret/sec created",
    );
    has(&kubectl.says(&["create", "serviceaccount", "robot"]).await, "serviceaccount/robot created");
}

async fn shows(kubectl: &Kubectl) {
    let table = kubectl.says(&["get", "widgets"]).await;
    has(&table, "NAME READY SIZE AGE");
    has(&table, "a 3");
    has(&kubectl.says(&["get", "wi", "-o", "wide"]).await, "NAME READY COLOR SIZE AGE");
    has(&kubectl.says(&["get", "widget", "a", "-o", "yaml"]).await, "spec: color: red shape: round size: 3");
    has(&kubectl.says(&["get", "widget/a", "-o", "jsonpath={.spec.color}"]).await, "red");
    has(&kubectl.says(&["get", "widgets", "-A"]).await, "NAMESPACE NAME READY SIZE AGE default a");
    has(&kubectl.says(&["get", "things"]).await, "a 3");
    has(&kubectl.says(&["get", "cm,secret,sa"]).await, "configmap/conf 1");
    has(&kubectl.says(&["get", "secrets"]).await, "sec Opaque 1");
    has(&kubectl.says(&["get", "widgets", "--show-labels"]).await, "<none>");
    let described = kubectl.says(&["describe", "widget", "a"]).await;
    has(&described, "Name: a Namespace: default");
    has(&described, "Color: red");
    has(&described, "Events: <none>");
    has(&kubectl.says(&["describe", "secret", "sec"]).await, "x: 1 bytes");
    has(&kubectl.says(&["describe", "namespace", "team"]).await, "Status: Active");
    has(
        &kubectl.refuses(&["get", "gadgets"], "").await,
        "the server doesn't have a resource type \"gadgets\"",
    );
    has(&kubectl.says(&["get", "widgets", "-l", "app=web"]).await, "No resources found");
    has(&kubectl.says(&["get", "widgets", "--field-selector", "spec.color=red"]).await, "a 3");
    has(&kubectl.says(&["get", "widgets", "--chunk-size=1"]).await, "a 3");
}

async fn changes(kubectl: &Kubectl) {
    has(
        &kubectl.says(&["label", "widget", "a", "app=web"]).await,
        "widget.behaviours.everleaf.dev/a labeled",
    );
    has(&kubectl.says(&["get", "widgets", "-l", "app=web"]).await, "a 3");
    has(&kubectl.says(&["label", "cm", "conf", "app=web"]).await, "configmap/conf labeled");
    has(&kubectl.says(&["annotate", "secret", "sec", "note=hi"]).await, "secret/sec annotated");
    has(&kubectl.refuses(&["label", "widget", "a", "app=db"], "").await, "--overwrite is false");
    let patch = r#"{"spec":{"color":"blue"}}"#;
    has(&kubectl.says(&["patch", "widget", "a", "--type=merge", "-p", patch]).await, "patched");
    let patch = r#"[{"op":"replace","path":"/spec/size","value":5}]"#;
    has(&kubectl.says(&["patch", "widget", "a", "--type=json", "-p", patch]).await, "patched");
    has(
        &kubectl.says(&["patch", "cm", "conf", "-p", r#"{"data":{"z":"1"}}"#]).await,
        "configmap/conf patched",
    );
    let patch = r#"{"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#;
    let arguments = ["patch", "widget", "a", "--subresource=status", "--type=merge", "-p", patch];
    has(&kubectl.says(&arguments).await, "patched");
    has(&kubectl.says(&["get", "widget", "a", "-o", "wide"]).await, "a True blue 5");
    has(
        &kubectl.says(&["wait", "--for=condition=Ready", "widget/a", "--timeout=20s"]).await,
        "condition met",
    );
    let red = kubectl.says(&["get", "widget", "a", "-o", "yaml"]).await.replace("color: blue", "color: red");
    has(&kubectl.says_to(&["replace", "-f", "-"], &red).await, "widget.behaviours.everleaf.dev/a replaced");
    has(&kubectl.refuses(&["replace", "-f", "-"], &red).await, "the object has been modified");
}

async fn applies(kubectl: &Kubectl) {
    let mine = RED.replace("name: a", "name: applied");
    has(&kubectl.says_to(&["apply", "-f", "-"], &mine).await, "applied created");
    has(&kubectl.says_to(&["apply", "-f", "-"], &mine).await, "applied unchanged");
    let blue = mine.replace("red", "blue");
    let diff = kubectl.output(&["diff", "-f", "-"], &blue).await;
    has(&String::from_utf8_lossy(&diff.stdout), "+ color: blue");
    has(
        &kubectl.says_to(&["apply", "--dry-run=server", "-f", "-"], &blue).await,
        "configured (server dry run)",
    );
    has(
        &kubectl.says_to(&["apply", "-f", "-"], &blue.replace("  size: 3\n", "")).await,
        "applied configured",
    );
    has(
        &kubectl.says(&["get", "widget", "applied", "-o", "jsonpath={.spec}"]).await,
        r#"{"color":"blue","shape":"round"}"#,
    );
    // From client-side to server-side apply: kubectl takes its own fields over.
    has(&kubectl.says_to(&["apply", "--server-side", "-f", "-"], &mine).await, "applied serverside-applied");
    let managers = [
        "get",
        "widget",
        "applied",
        "--show-managed-fields",
        "-o",
        "jsonpath={.metadata.managedFields[*].manager}",
    ];
    has(&kubectl.says(&managers).await, "kubectl");
    let other = ["apply", "--server-side", "--field-manager=other", "-f", "-"];
    let refused = kubectl.refuses(&other, &mine.replace("red", "green")).await;
    has(&refused, "conflict with \"kubectl\": .spec.color");
    let forced = ["apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-"];
    has(&kubectl.says_to(&forced, &mine.replace("red", "green")).await, "serverside-applied");
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: sa\nstringData:\n  x: one\n";
    has(&kubectl.says_to(&["apply", "-f", "-"], secret).await, "secret/sa created");
    has(
        &kubectl.says_to(&["apply", "-f", "-"], &secret.replace("x: one", "x: two")).await,
        "secret/sa configured",
    );
    has(
        &kubectl.says_to(&["apply", "--server-side", "-f", "-"], &secret.replace("sa\n", "sb\n")).await,
        "secret/sb serverside-applied",
    );
    let many = format!("{mine}---\n{secret}");
    has(
        &kubectl.says_to(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &many).await,
        "serverside-applied",
    );
}

async fn keeps_secrets(kubectl: &Kubectl) {
    has(&kubectl.says(&["get", "secret", "sec", "-o", "jsonpath={.data.x}"]).await, "eQ==");
    let wrong = ["--token=wrong", "get", "secrets"];
    has(&kubectl.refuses(&wrong, "").await, "You must be logged in to the server");
}

async fn watches(kubectl: &Kubectl) {
    let mut watching = kubectl.command(&["get", "widgets", "--watch-only", "-o", "name"]).spawn().unwrap();
    // The watch has begun when it shows something: make changes until it does.
    let output = watching.stdout.take().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(output));
    let first = async {
        for number in 0..100 {
            kubectl.says(&["label", "widget", "a", &format!("n=n{number}"), "--overwrite"]).await;
        }
    };
    let line = tokio::select! {
        line = lines.next_line() => line.unwrap(),
        () = first => None,
    };
    assert_eq!(line.as_deref(), Some("widget.behaviours.everleaf.dev/a"));
    watching.kill().await.unwrap();
    let table = kubectl.command(&["get", "widgets", "-w", "--request-timeout=3s"]).output().await.unwrap();
    has(&String::from_utf8_lossy(&table.stdout), "NAME READY SIZE AGE a True 5");
}

async fn tells_events(kubectl: &Kubectl) {
    let uid = kubectl.says(&["get", "widget", "a", "-o", "jsonpath={.metadata.uid}"]).await;
    let event = format!(
        "apiVersion: v1\nkind: Event\nmetadata:\n  name: e\n  namespace: default\ninvolvedObject:\n  apiVersion: behaviours.everleaf.dev/v1\n  \
         kind: Widget\n  name: a\n  namespace: default\n  uid: {uid}\nreason: Painted\nmessage: it was painted\ntype: Normal\n\
         source:\n  component: painter\nfirstTimestamp: '2026-01-01T00:00:00Z'\nlastTimestamp: '2026-01-01T00:00:00Z'\ncount: 1\n"
    );
    has(&kubectl.says_to(&["create", "-f", "-"], &event).await, "event/e created");
    has(&kubectl.says(&["get", "events"]).await, "Normal Painted widget/a it was painted");
    has(&kubectl.says(&["events", "--for", "widget/a"]).await, "Painted Widget/a it was painted");
    has(&kubectl.says(&["describe", "widget", "a"]).await, "Painted");
}

async fn deletes(kubectl: &Kubectl) {
    has(&kubectl.says(&["delete", "widget", "a"]).await, "\"a\" deleted");
    has(&kubectl.says(&["wait", "--for=delete", "widget/a", "--timeout=20s"]).await, "");
    has(&kubectl.says(&["delete", "widgets", "--all"]).await, "\"applied\" deleted");
    has(&kubectl.refuses(&["delete", "widget", "a"], "").await, "not found");
    has(&kubectl.says(&["delete", "widget", "a", "--ignore-not-found"]).await, "");
    has(&kubectl.says(&["delete", "cm", "conf", "--cascade=foreground"]).await, "configmap \"conf\" deleted");
    has(&kubectl.says(&["delete", "namespace", "team"]).await, "namespace \"team\" deleted");
    has(&kubectl.refuses(&["get", "namespace", "team"], "").await, "namespaces \"team\" not found");
    has(&kubectl.refuses(&["delete", "namespace", "default"], "").await, "this namespace may not be deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs real servers: cargo xtask test"]
async fn kubectl_works_against_the_embedded_api() {
    script(&Program::Kubectl.locate().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_older_kubectl_works_too_where_one_is_installed() {
    let installed = Command::new("kubectl").args(["version", "--client"]).output().await;
    match installed {
        Ok(output) if output.status.success() => {
            println!("{}", String::from_utf8_lossy(&output.stdout));
            script(Path::new("kubectl")).await;
        }
        _ => println!("no kubectl is installed: nothing to test"),
    }
}
