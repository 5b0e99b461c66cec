//! A preview as text: the exact diff of mesh config, the objects to apply, the pods to restart.

use comfy_table::{Table, presets};
use similar::TextDiff;

use crate::api::{MeshObservability, ProxiesStatus, Restart, RestartBudget};
use crate::plan::preview::Preview;
use crate::plan::proxies::ProxiesReport;
use crate::plan::refusal::Refusal;
use crate::plan::restarts::Restarts;
use crate::plan::step::DesiredObject;
use crate::plan::step::MeshEdit;
use crate::plan::wiring::{Assessment, Verdict};

/// How many unchanged lines the diff has around a change.
const CONTEXT: usize = 3;

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
        Ok(assessments) if assessments.is_empty() => line(
            &mut text,
            "  no istiod is there (a Deployment with the label app: istiod); set spec.mesh.namespace",
        ),
        Ok(assessments) => {
            for assessment in assessments {
                mesh_config(&mut text, assessment);
            }
        }
    }
    objects(&mut text, &preview.objects);
    if let Some(proxies) = &preview.proxies {
        restarts(&mut text, proxies);
        if proxies.pending_restart > 0 && resource.spec.mesh.restart == Restart::Rollout {
            line(
                &mut text,
                "restart: Rollout: the operator restarts Deployments, StatefulSets and DaemonSets by itself; `alscope-operator restart` lists all",
            );
        }
    }
    text
}

/// Appends lines without the spaces at their ends, which a table has.
fn line(text: &mut String, lines: &str) {
    for line in lines.split('\n') {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn refused(text: &mut String, refusal: &Refusal) {
    line(text, &format!("  refused, {}: {refusal}", refusal.reason()));
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
    let before = edit.before.as_deref().unwrap_or_default();
    let diff = TextDiff::from_lines(before, edit.after.text());
    diff.unified_diff()
        .context_radius(CONTEXT)
        .header(
            &format!("{} (as it is)", edit.config_map),
            &format!("{} (as planned)", edit.config_map),
        )
        .to_string()
}

fn objects(text: &mut String, objects: &[DesiredObject]) {
    line(text, "");
    if objects.is_empty() {
        return line(text, "objects: nothing to apply");
    }
    line(text, "objects to apply");
    let mut table = table();
    for object in objects {
        let namespace = object
            .object
            .pointer("/metadata/namespace")
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default();
        table.add_row(vec![object.kind.as_str(), namespace, &object.name]);
    }
    line(text, &table.to_string());
}

fn restarts(text: &mut String, proxies: &ProxiesStatus) {
    line(text, "");
    line(
        text,
        &format!(
            "proxies: {} of {} start with the address only when their pods restart",
            proxies.pending_restart, proxies.total
        ),
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
    for silenced in &proxies.silenced {
        let telemetries = silenced.telemetries.join(" and ");
        line(
            text,
            &format!(
                "silent: {} ({}): remove accessLogging from {telemetries}, which decides about their access logs",
                silenced.count,
                silenced.pods.join(", ")
            ),
        );
    }
    for service in &proxies.silenced_services {
        let telemetries = service.telemetries.join(" and ");
        line(
            text,
            &format!(
                "silent at waypoints: the calls of {} {}/{}: remove accessLogging from {telemetries}, which decides about their access logs",
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
