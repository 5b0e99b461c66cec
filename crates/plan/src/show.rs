//! A preview as text: the exact diff of mesh config, the objects to apply, the pods to restart.

use std::borrow::Cow;

use comfy_table::{Table, presets};
use serde_json::{Value, json};
use similar::TextDiff;

use crate::api::{MeshObservability, ProxiesStatus, Restart, RestartBudget};
use crate::plan::preview::{ObjectChanges, Outcome, Preview};
use crate::plan::proxies::ProxiesReport;
use crate::plan::proxies_condition::remedy;
use crate::plan::refusal::Refusal;
use crate::plan::restarts::Restarts;
use crate::plan::step::MeshEdit;
use crate::plan::wiring::{Assessment, Verdict};
use crate::world::MESH_KEY;

/// How many unchanged lines the diff has around a change.
const CONTEXT: usize = 3;
/// What is said of a mesh without istiod.
const NO_ISTIOD: &str =
    "no istiod is there (a Deployment with the label app: istiod); set spec.mesh.namespace";

/// The preview of a resource, as `alscope-operator plan` prints it.
pub fn show(resource: &MeshObservability, preview: &Preview) -> String {
    let mut text = String::new();
    let name = resource.name();
    line(
        &mut text,
        &format!("plan for MeshObservability {name}: nothing is written"),
    );
    line(&mut text, "");
    line(
        &mut text,
        &format!(
            "mesh config (namespace {}, address {})",
            resource.spec.mesh.namespace, preview.address
        ),
    );
    match &preview.mesh {
        Err(refusal) => refused(&mut text, refusal),
        Ok(assessments) if assessments.is_empty() => line(&mut text, &format!("  {NO_ISTIOD}")),
        Ok(assessments) => {
            for assessment in assessments {
                mesh_config(&mut text, assessment);
            }
        }
    }
    for warning in &preview.warnings {
        line(&mut text, &format!("  warning: {warning}"));
    }
    match &preview.objects {
        Ok(changes) => objects(&mut text, changes),
        Err(problem) => {
            line(&mut text, "");
            line(&mut text, &format!("objects: {}", invalid_spec_text(problem)));
        }
    }
    proxies_of(&mut text, resource, preview);
    text
}

fn proxies_of(text: &mut String, resource: &MeshObservability, preview: &Preview) {
    let Some(proxies) = &preview.proxies else {
        return;
    };
    if preview.outcome() == Outcome::Refused {
        line(text, "");
        line(
            text,
            "proxies: none has to restart while mesh config is not written",
        );
    } else {
        restarts(text, proxies, preview.provider());
        if proxies.pending_restart > 0 && resource.spec.mesh.restart == Restart::Rollout {
            line(
                text,
                "restart: Rollout: the operator restarts Deployments, StatefulSets and DaemonSets by itself; `alscope-operator restart` lists all",
            );
        }
    }
    not_reporting(text, proxies, preview.provider());
}

/// Appends lines without the spaces at their ends, which a table has.
fn line(text: &mut String, lines: &str) {
    for line in lines.split('\n') {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn refused(text: &mut String, refusal: &Refusal) {
    line(text, &format!("  {}", refusal_text(refusal)));
}

fn mesh_config(text: &mut String, assessment: &Assessment) {
    let name = assessment.target.edited();
    let revision = &assessment.target.revision;
    match &assessment.verdict {
        Verdict::Nothing => line(
            text,
            &format!("  {name}, revision {revision}: already sends access logs there"),
        ),
        Verdict::Refuse(refusal) => refused(text, refusal),
        Verdict::Edit(edit) => {
            line(text, &format!("  {name}, revision {revision}:"));
            text.push_str(&diff(edit));
        }
    }
}

/// The unified diff of the key `mesh` before and after the edit.
pub fn diff(edit: &MeshEdit) -> String {
    // Mesh config that Istio's chart writes ends without a line end, before and after.
    let before = with_line_end(edit.before.as_deref().unwrap_or_default());
    let after = with_line_end(edit.after.text());
    let diff = TextDiff::from_lines(&*before, &*after);
    diff.unified_diff()
        .context_radius(CONTEXT)
        .header(
            &format!("{} (as it is)", edit.config_map),
            &format!("{} (as planned)", edit.config_map),
        )
        .to_string()
}

fn with_line_end(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.ends_with('\n') {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{text}\n"))
    }
}

fn objects(text: &mut String, changes: &ObjectChanges) {
    line(text, "");
    if !changes.deleted.is_empty() {
        line(text, "objects to delete");
        let mut table = table();
        for (kind, name) in &changes.deleted {
            table.add_row(vec![kind.as_str(), name]);
        }
        line(text, &table.to_string());
        line(text, "");
    }
    if changes.applied.is_empty() {
        return line(text, "objects: nothing to apply");
    }
    line(text, "objects to apply");
    let mut table = table();
    for object in &changes.applied {
        let namespace = object
            .object
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .unwrap_or_default();
        table.add_row(vec![object.kind.as_str(), namespace, &object.name]);
    }
    line(text, &table.to_string());
}

fn restarts(text: &mut String, proxies: &ProxiesStatus, provider: Option<&str>) {
    line(text, "");
    let total = proxies.total;
    line(
        text,
        &match provider {
            Some(provider) => {
                format!(
                    "proxies: none of {total} has to restart, because the provider {provider} reaches them as they run"
                )
            }
            None => format!(
                "proxies: {} of {total} start with the address only when their pods restart",
                proxies.pending_restart
            ),
        },
    );
    if !proxies.workloads.is_empty() {
        let mut table = table();
        table.set_header(vec!["workload", "pods", "restart it with"]);
        for workload in &proxies.workloads {
            table.add_row(vec![
                format!("{}/{} ({})", workload.namespace, workload.name, workload.kind),
                workload.pending.to_string(),
                workload.command.clone(),
            ]);
        }
        line(text, &table.to_string());
    }
}

/// The proxies that a restart does not help, with what to do about each.
fn not_reporting(text: &mut String, proxies: &ProxiesStatus, provider: Option<&str>) {
    for silenced in &proxies.silenced {
        line(
            text,
            &format!(
                "silent: {} ({}): {}, which decides about their access logs",
                silenced.count,
                silenced.pods.join(", "),
                remedy(&silenced.telemetries, provider)
            ),
        );
    }
    for hiding in &proxies.hiding_sidecars {
        line(
            text,
            &format!(
                "silent: {} ({}): add {} to the hosts of egress in the Sidecar {}, which keeps the collector's Service from them",
                hiding.count,
                hiding.pods.join(", "),
                hiding.host,
                hiding.sidecar
            ),
        );
    }
    for service in &proxies.silenced_services {
        let remedy = remedy(&service.telemetries, provider);
        line(
            text,
            &format!(
                "silent at waypoints: the calls of {} {}/{}: {remedy}, which decides about their access logs",
                service.kind, service.namespace, service.name
            ),
        );
    }
    for skipped in &proxies.skipped {
        let (count, example, reason) = (skipped.count, &skipped.example, &skipped.reason);
        line(text, &format!("left out: {count} ({example}): {reason}"));
    }
}

/// The restarts of a mesh, as `alscope-operator restart` lists them.
pub fn restart_list(proxies: &ProxiesReport, restarts: &Restarts, budget: &RestartBudget) -> String {
    let mut text = String::new();
    let (pending, total) = (proxies.status.pending_restart, proxies.status.total);
    line(
        &mut text,
        &format!("{pending} of {total} proxies learn the collector's address when their pods restart"),
    );
    let under_way = &restarts.status.under_way;
    if !under_way.is_empty() {
        line(&mut text, &format!("under way: {}", under_way.join(", ")));
    }
    if let Some(stopped) = &restarts.status.stopped {
        line(&mut text, &format!("stopped: {stopped}"));
    }
    if !restarts.due.is_empty() {
        let (count, pause) = (budget.workloads, &budget.pause);
        line(
            &mut text,
            &format!(
                "\nto restart in this order, {count} at once and one in each namespace, with a pause of {pause}"
            ),
        );
        let mut table = table();
        table.set_header(vec!["workload", "pods", "restart it with"]);
        for pending in &restarts.due {
            let one = &pending.workload;
            let name = format!("{}/{} ({})", one.namespace, one.name, one.kind);
            table.add_row(vec![name, one.pending.to_string(), one.command.clone()]);
        }
        line(&mut text, &table.to_string());
    }
    if !restarts.waiting.is_empty() {
        line(&mut text, "\nnot to restart now");
        for one in &restarts.waiting {
            let name = format!("{}/{} ({})", one.namespace, one.name, one.kind);
            line(&mut text, &format!(" {name}: {}", one.reason));
            line(&mut text, &format!("   {}", one.command));
        }
    }
    text
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// The whole objects as they would be written: a ConfigMap for each edit of mesh config, and the collector's objects.
pub fn objects_as_planned(preview: &Preview) -> Vec<Value> {
    let assessments = preview.mesh.iter().flatten();
    let edits = assessments.filter_map(|assessment| match &assessment.verdict {
        Verdict::Edit(edit) => Some(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": edit.config_map.namespace, "name": edit.config_map.name},
            "data": {MESH_KEY: edit.after.text()},
        })),
        Verdict::Nothing | Verdict::Refuse(_) => None,
    });
    let objects = preview.objects.iter().flat_map(|changes| &changes.applied);
    edits
        .chain(objects.map(|desired| desired.object.clone()))
        .collect()
}

/// What is refused, and what the warnings say, a sentence each.
pub fn problems(preview: &Preview) -> Vec<String> {
    let mut problems = Vec::new();
    match &preview.mesh {
        Err(refusal) => problems.push(refusal_text(refusal)),
        Ok(assessments) if assessments.is_empty() => problems.push(NO_ISTIOD.to_owned()),
        Ok(assessments) => problems.extend(assessments.iter().filter_map(|one| match &one.verdict {
            Verdict::Refuse(refusal) => Some(refusal_text(refusal)),
            Verdict::Nothing | Verdict::Edit(_) => None,
        })),
    }
    problems.extend(
        preview
            .objects
            .as_ref()
            .err()
            .map(|problem| invalid_spec_text(problem)),
    );
    problems.extend(
        preview
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    problems
}

fn refusal_text(refusal: &Refusal) -> String {
    format!("refused, {}: {refusal}", refusal.reason())
}

fn invalid_spec_text(problem: &str) -> String {
    format!("refused, InvalidSpec: {problem}")
}
