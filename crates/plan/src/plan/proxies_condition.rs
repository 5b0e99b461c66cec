//! The state of `ProxiesUpToDate`, with what to do about the proxies that do not send.

use crate::api::ProxiesStatus;

use super::conditions::ConditionState;
use super::proxies::ListLengths;

/// What else says why proxies are not up to date: the restarts by the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartNote {
    /// The reason of the condition.
    pub reason: &'static str,
    /// How far the restarts are.
    pub message: String,
}

/// The state of `ProxiesUpToDate`, for a wired mesh. `provider` is the provider through which it is wired, if it is one. The note is that
/// of the operator's own restarts, if it makes them.
pub fn condition(
    report: &ProxiesStatus,
    provider: Option<&str>,
    restarts: Option<RestartNote>,
) -> ConditionState {
    let (reason, restarts) = match restarts {
        Some(note) => (
            note.reason,
            format!("{}. {}", pending_message(report), note.message),
        ),
        None => ("RestartNeeded", restart_message(report)),
    };
    let messages = [
        (report.pending_restart > 0).then_some(restarts),
        (!report.silenced.is_empty()).then(|| silenced_message(report, provider)),
        (!report.hiding_sidecars.is_empty()).then(|| hidden_message(report)),
        (!report.silenced_services.is_empty()).then(|| services_message(report, provider)),
    ];
    let messages: Vec<String> = messages.into_iter().flatten().collect();
    match (report.pending_restart, messages.is_empty()) {
        (_, true) => ConditionState::met(
            "UpToDate",
            match provider {
                None => format!("all {} proxies know the collector's address", report.total),
                Some(provider) => format!("all {} proxies have the provider {provider}", report.total),
            },
        ),
        (0, false) if report.silenced.is_empty() && !report.hiding_sidecars.is_empty() => {
            ConditionState::unmet("HiddenBySidecar", messages.join(". "))
        }
        (0, false) => ConditionState::unmet("SilencedByTelemetry", messages.join(". ")),
        (_, false) => ConditionState::unmet(reason, messages.join(". ")),
    }
}

fn restart_message(report: &ProxiesStatus) -> String {
    let commands: Vec<&str> = report
        .workloads
        .iter()
        .map(|workload| workload.command.as_str())
        .collect();
    format!("{}: {}", pending_message(report), commands.join("; "))
}

fn pending_message(report: &ProxiesStatus) -> String {
    let pods: Vec<String> = report
        .workloads
        .iter()
        .flat_map(|workload| {
            workload
                .pods
                .iter()
                .map(|pod| format!("{}/{pod}", workload.namespace))
        })
        .take(ListLengths::STATUS.pods)
        .collect();
    format!(
        "{} of {} proxies started before the mesh was wired and learn the collector's address when their pods restart ({})",
        report.pending_restart,
        report.total,
        listed(&pods, report.pending_restart),
    )
}

/// What to do about Telemetries so that the wiring decides about access logs again.
pub fn remedy(telemetries: &[String], provider: Option<&str>) -> String {
    let telemetries = telemetries.join(" and ");
    match provider {
        None => format!("remove accessLogging from {telemetries}"),
        Some(provider) => {
            format!("add `- name: {provider}` to the providers of accessLogging in {telemetries}")
        }
    }
}

fn silenced_message(report: &ProxiesStatus, provider: Option<&str>) -> String {
    let telemetries: Vec<String> = report
        .silenced
        .iter()
        .map(|one| {
            let calls = match one.calls.as_str() {
                "" => String::new(),
                calls => format!("about {calls} calls "),
            };
            format!(
                "{}, which decides {calls}for {}",
                remedy(&one.telemetries, provider),
                listed(&one.pods, one.count)
            )
        })
        .collect();
    format!(
        "{} of {} proxies do not report, because Telemetries decide about their access logs and not mesh config: {}",
        report.silenced.iter().map(|one| one.count).sum::<i64>(),
        report.total,
        telemetries.join("; ")
    )
}

fn hidden_message(report: &ProxiesStatus) -> String {
    let sidecars = report.hiding_sidecars.iter().map(|one| {
        format!(
            "add {} to the hosts of egress in {}, which decides for {}",
            one.host,
            one.sidecar,
            listed(&one.pods, one.count)
        )
    });
    let sidecars: Vec<String> = sidecars.collect();
    format!(
        "{} of {} proxies do not report, because Sidecar resources keep the collector's Service from them: {}",
        report.hiding_sidecars.iter().map(|one| one.count).sum::<i64>(),
        report.total,
        sidecars.join("; ")
    )
}

fn services_message(report: &ProxiesStatus, provider: Option<&str>) -> String {
    let services = report.silenced_services.iter().map(|one| {
        format!(
            "{}, which decides about the calls of {} {}/{}",
            remedy(&one.telemetries, provider),
            one.kind,
            one.namespace,
            one.name
        )
    });
    let services: Vec<String> = services.collect();
    format!(
        "Waypoints do not report the calls of some services, because Telemetries decide about them and not mesh config: {}",
        services.join("; ")
    )
}

/// The names of some of `count` pods.
fn listed(pods: &[String], count: i64) -> String {
    let has_more = usize::try_from(count).is_ok_and(|count| count > pods.len());
    format!("{}{}", pods.join(", "), if has_more { ", …" } else { "" })
}
